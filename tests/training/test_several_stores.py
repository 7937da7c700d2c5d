"""A test on several crop stores at once, and figures per slice, on real crops."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cli.main import main
from datamodules.crops.store import CropStore
from datamodules.crops.test_sets import TestSet, further_test_sets
from errors import InputError
from tests.support.runs import checkpoint, refused, results
from training.trainer_cli import with_slices

OWN, OTHER = "mini-FaceForensics++ c23/test", "mini-FaceForensics++ (other) c23/test"
ACROSS = "mini-Celeb-DF-v2 release/test"


@pytest.fixture(scope="module")
def other(tiny_ffpp: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test videos of the miniature in a store of their own, extracted by a list with slices."""
    with (tiny_ffpp / "videos.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    listed = tmp_path_factory.mktemp("list") / "test.csv"
    with listed.open("w") as file:
        writer = csv.DictWriter(file, [*rows[0], "side"])
        writer.writeheader()
        first = min(row["identity"] for row in rows)
        for row in rows:
            if row["compression"] == "c23":
                side = "left" if row["identity"] == first else "right"
                writer.writerow({**row, "side": side})
    out = tmp_path_factory.mktemp("stores") / "other"
    sizes = ["--frames_per_video=2", "--size=64", "--accelerator=cpu", "--num_workers=0"]
    main(["extract", f"--list={listed}", f"--root={tiny_ffpp}", f"--out={out}", *sizes])
    return out


def test_on(run: Path, folder: Path, *argv: str) -> dict:
    given = f"-c={run / 'config.yaml'}", f"--ckpt_path={checkpoint(run)}", f"--run.dir={folder}"
    main(["test", *given, *argv])
    return results(folder)


test_on.__test__ = False


def test_several_stores_are_test_sets_of_one_run(
    tiny_student: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [f"--data.test_crops=[{other}]", "--slices", "side", "hair"]
    found = test_on(tiny_student, tmp_path / "across", *argv)["metrics"]
    known = results(tiny_student)["metrics"]
    assert set(found) == {OWN, ACROSS, OTHER}
    for key in (OWN, ACROSS):
        assert found[key] == known[key]
    own, other_store = found[OWN]["overall"], found[OTHER]["overall"]
    assert own == other_store  # the same videos, extracted by their list
    scores = pd.read_csv(tmp_path / "across" / "scores.csv", keep_default_na=False)
    of_other = scores[scores["dataset"] == "mini-FaceForensics++ (other)"]
    assert set(of_other["side"]) == {"left", "right"}
    assert set(scores["side"]) == {"left", "right", ""}
    side = found[OTHER]["slices"]["side"]["slices"]
    assert list(found[OTHER]["slices"]) == ["side", "hair"]
    threshold = other_store["video"]["threshold"]
    videos = of_other.groupby(["method", "video"]).agg(
        label=("label", "first"), score=("score", "mean"), side=("side", "first")
    )
    for name, own_videos in videos.groupby("side"):
        called = own_videos["score"] >= threshold
        for figure, label in (("fpr", 0), ("tpr", 1)):
            expected = called[own_videos["label"] == label].mean()
            assert side[name][figure]["value"] == pytest.approx(expected)
    printed = capsys.readouterr().out
    assert "videos by side" in printed
    assert "widest gap" in printed


def test_a_wrong_store_or_slice_is_refused(
    tiny_student: Path, other: Path, noise_crops: Path, tmp_path: Path, capsys
) -> None:
    argv = ["test", f"-c={tiny_student / 'config.yaml'}", f"--ckpt_path={checkpoint(tiny_student)}"]
    argv += [f"--run.dir={tmp_path / 'out'}", f"--data.test_crops=[{other}]", "--slices"]
    assert "no column sides" in (line := refused([*argv, "sides"], capsys))
    assert "did you mean side?" in line
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="names no column"):
        with_slices(argv)
    store = CropStore(noise_crops)
    first = TestSet.of_store(store, np.arange(2))
    copy = CropStore(shutil.copytree(noise_crops, tmp_path / "one" / "copy"))
    twin = CropStore(shutil.copytree(noise_crops, tmp_path / "two" / "copy"))
    assert len(further_test_sets(first, [copy], ["c23"], 32, None)) == 2
    for stores, size, compression, message in (
        ([store], 32, "c23", "is given twice"),
        ([copy, twin], 32, "c23", "is a second .* rename its folder"),
        ([copy], 64, "c23", "are only 32 px wide"),
    ):
        with pytest.raises(InputError, match=message):
            further_test_sets(first, stores, [compression], size, None)
