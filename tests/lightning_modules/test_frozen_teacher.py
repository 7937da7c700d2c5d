"""A cheaper teacher: half precision, and its features kept on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_modules.distill import DistillModule
from lightning_modules.target_cache import FeatureCache, make_room
from tests.support.runs import distil

TEACHING = "--model.init_args.teaching"


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def cached(fit, teacher: Path, caches: Path, folder: Path, *words: str) -> Path:
    """Four epochs of two with views of their own."""
    words = (f"{TEACHING}.folder={caches}", "--trainer.max_epochs=4", "--data.views=2", *words)
    words = (f"{TEACHING}.cache=on", "--data.augmentation=full", "--run.test=false", *words)
    return distil(fit, teacher, "two-in-one", *words, folder=folder)


@pytest.fixture
def lessons(monkeypatch) -> list[int]:
    """Sizes of the batches that the teacher was asked about in training."""
    asked: list[int] = []
    teach = DistillModule.teach

    def counted(self, images):
        asked.append(len(images))
        return teach(self, images)

    monkeypatch.setattr(DistillModule, "teach", counted)
    return asked


def test_a_view_is_taught_once_and_to_the_bit(
    fit, tiny_teacher: Path, tmp_path: Path, lessons: list[int]
) -> None:
    first = cached(fit, tiny_teacher, tmp_path / "caches", tmp_path / "first")
    assert len([size for size in lessons if size > 1]) < 16  # of four epochs of four batches
    lessons.clear()
    again = cached(fit, tiny_teacher, tmp_path / "caches", tmp_path / "again")
    assert [size for size in lessons if size > 1] == []
    one, other = weights(first), weights(again)
    assert all(torch.equal(one[n], other[n]) for n in one if isinstance(one[n], torch.Tensor))


def test_what_the_cache_gives_is_the_teachers(fit, tiny_teacher: Path, tmp_path: Path) -> None:
    """As far as float16 tells, after a step of gradient descent's size."""
    one = weights(cached(fit, tiny_teacher, tmp_path / "caches", tmp_path / "kept"))
    other = weights(
        cached(fit, tiny_teacher, tmp_path / "x", tmp_path / "run", f"{TEACHING}.cache=off")
    )
    for name, value in one.items():
        if name.startswith("distillation.projectors") and name.endswith("weight"):
            torch.testing.assert_close(value, other[name], rtol=0.05, atol=0.01)


def test_auto_says_what_it_chose(fit, tiny_teacher: Path, tmp_path: Path, capsys) -> None:
    auto = [f"{TEACHING}.{name}=auto" for name in ("cache", "precision")]
    run = cached(fit, tiny_teacher, tmp_path / "caches", tmp_path / "run", *auto)
    chosen = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["teaching"]
    assert f"teacher: {chosen}" in capsys.readouterr().out
    assert not list((tmp_path / "caches").glob("probe-*"))


def test_a_cache_without_views_is_refused(fit, tiny_teacher: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        distil(fit, tiny_teacher, "two-in-one", f"{TEACHING}.cache=on")
    assert "set data.views" in capsys.readouterr().err


def test_half_precision_is_near(fit, tiny_teacher: Path, tmp_path: Path) -> None:
    words = ["--trainer.limit_train_batches=1", "--run.test=false"]
    losses = []
    for precision in ("float32", "bfloat16"):
        run = distil(
            fit,
            tiny_teacher,
            "two-in-one",
            f"{TEACHING}.precision={precision}",
            *words,
            folder=tmp_path / precision,
        )
        losses.append((run / "metrics.csv").read_text())
    assert losses[0] != losses[1]
    one, other = (weights(tmp_path / p)["student.classifier.bias"] for p in ("float32", "bfloat16"))
    torch.testing.assert_close(one, other, rtol=0.1, atol=1e-3)


VIEWS = [(row, seed) for row in range(10) for seed in (0, 2**31 - 1)]
RECORDS = np.random.default_rng(0).integers(256, size=(len(VIEWS), 48), dtype=np.uint8)


def test_a_cache_gives_what_it_got_to_every_process(tmp_path: Path) -> None:
    cache, second = (FeatureCache(tmp_path / "cache", 48, 40) for _ in range(2))
    assert cache.get(VIEWS) == [None] * len(VIEWS)
    cache.put(VIEWS, RECORDS)
    assert second.get(VIEWS) == [record.tobytes() for record in RECORDS]
    assert len(second) == len(VIEWS)


def test_a_torn_record_is_not_there(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache", 48, 40)
    cache.put(VIEWS, RECORDS)
    records = tmp_path / "cache" / "records.bin"
    content = bytearray(records.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    records.write_bytes(content)
    found = FeatureCache(tmp_path / "cache", 48, 40).get(VIEWS)
    assert None in found
    assert all(f in (None, r.tobytes()) for f, r in zip(found, RECORDS, strict=True))


def test_a_cache_is_bounded(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "caches" / "new", 48, 8)
    cache.put(VIEWS, RECORDS)
    assert cache.full
    assert len(cache) <= 8
    FeatureCache(tmp_path / "caches" / "old", 48, 8).put(VIEWS, RECORDS)
    make_room(tmp_path / "caches", "new", 0)
    assert [path.name for path in (tmp_path / "caches").iterdir()] == ["new"]
