"""The frozen teacher: half precision, and its targets cached on disk."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from lightning_modules.frozen_teacher import FrozenTeacher
from tests.support.runs import distil, mistake

ARGS = "--model.init_args"
TEACHER = f"{ARGS}.frozen_teacher"
POOLED = (f"{ARGS}.features=pooled", f"{ARGS}.projector.class_path=Linear")


def weights(run: Path) -> dict[str, torch.Tensor]:
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def cached(
    fit, teacher: Path, caches: Path, folder: Path, *argv: str, method: str = "two-in-one"
) -> Path:
    """Four epochs that show two views of each crop."""
    argv = (f"{TEACHER}.folder={caches}", "--trainer.max_epochs=4", "--data.views=2", *argv)
    argv = (f"{TEACHER}.cache=on", "--data.augmentation=full", "--run.test=false", *argv)
    return distil(fit, teacher, method, *argv, folder=folder)


@pytest.fixture
def computed(monkeypatch) -> list[str]:
    """Names of the targets that the teacher computed in training, one per batch and target."""
    asked: list[str] = []
    compute = FrozenTeacher._compute

    def counted(self, images: torch.Tensor, names: Iterable[str]) -> dict[str, torch.Tensor]:
        if len(images) > 1:  # one image measures the shapes
            asked.extend(names)
        return compute(self, images, names)

    monkeypatch.setattr(FrozenTeacher, "_compute", counted)
    return asked


def test_targets_are_computed_once_and_a_repetition_is_equal_to_the_bit(
    fit, tiny_teacher: Path, tmp_path: Path, computed: list[str]
) -> None:
    first = cached(fit, tiny_teacher, tmp_path / "caches", tmp_path / "first")
    assert computed.count("spatial") < 16  # of four epochs of four batches
    computed.clear()
    again = cached(fit, tiny_teacher, tmp_path / "caches", tmp_path / "again")
    assert computed == []
    one, other = weights(first), weights(again)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_all_rungs_of_a_teacher_share_the_targets(
    fit, tiny_teacher: Path, tmp_path: Path, computed: list[str]
) -> None:
    caches = tmp_path / "caches"
    cached(fit, tiny_teacher, caches, tmp_path / "spatial", method="spatial")
    assert set(computed) == {"spatial"}
    computed.clear()
    cached(fit, tiny_teacher, caches, tmp_path / "two-in-one")
    assert set(computed) == {"frequency"}
    computed.clear()
    cached(fit, tiny_teacher, caches, tmp_path / "naive", method="naive")
    assert computed == []
    assert len(list(caches.iterdir())) == 1


def test_a_shared_cache_changes_no_bit_of_students_with_new_views_in_every_epoch(
    fit, tiny_teacher: Path, tmp_path: Path, computed: list[str]
) -> None:
    argv = ("--trainer.max_epochs=2", "--data.augmentation=full", "--run.test=false")
    shared = (f"{TEACHER}.cache=shared", f"{TEACHER}.folder={tmp_path / 'caches'}")
    for method in ("naive", "two-in-one", "logit"):  # all branches give the logit as well
        alone = distil(fit, tiny_teacher, method, *argv, folder=tmp_path / method)
        computed.clear()
        run = distil(fit, tiny_teacher, method, *argv, *shared, folder=tmp_path / f"{method}-2")
        assert bool(computed) == (method == "naive")
        one, other = weights(alone), weights(run)
        assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((*POOLED, f"{ARGS}.stage=2"), (*POOLED, f"{ARGS}.stage=3")),
        (("--trainer.precision=bf16-mixed",), ()),
        ((f"{TEACHER}.precision=bfloat16",), ()),
        (POOLED, ()),
        ((), ("--data.augmentation=light",)),
        ((), ("--seed_everything=1",)),
    ],
    ids=["stage", "trainer precision", "teacher precision", "pooling", "pipeline", "seed"],
)
def test_a_run_is_not_served_the_targets_of_another(
    first: tuple[str, ...],
    second: tuple[str, ...],
    fit,
    tiny_teacher: Path,
    tmp_path: Path,
    computed: list[str],
) -> None:
    counts = []
    for name, argv in {"first": first, "second": second}.items():
        more = ("--trainer.max_epochs=2", *argv)
        cached(fit, tiny_teacher, tmp_path / "caches", tmp_path / name, *more)
        counts.append(len(computed))
        computed.clear()
    assert counts[0] == counts[1] > 0


def test_cached_targets_are_the_teachers(fit, tiny_teacher: Path, tmp_path: Path) -> None:
    """To the accuracy of float16, compared after some steps of gradient descent."""
    one = weights(cached(fit, tiny_teacher, tmp_path / "caches", tmp_path / "cached"))
    other = weights(
        cached(fit, tiny_teacher, tmp_path / "caches", tmp_path / "run", f"{TEACHER}.cache=off")
    )
    for name, value in one.items():
        if name.startswith("distillation.projectors") and name.endswith("weight"):
            torch.testing.assert_close(value, other[name], rtol=0.05, atol=0.01)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([f"{TEACHER}.cache=on"], "set data.views"),
        ([f"{TEACHER}.cache=on", "--data.views=2", f"{TEACHER}.limit_gb=1e-6"], "limit_gb 1e-06"),
        ([f"{TEACHER}.limit_gb=0"], "limit_gb is 0.0: expected a number above 0"),
        ([f"{TEACHER}.cache=on", "--data.views=2", f"{TEACHER}.folder=/proc/x"], "/proc/x"),
        ([f"{TEACHER}.precision=auto"], "bfloat16"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(
    argv: list[str], expected: str, fit, tiny_teacher: Path, capsys
) -> None:
    assert expected in mistake(lambda: distil(fit, tiny_teacher, "two-in-one", *argv), capsys)


def test_half_precision_is_near(fit, tiny_teacher: Path, tmp_path: Path) -> None:
    argv = ["--trainer.limit_train_batches=1", "--run.test=false"]
    losses = []
    for precision in ("float32", "bfloat16"):
        run = distil(
            fit,
            tiny_teacher,
            "two-in-one",
            f"{TEACHER}.precision={precision}",
            *argv,
            folder=tmp_path / precision,
        )
        losses.append((run / "metrics.csv").read_text())
    assert losses[0] != losses[1]
    one, other = (weights(tmp_path / p)["student.classifier.bias"] for p in ("float32", "bfloat16"))
    torch.testing.assert_close(one, other, rtol=0.1, atol=1e-3)


def test_a_checkpoint_holds_nothing_of_the_teacher(fit, tiny_teacher: Path) -> None:
    saved = (
        distil(fit, tiny_teacher, "two-in-one", "--run.test=false") / "checkpoints" / "last.ckpt"
    )
    state = torch.load(saved, weights_only=True)["state_dict"]
    assert {name.split(".")[0] for name in state} == {"student", "distillation"}
    assert str(tiny_teacher).encode() not in saved.read_bytes()
