import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datamodules.crops.ledger import read_extraction
from datamodules.crops.store import CropStore, ExtractionSettings
from datamodules.crops.store_writer import CropStoreWriter, VideoCrops
from datamodules.layouts.record import VideoRecord
from errors import InputError
from tests.support.crop_stores import change_manifest

INSIDE = "crops/FaceForensics++/c23/FaceSwap/071_054.blosc"
SETTINGS = ExtractionSettings(size=16, scale=1.3, frames_per_video=4)


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., VideoRecord]:
    def make(video: str = "071_054", method: str = "Deepfakes") -> VideoRecord:
        path = tmp_path / "videos" / method / f"{video}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
        target, _, source = video.partition("_")
        return VideoRecord(
            "FaceForensics++", method, video, 1, "train", "c23", path, target, source or None
        )

    return make


def crops_of(frames: list[int], value: int, requested: int = 4) -> VideoCrops:
    """Crops whose pixels encode the video and the row."""
    crops = np.empty((len(frames), 16, 16, 3), dtype=np.uint8)
    crops[:] = (value + np.arange(len(frames)))[:, None, None, None]
    boxes = np.tile([1.25, 2.5, 9.75, 12.5], (len(frames), 1))
    return VideoCrops(
        range(requested),
        frames,
        boxes,
        np.full(len(frames), 0.9),
        crops,
        tracks=[0] * len(frames),
        without_crop={one: "no face found" for one in range(requested) if one not in frames},
    )


@pytest.fixture
def store(tmp_path: Path, record: Callable[..., VideoRecord]) -> Path:
    """Two methods' `071_054` and an original, written in another order than the manifest's."""
    writer = CropStoreWriter(tmp_path / "store", SETTINGS)
    writer.create()
    writer.write(record("071", "original"), crops_of([0, 1, 2, 3], 30))
    writer.write(record("071_054", "FaceSwap"), crops_of([1, 3], 20))
    writer.write(record("071_054", "Deepfakes"), crops_of([0, 1, 2], 10))
    writer.finish(2.0)
    return tmp_path / "store"


def test_crops_are_read_in_the_order_of_the_manifest(store: Path) -> None:
    crops = CropStore(store)
    manifest = crops.manifest
    assert len(crops) == 9
    assert manifest["method"].tolist() == ["Deepfakes"] * 3 + ["FaceSwap"] * 2 + ["original"] * 4
    assert manifest["frame"].tolist() == [0, 1, 2, 1, 3, 0, 1, 2, 3]
    assert [int(crops.crop(index)[0, 0, 0]) for index in range(9)] == [
        *(10, 11, 12),
        *(20, 21),
        *(30, 31, 32, 33),
    ]
    crop = crops.crop(0)
    assert crop.shape == (16, 16, 3)
    assert crop.dtype == np.uint8
    assert crop.flags.writeable


def test_ids_stay_strings_and_the_hash_is_that_of_the_file(store: Path) -> None:
    crops = CropStore(store)
    row = crops.manifest.iloc[0]
    assert (row["video"], row["target"], row["source"]) == ("071_054", "071", "054")
    assert crops.manifest["source"].iloc[-1] == ""
    digest = hashlib.sha256((store / "manifest.parquet").read_bytes()).hexdigest()
    assert crops.manifest_hash == digest


def test_a_worker_gets_the_store_without_its_manifest(store: Path) -> None:
    crops = CropStore(store)
    first = crops.crop(0)
    copy = pickle.loads(pickle.dumps(crops))  # noqa: S301  # as a DataLoader does
    np.testing.assert_array_equal(copy.crop(0), first)
    assert len(pickle.dumps(crops)) < 10_000


def test_frames_without_a_face_are_listed(
    tmp_path: Path, store: Path, record: Callable[..., VideoRecord]
) -> None:
    writer = CropStoreWriter(store, SETTINGS)
    writer.write(record("054_071"), crops_of([], 0))
    summary_before = writer.summary()
    writer.finish(0.5)
    summary = json.loads((store / "extraction.json").read_text())
    assert summary_before is not None
    assert summary_before.videos == 3
    assert (summary["videos"], summary["crops"], summary["frames"]) == (4, 9, 16)
    assert summary["seconds"] == 2.5
    assert len(summary["frames_without_face"]) == 7
    assert summary["videos_without_face"] == [
        {"key": "FaceForensics++/Deepfakes/054_071", "compression": "c23"}
    ]
    assert {
        "key": "FaceForensics++/FaceSwap/071_054",
        "compression": "c23",
        "frame": 0,
        "reason": "no face found",
    } in summary["frames_without_face"]
    rows = (store / "without_crop.csv").read_text().splitlines()
    assert rows[0] == "dataset,compression,method,video,frame,reason"
    assert len(rows) == 1 + 7
    assert "FaceForensics++,c23,FaceSwap,071_054,0,no face found" in rows
    assert not (store / "crops/FaceForensics++/c23/Deepfakes/054_071.blosc").exists()


def test_a_video_counts_as_done_until_it_changes(
    store: Path, record: Callable[..., VideoRecord]
) -> None:
    writer = CropStoreWriter(store, SETTINGS)
    done = record("071_054", "Deepfakes")
    assert not writer.pending([done])
    assert writer.pending([record("054_071", "Deepfakes")])
    done.path.write_bytes(b"another video")
    assert writer.pending([done])
    writer.write(done, crops_of([2], 50))
    writer.finish(0)
    assert len(CropStore(store)) == 7
    file = store / "crops/FaceForensics++/c23/Deepfakes/071_054.blosc"
    assert not writer.pending([done])
    file.write_bytes(file.read_bytes()[:-1])
    assert writer.pending([done])
    file.unlink()
    assert writer.pending([done])


def test_a_video_that_was_found_is_no_longer_missing(
    store: Path, record: Callable[..., VideoRecord]
) -> None:
    group = "FaceForensics++ c23"
    CropStoreWriter(store, SETTINGS).finish(0, {group: ["Deepfakes/054_071", "Deepfakes/a_b"]})
    writer = CropStoreWriter(store, SETTINGS)
    writer.write(record("054_071", "Deepfakes"), crops_of([0], 40))
    writer.finish(0, {})
    assert read_extraction(store).missing == {group: ["Deepfakes/a_b"]}
    writer.write(record("a_b", "Deepfakes"), crops_of([0], 40))
    writer.finish(0, {})
    assert read_extraction(store).missing == {}


def test_other_settings_and_other_folders_are_refused(tmp_path: Path, store: Path) -> None:
    with pytest.raises(InputError, match="made with size 16, but here it is 112: choose"):
        CropStoreWriter(store, ExtractionSettings(112, 1.3, 4))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(InputError, match="holds something other than crops"):
        CropStoreWriter(tmp_path / "photos", SETTINGS)
    with pytest.raises(InputError, match="a file; expected a folder"):
        CropStoreWriter(tmp_path / "photos" / "cat.png", SETTINGS)
    with pytest.raises(InputError, match="no such file, expected the settings"):
        CropStore(tmp_path / "photos")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    writer = CropStoreWriter(tmp_path / "file" / "store", SETTINGS)
    with pytest.raises(InputError, match="cannot be written"):
        writer.create()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.unlink(), "No such file"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "cut short or altered"),
        (lambda file: file.write_bytes(b""), "cut short or altered"),
        (lambda file: file.write_bytes(file.read_bytes()[::-1]), "cut short or altered"),
    ],
    ids=["missing", "truncated", "empty", "altered"],
)
def test_a_damaged_file_is_named(
    store: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(store / INSIDE)
    crops = CropStore(store)
    with pytest.raises(InputError, match=rf"FaceSwap/071_054\.blosc: .*{message}"):
        crops.crop(4)
    assert int(crops.crop(0)[0, 0, 0]) == 10


def test_crops_of_another_size_than_in_store_json_are_refused(store: Path) -> None:
    settings = store / "store.json"
    settings.write_text(settings.read_text().replace('"size": 16', '"size": 8'))
    with pytest.raises(InputError, match=r"not 8 px wide as in store\.json"):
        CropStore(store).crop(4)


@pytest.mark.parametrize("outside", ["../a.blosc", "crops/../../a.blosc", "/etc/a.blosc"])
def test_a_manifest_does_not_lead_outside_the_store(store: Path, outside: str) -> None:
    change_manifest(
        store, lambda rows: rows.assign(file=rows["file"].cat.rename_categories({INSIDE: outside}))
    )
    with pytest.raises(InputError, match="points outside"):
        CropStore(store).crop(4)


def test_a_link_does_not_lead_outside_the_store(tmp_path: Path, store: Path) -> None:
    file = store / INSIDE
    file.replace(tmp_path / "elsewhere.blosc")
    file.symlink_to(tmp_path / "elsewhere.blosc")
    with pytest.raises(InputError, match=r"links.*but the manifest names it"):
        CropStore(store).crop(4)
    file.unlink()
    folder = file.parent
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="FaceSwap: links to a folder outside"):
        CropStore(store).crop(4)


def test_a_store_of_another_version_is_refused(store: Path) -> None:
    settings = store / "store.json"
    settings.write_text(settings.read_text().replace('"version": 3', '"version": 2'))
    with pytest.raises(InputError, match=r"version.*extract into a new folder"):
        CropStore(store)


def test_altered_pixels_never_reach_training(store: Path) -> None:
    file = store / INSIDE
    content = bytearray(file.read_bytes())
    content[-1] ^= 1  # of the second crop
    file.write_bytes(content)
    crops = CropStore(store)
    assert int(crops.crop(3)[0, 0, 0]) == 20
    with pytest.raises(InputError, match=r"FaceSwap/071_054\.blosc: cut short or altered"):
        crops.crop(4)
