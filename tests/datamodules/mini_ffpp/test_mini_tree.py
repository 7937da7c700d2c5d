import hashlib
import json
import re
from pathlib import Path

import av
import pytest

from datamodules.layouts.celeb_df import scan_celeb_df
from datamodules.layouts.ffpp import scan_ffpp
from datamodules.mini_ffpp.celeb_df import generate_mini_celeb_df
from datamodules.mini_ffpp.generate import generate_mini_ffpp

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


def bytes_of(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_tree_and_splits_are_those_of_faceforensics(tiny: Path) -> None:
    pairs = {
        split: json.loads((tiny / f"{split}.json").read_text())
        for split in ("train", "val", "test")
    }
    ids = [identity for split in pairs.values() for pair in split for identity in pair]
    assert len(set(ids)) == len(ids) == 6
    assert all(re.fullmatch(r"\d{3}", identity) for identity in ids)
    fakes = {f"{a}_{b}" for split in pairs.values() for x, y in split for a, b in ((x, y), (y, x))}
    for level in ("c23", "c40"):
        originals = tiny / "original_sequences" / "youtube" / level / "videos"
        assert {path.name for path in originals.iterdir()} == {f"{name}.mp4" for name in ids}
    for method in METHODS:
        for level in ("c23", "c40", "masks"):
            folder = tiny / "manipulated_sequences" / method / level / "videos"
            assert {path.name for path in folder.iterdir()} == {f"{name}.mp4" for name in fakes}
    assert {path.name for path in tiny.iterdir()} == {
        "original_sequences",
        "manipulated_sequences",
        "train.json",
        "val.json",
        "test.json",
        "MINIATURE.json",
    }


def test_layout_reads_it_under_its_own_name(tiny: Path) -> None:
    records = scan_ffpp(tiny, "c23").records
    assert {record.dataset for record in records} == {"mini-FaceForensics++"}
    assert len(records) == 6 + 4 * 6


def test_originals_and_forgeries_share_codec_length_and_size(tiny: Path) -> None:
    for level in ("c23", "c40"):
        seen, settings = set(), set()
        for record in scan_ffpp(tiny, level).records:
            with av.open(record.path) as container:
                stream = container.streams.video[0]
                context = stream.codec_context
                length = sum(1 for _ in container.decode(stream))
                shape = (context.width, context.height, context.pix_fmt)
                seen.add((context.name, context.profile, *shape, stream.average_rate, length))
            # libx264 writes all its settings into the stream.
            settings.add(
                re.search(rb"x264 - core.*?options: ([^\0]*)", record.path.read_bytes())[1]
            )
        assert len(seen) == 1
        assert len(settings) == 1
        assert f"crf={level[1:]}.0".encode() in settings.pop()


def test_same_seed_gives_same_bytes_with_any_number_of_workers(
    tiny: Path, tiny_settings: dict[str, int], tmp_path: Path
) -> None:
    generate_mini_ffpp(tmp_path / "again", workers=2, **tiny_settings)
    assert bytes_of(tmp_path / "again") == bytes_of(tiny)


def test_complete_data_set_is_reused(
    tiny: Path, tiny_settings: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*")}
    generate_mini_ffpp(tiny, workers=1, **tiny_settings)
    assert {path: path.stat().st_mtime_ns for path in tiny.rglob("*")} == before
    assert "reused" in capsys.readouterr().err


def test_marker_holds_settings_and_the_confound_control(tiny: Path) -> None:
    marker = json.loads((tiny / "MINIATURE.json").read_text())
    assert marker["kind"] == "rendered"
    assert marker["parameters"]["train"] == 2
    for level in ("c23", "c40"):
        control = marker["confound_control"][level]
        assert 0 <= control["logistic_regression"]["auc"] <= 1
        assert control["test_videos"] == 10


def test_celeb_df_is_celeb_dfs(tiny_celeb: Path) -> None:
    lines = (tiny_celeb / "List_of_testing_videos.txt").read_text().splitlines()
    for line in lines:
        label, name = line.split()
        assert (label == "1") == ("synthesis" not in name)
        assert (tiny_celeb / name).is_file()
    records = scan_celeb_df(tiny_celeb).records
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


def test_celeb_df_is_reproducible(tiny_celeb: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    generate_mini_celeb_df(again, celebrities=10, frames=2, size=128, seed=3, workers=1)
    assert bytes_of(again) == bytes_of(tiny_celeb)
