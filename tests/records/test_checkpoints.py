import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from errors import InputError, refuse_difference
from records.checkpoints import (
    is_whole,
    read_hyperparameters,
    read_identity,
    require_whole,
)
from tests.support.runs import checkpoint

HYPERPARAMETERS = {"_class_path": "lightning_modules.teacher.TeacherModule", "warmup": 0.1}


def save(path: Path, **content: object) -> Path:
    torch.save({"hyper_parameters": HYPERPARAMETERS, **content}, path)
    return path


def test_the_checkpoint_of_a_run_is_read(tiny_teacher: Path) -> None:
    path = checkpoint(tiny_teacher)
    require_whole(path)
    assert read_hyperparameters(path)["_class_path"].endswith("TeacherModule")
    assert read_identity(path)["seed_everything"] == 0


def test_hyperparameters_and_identity_are_read(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", identity={"seed_everything": 3})
    assert is_whole(path)
    assert read_hyperparameters(path) == HYPERPARAMETERS
    assert read_identity(path) == {"seed_everything": 3}


def test_a_damaged_byte_is_found(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", weights=torch.ones(10_000))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not is_whole(path)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: path.write_bytes(save(path).read_bytes()[:200]), "cut short or damaged"),
        (lambda path: path.write_text("text"), "another kind of file"),
        (lambda path: path.write_bytes(b""), "another kind of file"),
        (lambda path: path.write_bytes(pickle.dumps({"hyper_parameters": {}})), "another kind"),
        (lambda path: torch.save({"hyper_parameters": Path}, path), "another kind of file"),
        (lambda path: torch.save({"state_dict": {}}, path), "another kind of file"),
        (lambda path: torch.save([1], path), "another kind of file"),
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: os.mkfifo(path), "not a regular file"),
        (lambda path: path.symlink_to("nowhere"), "a link to a file that does not exist"),
        (lambda path: None, "no such file"),
    ],
)
def test_what_is_no_checkpoint_is_refused(
    make: Callable[[Path], object], expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.ckpt"
    make(path)
    with pytest.raises(InputError, match=expected) as error:
        read_hyperparameters(path)
    assert str(path) in str(error.value)
    assert "pass a best.ckpt" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_checkpoint_without_a_run_has_no_identity(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not saved by two-in-one fit"):
        read_identity(save(tmp_path / "a.ckpt"))


def test_the_first_difference_is_named() -> None:
    saved = {"b": 1, "a": 2, "d": "x" * 99, "e": {"f": {"g": 1}}}
    refuse_difference("a run with", saved, dict(saved), "do this")
    refuse_difference("a run with", {}, {"c": None}, "do this")
    for current, expected in (
        ({**saved, "b": 2, "a": 3}, "a run with b 1, but here it is 2: do this"),
        ({**saved, "d": None}, f"a run with d {'x' * 57}..., but here it is None: do this"),
        ({**saved, "c": 3}, "a run with c None, but here it is 3: do this"),
        ({**saved, "e": {"f": {"g": 2}}}, "a run with e.f.g 1, but here it is 2: do this"),
    ):
        with pytest.raises(InputError) as error:
            refuse_difference("a run with", saved, current, "do this")
        assert str(error.value) == expected
