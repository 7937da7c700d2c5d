import json
import re
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from datamodules.layouts.celeb_df import scan_celeb_df
from datamodules.layouts.ffpp import scan_ffpp
from datamodules.layouts.video_list import scan_list
from datamodules.mini_ffpp.ffpp import MiniFFPP
from datamodules.mini_ffpp.miniature import MiniatureRecord, Video, read_miniature
from datamodules.mini_ffpp.people import Population
from datamodules.mini_ffpp.video import encode
from tests.datamodules.mini_ffpp.conftest import Bytes

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


def test_tree_and_splits_are_those_of_faceforensics(small_ffpp: Path) -> None:
    pairs = {
        split: json.loads((small_ffpp / f"{split}.json").read_text())
        for split in ("train", "val", "test")
    }
    ids = [identity for split in pairs.values() for pair in split for identity in pair]
    assert len(set(ids)) == len(ids) == 6
    assert all(re.fullmatch(r"\d{3}", identity) for identity in ids)
    fakes = {f"{a}_{b}" for split in pairs.values() for x, y in split for a, b in ((x, y), (y, x))}
    for level in ("c23", "c40"):
        originals = small_ffpp / "original_sequences" / "youtube" / level / "videos"
        assert {path.name for path in originals.iterdir()} == {f"{name}.mp4" for name in ids}
    for method in METHODS:
        for level in ("c23", "c40", "masks"):
            folder = small_ffpp / "manipulated_sequences" / method / level / "videos"
            assert {path.name for path in folder.iterdir()} == {f"{name}.mp4" for name in fakes}
    assert {path.name for path in small_ffpp.iterdir()} == {
        "original_sequences",
        "manipulated_sequences",
        "train.json",
        "val.json",
        "test.json",
        "MINIATURE.json",
        "videos.csv",
    }


def test_the_layout_uses_its_own_name(small_ffpp: Path) -> None:
    records = scan_ffpp(small_ffpp, "c23").records
    assert {record.dataset for record in records} == {"mini-FaceForensics++"}
    assert len(records) == 6 + 4 * 6


def test_originals_and_forgeries_share_codec_length_and_size(small_ffpp: Path) -> None:
    for level in ("c23", "c40"):
        seen, settings = set(), set()
        for record in scan_ffpp(small_ffpp, level).records:
            with av.open(record.path) as container:
                stream = container.streams.video[0]
                context = stream.codec_context
                length = sum(1 for _ in container.decode(stream))
                shape = (context.width, context.height, context.pix_fmt)
                seen.add((context.name, context.profile, *shape, stream.average_rate, length))
            # libx264 writes its settings into the stream.
            settings.add(
                re.search(rb"x264 - core.*?options: ([^\0]*)", record.path.read_bytes())[1]
            )
        assert len(seen) == 1
        assert len(settings) == 1
        assert f"crf={level[1:]}.0".encode() in settings.pop()


def test_a_complete_data_set_is_reused(
    small_ffpp: Path, small_population: Population, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in small_ffpp.rglob("*")}
    record = MiniFFPP(small_ffpp, small_population, (2, 2, 2)).generate(workers=1)
    assert {path: path.stat().st_mtime_ns for path in small_ffpp.rglob("*")} == before
    assert record == read_miniature(small_ffpp)
    assert "reused" in capsys.readouterr().err


def test_videos_that_are_missing_are_added(
    small_ffpp: Path, small_population: Population, bytes_of: Bytes, tmp_path: Path
) -> None:
    root = tmp_path / "mini"

    def generate(*videos: Video) -> MiniatureRecord:
        return MiniFFPP(root, small_population, (2, 2, 2), videos=videos).generate(workers=1)

    assert generate("c40").videos == ["c40"]
    assert list(read_miniature(root).confound_control) == ["c40"]
    assert not list(root.rglob("c23")) + list(root.rglob("masks"))
    before = bytes_of(root)
    assert generate("c23", "masks").videos == ["c23", "c40", "masks"]
    after = bytes_of(root)
    assert after == bytes_of(small_ffpp)
    assert {name: after[name] for name in before if name.endswith(".mp4")} == {
        name: content for name, content in before.items() if name.endswith(".mp4")
    }
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert generate("c40").videos == ["c23", "c40", "masks"]
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == times


@pytest.mark.parametrize(("frames", "rate"), [(2, 2), (8, 8), (24, 8)])
def test_clips_of_up_to_eight_frames_last_a_second(frames: int, rate: int, tmp_path: Path) -> None:
    encode(np.zeros((frames, 96, 96, 3), dtype=np.uint8), tmp_path / "clip.mp4", crf=23)
    with av.open(tmp_path / "clip.mp4") as container:
        assert container.streams.video[0].average_rate == rate


def test_the_record_holds_settings_and_the_confound_control(small_ffpp: Path) -> None:
    record = read_miniature(small_ffpp)
    assert record.kind == "rendered"
    assert record.parameters["train"] == 2
    for level in ("c23", "c40"):
        control = record.confound_control[level]
        assert 0 <= control.logistic_regression.auc <= 1
        assert control.test_videos == 10


def test_train_and_test_of_the_confound_control_share_no_person(small_ffpp: Path) -> None:
    train, test = (
        {
            person
            for record in scan_ffpp(small_ffpp, "c23").records
            if record.split == split
            for person in record.video.split("_")
        }
        for split in ("train", "test")
    )
    assert len(train) == len(test) == 2
    assert not train & test


def test_tree_and_list_are_those_of_celeb_df(small_celeb_df: Path) -> None:
    lines = (small_celeb_df / "List_of_testing_videos.txt").read_text().splitlines()
    for line in lines:
        label, name = line.split()
        assert (label == "1") == ("synthesis" not in name)
        assert (small_celeb_df / name).is_file()
    records = scan_celeb_df(small_celeb_df).records
    assert {record.dataset for record in records} == {"mini-Celeb-DF-v2"}
    assert len(records) == 10 * 2 + 5 + 10 * 4
    test_people, other_people = (
        {
            part
            for record in records
            if (record.split == "test") is tested and record.video.startswith("id")
            for part in re.findall(r"id\d+", record.video)
        }
        for tested in (True, False)
    )
    assert test_people
    assert other_people
    assert not test_people & other_people
    assert {record.label for record in records if record.split == "test"} == {0, 1}


def test_the_list_names_the_videos_and_what_the_renderer_knows(
    small_ffpp: Path, small_celeb_df: Path
) -> None:
    for root, layouts in (
        (small_ffpp, [scan_ffpp(small_ffpp, level) for level in ("c23", "c40")]),
        (small_celeb_df, [scan_celeb_df(small_celeb_df)]),
    ):
        listed = {record.path: record for record in scan_list(root / "videos.csv").records}
        records = [record for layout in layouts for record in layout.records]
        assert set(listed) == {record.path for record in records}
        for record in records:
            own = listed[record.path]
            stranger = record.method == "YouTube-real"
            target = record.video if stranger else record.target
            known = replace(record, mask=None, slices=own.slices, target=target)
            assert own == known
            assert list(own.slices) == ["skin_tone", "pose", "hair"]
