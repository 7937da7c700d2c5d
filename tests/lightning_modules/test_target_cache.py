"""The cache of targets: shared by processes, and a record counts only when it is whole."""

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from errors import InputError
from lightning_modules.target_cache import TargetCache, open_caches
from tests.support.processes import FORKED

SAMPLES, SHAPE = (2, 3, 2), (4, 2, 2)
TARGETS = torch.arange(192.0).reshape(12, *SHAPE)
LIKE = torch.zeros(0)


def open_cache(root: Path, seed: int = 0, limit: int = 10**6) -> TargetCache:
    return open_caches(root, {"seed": seed}, SAMPLES, {"spatial": SHAPE}, limit)["spatial"]


def test_every_process_reads_what_one_has_written(tmp_path: Path) -> None:
    writer, reader = open_cache(tmp_path), open_cache(tmp_path)
    numbers = np.array([0, 7, 11])
    assert not reader.holds(numbers)
    writer.write(numbers, TARGETS[numbers])
    assert reader.holds(numbers)
    assert not reader.holds(np.array([0, 1]))
    torch.testing.assert_close(reader.read(numbers, LIKE), TARGETS[numbers].half().float())


def test_the_array_is_indexed_by_view_real_crop_and_label(tmp_path: Path) -> None:
    open_cache(tmp_path).write(np.arange(12), TARGETS)
    array = np.load(next(tmp_path.glob("*/spatial.npy")), mmap_mode="r")
    assert array.shape == (*SAMPLES, *SHAPE)
    assert np.array_equal(array[1, 2, 0], TARGETS[10].half().numpy())


def test_the_first_record_stays(tmp_path: Path) -> None:
    """So a repeated run reads what the first one trained on."""
    cache, numbers = open_cache(tmp_path), np.array([3])
    cache.write(numbers, TARGETS[:1])
    cache.write(np.array([3, 4]), TARGETS[1:3])
    assert torch.equal(cache.read(np.array([3, 4]), LIKE), TARGETS[[0, 2]].half().float())


def test_a_record_of_a_killed_process_does_not_count(tmp_path: Path) -> None:
    open_cache(tmp_path).write(np.array([0]), TARGETS[:1])
    if (child := os.fork()) == 0:
        cache = open_cache(tmp_path)
        cache.records[1, :2] = 1
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    cache = open_cache(tmp_path)
    assert cache.holds(np.array([0]))
    assert not cache.holds(np.array([1]))


def write(root: Path, number: int) -> None:
    open_cache(root).write(np.array([number]), TARGETS[number : number + 1])


@pytest.mark.slow
def test_processes_that_start_at_once_share_one_array(tmp_path: Path) -> None:
    with ProcessPoolExecutor(6, FORKED) as pool:
        list(pool.map(partial(write, tmp_path), range(12)))
    cache = open_cache(tmp_path)
    assert cache.holds(np.arange(12))
    assert torch.equal(cache.read(np.arange(12), LIKE), TARGETS.half().float())
    assert {path.name for path in next(tmp_path.iterdir()).iterdir()} == {
        "spatial.npy",
        "spatial-valid.npy",
    }


def test_targets_beyond_float16_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exceed the range of float16"):
        open_cache(tmp_path).write(np.array([0]), 1e6 * TARGETS[:1])


def test_old_caches_make_room_for_a_new_one(tmp_path: Path) -> None:
    for age, seed in enumerate((0, 1)):
        open_cache(tmp_path, seed)
        folder = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(folder, (age, age))
    size = sum(path.stat().st_size for path in folder.iterdir())
    open_cache(tmp_path, 2, limit=2 * size + 100)
    assert folder.is_dir()
    assert len(list(tmp_path.iterdir())) == 2
    open_cache(tmp_path, 2, limit=size)
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(InputError, match="limit_gb"):
        open_cache(tmp_path, 2, limit=100)


def test_a_cache_that_another_rank_removes_meanwhile_is_passed_over(tmp_path: Path) -> None:
    open_cache(tmp_path)
    old = next(tmp_path.iterdir())
    (old / "spatial.npy").unlink()
    (old / "spatial.npy").symlink_to("vanished")  # listed, but gone when it is looked at
    open_cache(tmp_path, 1, limit=500)


def test_a_damaged_array_is_named(tmp_path: Path) -> None:
    open_cache(tmp_path)
    array = next(tmp_path.glob("*/spatial.npy"))
    array.write_bytes(b"half a header")
    with pytest.raises(InputError, match=str(array.parent)):
        open_cache(tmp_path)
