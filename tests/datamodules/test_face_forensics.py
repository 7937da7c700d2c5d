"""Options of the data, and manifests edited by hand, that `two-in-one fit` refuses."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamodules.face_forensics import FaceForensicsDataModule
from tests.conftest import CONFIGS
from tests.support.crop_stores import change_manifest
from tests.support.runs import refused

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def store(noise_crops: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(noise_crops, tmp_path / "crops"))


@pytest.fixture
def refused_fit(
    tmp_path: Path, noise_crops: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The error of `two-in-one fit`, which must come before anything is written."""

    def run(*argv: str, crops: Path = noise_crops) -> str:
        before = sorted(tmp_path.rglob("*"))
        configs = [f"-c={CONFIGS / name}.yaml" for name in ("data/mini", "teacher/mini")]
        given = [f"--data.crops={crops}", "--data.image_size=32", "--data.batch_size=4"]
        run_dir = [f"--run.dir={tmp_path / 'run'}", "--trainer.accelerator=cpu"]
        message = refused(["fit", *configs, *given, *run_dir, *argv], capsys)
        assert sorted(tmp_path.rglob("*")) == before
        return message

    return run


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("num_workers=-1", "data.num_workers is -1: expected a number at least 0"),
        ("batch_size=0", "data.batch_size is 0: expected a number at least 2"),
        ("batch_size=5", "choose a multiple of 2"),
        ("batch_size=64", "data.batch_size 64: an epoch has only 16 crops; lower it"),
        ("views=0", "data.views is 0: expected a number at least 1"),
        ("views=-3", "data.views is -3"),
        ("frames_per_video=0", "data.frames_per_video is 0: expected a number at least 1"),
        ("image_size=0", "data.image_size is 0: expected a number at least 1"),
        ("image_size=33", "crops are only 32 px wide"),
        (
            "methods=[DeepFakes]",
            "Celeb-synthesis, Deepfakes, FaceSwap: did you mean Deepfakes?",
        ),
        ("datasets=[FaceForensics]", "did you mean FaceForensics++?"),
        ("test_datasets=[Celeb-DF]", "data.test_datasets: "),
        ("compression=c40", "data.compression: "),
        ("compression=c32", "has no crop of c32, it has c23, release: did you mean c23?"),
        ("compression=[]", "data.compression is empty"),
        ("test_compressions=[raw]", "has no crop of raw, it has c23, release"),
        ("augmentation=fulll", "augmentation"),
        ("frames_of_video=3", "frames_per_video"),
    ],
)
def test_a_wrong_option_is_refused(
    refused_fit: Callable[..., str], option: str, message: str
) -> None:
    assert message in refused_fit(f"--data.{option}")


def test_training_on_people_who_are_tested_is_refused(refused_fit: Callable[..., str]) -> None:
    """Celeb-DF's official list shares people, so it is for testing only."""
    message = refused_fit("--data.datasets=[FaceForensics++,Celeb-DF-v2]")
    # Its source id1 is no target, so it may be in both.
    assert "person id0 of Celeb-DF-v2 is in the splits train and test" in message


def set_where(rows: pd.DataFrame, mask: pd.Series, column: str, value: object) -> pd.DataFrame:
    values = rows[column].astype(str if isinstance(value, str) else rows[column].dtype)
    values[mask] = value
    return rows.assign(**{column: values.astype("category") if isinstance(value, str) else values})


def of(rows: pd.DataFrame, video: str, method: str = "original") -> pd.Series:
    return (rows["video"] == video) & (rows["method"] == method)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: set_where(rows, of(rows, "000") & (rows["frame"] == 1), "label", 1),
            "video FaceForensics++/c23/original/000 has crops with label 0 and with label 1",
        ),
        (
            lambda rows: set_where(rows, of(rows, "000"), "label", 7),
            "column label has the value 7, expected 0, 1",
        ),
        (
            lambda rows: set_where(rows, of(rows, "000") & (rows["frame"] == 1), "split", "test"),
            "video original/000 of FaceForensics++ is in the splits train and test",
        ),
        (
            lambda rows: set_where(rows, of(rows, "004") & (rows["frame"] == 1), "split", "test"),
            "video original/004 of FaceForensics++ is in the splits val and test",
        ),
        (
            lambda rows: set_where(rows, of(rows, "006"), "target", "001"),
            "person 001 of FaceForensics++ is in the splits train and test",
        ),
        (
            lambda rows: set_where(rows, of(rows, "006_007", "FaceSwap"), "source", "004"),
            "person 004 of FaceForensics++ is in the splits val and test",
        ),
        (
            lambda rows: set_where(rows, of(rows, "000"), "split", "training"),
            "column split has the value training, expected train, val, test",
        ),
        (lambda rows: rows[rows["split"] != "val"], "has no crop in the val split"),
        (lambda rows: rows[(rows["split"] != "test") | (rows["label"] == 0)], "no fake crop in"),
        (lambda rows: rows[:0], "it has no crop"),
        (lambda rows: rows.drop(columns="checksum"), "column checksum is missing"),
        (lambda rows: rows.assign(label=rows["label"].astype(float)), "column label is float64"),
        (lambda rows: rows.assign(video=rows["video"].cat.codes), "column video is int"),
        (
            lambda rows: rows.assign(video=pd.Categorical(rows["video"].cat.codes)),
            "column video ",
        ),
        (
            lambda rows: rows.assign(video=rows["video"].where(rows["frame"] == 0)),
            "column video has missing values",
        ),
        (
            lambda rows: set_where(rows, of(rows, "000"), "offset", -1),
            "column offset has the value -1, expected 0 or more",
        ),
    ],
)
def test_an_edited_manifest_is_refused(
    refused_fit: Callable[..., str], store: Path, change: Change, message: str
) -> None:
    change_manifest(store, change)
    error = refused_fit(crops=store)
    assert f"{store / 'manifest.parquet'}: " in error or "val split" in message or "fake" in message
    assert message in error


def test_several_people_in_two_splits_are_counted(
    refused_fit: Callable[..., str], store: Path
) -> None:
    change_manifest(
        store, lambda rows: set_where(rows, rows["target"].isin(["005", "006"]), "source", "000")
    )
    change_manifest(store, lambda rows: set_where(rows, rows["target"] == "007", "source", "001"))
    message = "person 000 of FaceForensics++ and 1 more of its people are in the splits train"
    assert f"{message}, val and test" in refused_fit(crops=store)


def test_unknown_people_are_in_no_split(store: Path) -> None:
    change_manifest(
        store,
        lambda rows: rows.assign(
            target=pd.Categorical([""] * len(rows)), source=pd.Categorical([""] * len(rows))
        ),
    )
    assert len(FaceForensicsDataModule(str(store), image_size=32, batch_size=4).rows["train"])


def test_no_test_compressions_are_the_trained_ones(noise_crops: Path) -> None:
    default, empty = (
        FaceForensicsDataModule(
            str(noise_crops), image_size=32, batch_size=4, test_compressions=compressions
        ).rows["test"]
        for compressions in (None, [])
    )
    np.testing.assert_array_equal(empty, default)


def replace_by(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "text": lambda path: path.write_text("no such format"),
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "folder": replace_by(Path.mkdir),
    "FIFO": replace_by(os.mkfifo),
    "dangling link": replace_by(lambda path: path.symlink_to(path.with_name("elsewhere"))),
}


@pytest.mark.parametrize("file", ["manifest.parquet", "store.json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_of_the_store_is_named(
    refused_fit: Callable[..., str], store: Path, file: str, damage: str
) -> None:
    DAMAGES[damage](store / file)
    assert str(store / file) in refused_fit(crops=store)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("size", "32", "Expected `int`, got `str` - at `$.size`"),
        ("size", 0, "$.size"),
        ("version", 2, "$.version"),
        ("scale", None, "$.scale"),
    ],
)
def test_an_edited_store_json_is_refused(
    refused_fit: Callable[..., str], store: Path, field: str, value: object, message: str
) -> None:
    path = store / "store.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    error = refused_fit(crops=store)
    assert f"{path}: " in error
    assert message in error


@pytest.mark.parametrize("crops", ["nowhere", "a file"])
def test_crops_that_are_no_store_are_refused(
    refused_fit: Callable[..., str], tmp_path: Path, crops: str
) -> None:
    (tmp_path / "a file").touch()
    assert f"{tmp_path / crops}" in refused_fit(crops=tmp_path / crops)


def test_fixed_views_number_every_training_view(noise_crops: Path) -> None:
    data = FaceForensicsDataModule(
        str(noise_crops), image_size=32, batch_size=4, views=2, num_workers=0
    )
    samples: dict[int, np.ndarray] = {}
    for epoch in range(3):
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            for sample, image in zip(batch["sample"].tolist(), batch["image"].numpy(), strict=True):
                np.testing.assert_array_equal(samples.setdefault(sample, image), image)
    assert data.fixed_views(None) is not None
    assert data.fixed_views(None).shape == (2, 8, 2)
    assert sorted(samples) == list(range(2 * 8 * 2))


@pytest.mark.parametrize(
    "option", [{"seed": 1}, {"views": 3}, {"augmentation": "full"}, {"methods": ["FaceSwap"]}]
)
def test_the_key_of_fixed_views_follows_the_data(noise_crops: Path, option: dict) -> None:
    common = {"image_size": 32, "batch_size": 4, "views": 2, "augmentation": "light"}
    keys = [
        FaceForensicsDataModule(str(noise_crops), **(common | changed)).fixed_views(None).key
        for changed in ({}, {"num_workers": 1, "batch_size": 8}, option)
    ]
    assert keys[0] == keys[1] != keys[2]
    assert json.dumps(keys[0])
