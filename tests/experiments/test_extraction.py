import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cli.extract import print_extraction
from cli.main import main
from datamodules.crops.store import CropStore, ExtractionSettings
from errors import InputError
from experiments.extraction import ExtractionResult, plan_extraction
from experiments.extraction_estimate import estimate_extraction
from tests.support.extracting import extract_crops

Contents = Callable[[Path], dict[str, bytes]]
WriteVideo = Callable[..., Path]
ReadFrames = Callable[[Path, int], dict[int, NDArray[np.uint8]]]


@pytest.fixture
def few(small_ffpp: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a copy with the originals and one method, to damage."""
    root = tmp_path / "ffpp"
    shutil.copytree(
        small_ffpp,
        root,
        ignore=shutil.ignore_patterns("c40", "masks", "Face2Face", "FaceSwap", "NeuralTextures"),
    )
    return root


def test_every_video_gives_its_crops(small_store: ExtractionResult) -> None:
    store = CropStore(small_store.out)
    manifest = store.manifest
    assert small_store.extracted == 30
    assert len(store) == 30 * 3
    assert manifest.groupby(["dataset", "method"]).size().to_dict() == {
        ("mini-FaceForensics++", method): 18
        for method in ("original", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
    }
    assert set(manifest["split"]) == {"train", "val", "test"}
    assert ((manifest["method"] == "original") == (manifest["label"] == 0)).all()
    assert sorted(manifest["frame"].unique()) == [0, 2, 3]
    keys = ["dataset", "compression", "method", "video", "offset"]
    assert manifest[keys].values.tolist() == manifest[keys].sort_values(keys).values.tolist()
    assert (manifest["probability"] > 0.7).all()
    assert store.crop(0).std() > 10
    summary = small_store.summary
    assert (summary.videos, summary.crops, summary.frames) == (30, 90, 90)
    assert summary.frames_without_face == summary.unreadable == []


def test_a_second_run_changes_nothing(
    small_ffpp: Path,
    small_store: ExtractionResult,
    store_contents: Contents,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = store_contents(small_store.out)
    again = extract_crops(small_ffpp, small_store.out)
    assert again.extracted == 0
    assert store_contents(small_store.out) == before
    print_extraction(again)
    assert "all videos are extracted already" in capsys.readouterr().out


def test_detection_restores_the_number_of_threads(few: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    extract_crops(few, tmp_path / "out", methods=["original"])
    assert torch.get_num_threads() == 3
    torch.set_num_threads(threads)


def test_crops_do_not_depend_on_the_decoding_threads(
    few: Path, tmp_path: Path, small_store: ExtractionResult, store_contents: Contents
) -> None:
    extract_crops(few, tmp_path / "out", methods=["Deepfakes"], num_workers=2)
    expected = store_contents(small_store.out)
    mine = store_contents(tmp_path / "out")
    crops = [name for name in mine if name.endswith(".blosc")]
    assert len(crops) == 12
    assert all(mine[name] == expected[name] for name in crops)


def test_bad_videos_are_listed_and_the_others_extracted(
    few: Path,
    tmp_path: Path,
    write_video: Callable[..., Path],
    numbered_frames: Callable[[int], list[np.ndarray]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    videos = few / "original_sequences" / "youtube" / "c23" / "videos"
    truncated, empty, faceless, single = sorted(videos.glob("*.mp4"))[:4]
    content = truncated.read_bytes()
    truncated.write_bytes(content[: len(content) // 2])
    empty.write_bytes(b"")
    write_video(faceless, numbered_frames(6))
    write_video(single, numbered_frames(1))
    (few / "manipulated_sequences/Deepfakes/c23/videos").rename(tmp_path / "gone")
    result = extract_crops(few, tmp_path / "out")
    summary = result.summary
    assert [one.path for one in summary.unreadable] == [str(truncated), str(empty)]
    assert all("not a video" in one.reason for one in summary.unreadable)
    without_face = [one.key.split("/")[-1] for one in summary.videos_without_face]
    assert without_face == [faceless.stem, single.stem]
    assert len(summary.frames_without_face) == 3 + 1
    assert (summary.videos, summary.crops) == (4, 6)
    print_extraction(result)
    printed = capsys.readouterr().out
    assert "no folder for Deepfakes, Face2Face, FaceSwap, NeuralTextures" in printed
    assert f"unreadable videos: 2\n  {truncated}: not a video" in printed
    assert "frames without a crop: 4\n" in printed
    assert str(tmp_path / "out" / "extraction.json") in printed


def test_a_replaced_video_is_extracted_by_the_next_run(
    few: Path, tmp_path: Path, small_store: ExtractionResult
) -> None:
    video = next((few / "original_sequences/youtube/c23/videos").glob("*.mp4"))
    content = video.read_bytes()
    video.write_bytes(b"")
    out = tmp_path / "out"
    assert len(extract_crops(few, out, methods=["original"]).summary.unreadable) == 1
    video.write_bytes(content)
    result = extract_crops(few, out, methods=["original"])
    assert (result.extracted, result.summary.unreadable) == (1, [])
    assert len(CropStore(out)) == 18


def test_a_store_may_hold_two_data_sets(few: Path, tmp_path: Path, small_ffpp: Path) -> None:
    celeb = tmp_path / "Celeb-DF-v2"
    videos = sorted((small_ffpp / "original_sequences/youtube/c23/videos").glob("*.mp4"))
    for folder, name in (("Celeb-real", "id0_0000"), ("Celeb-synthesis", "id0_id1_0000")):
        (celeb / folder).mkdir(parents=True)
        shutil.copyfile(videos.pop(), celeb / folder / f"{name}.mp4")
    (celeb / "List_of_testing_videos.txt").write_text("1 Celeb-real/id0_0000.mp4")
    out = tmp_path / "out"
    extract_crops(few, out, methods=["original"])
    result = extract_crops(celeb, out)
    assert (result.extracted, result.summary.videos) == (2, 8)
    manifest = CropStore(out).manifest
    assert manifest.groupby(["dataset", "compression"]).size().to_dict() == {
        ("Celeb-DF-v2", "release"): 6,
        ("mini-FaceForensics++", "c23"): 18,
    }


def test_a_limit_is_spread_over_methods_and_splits(
    small_ffpp: Path, small_store: ExtractionResult, store_contents: Contents, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert extract_crops(small_ffpp, out, limit=15).extracted == 15
    some = CropStore(out).manifest
    assert some.groupby(["method", "split"])["video"].nunique().tolist() == [1] * 15
    assert extract_crops(small_ffpp, out, limit=15).extracted == 0
    assert extract_crops(small_ffpp, out).extracted == 15
    assert store_contents(out) == store_contents(small_store.out)


def test_a_dry_run_prints_an_estimate_and_writes_nothing(
    small_ffpp: Path,
    small_store: ExtractionResult,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = [
        "extract",
        f"--root={small_ffpp}",
        "--frames_per_video=3",
        "--size=64",
        "--dry_run",
    ]
    main([*argv, f"--out={tmp_path / 'out'}", "--accelerator=cpu"])
    printed = capsys.readouterr().out
    assert "30 videos to extract; 15 crops of 15 frames in 5 of them" in printed
    assert re.search(r"about \d+ s and 1 MB of crops, .* free\nnothing was written", printed)
    assert not (tmp_path / "out").exists()
    main([*argv, f"--out={small_store.out}"])
    assert "all videos are extracted already\nnothing was written" in capsys.readouterr().out


def test_an_estimate_is_of_the_disk_that_the_store_is_on(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, asked = tmp_path / "mounted", list[Path]()
    out.mkdir()

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=1)

    monkeypatch.setattr("experiments.extraction_estimate.shutil.disk_usage", usage)
    plan = plan_extraction(few, out, ExtractionSettings(64, 1.3, 1))
    lines = estimate_extraction(plan, num_workers=0, accelerator="cpu").lines()
    assert asked == [out]
    assert lines[-1] == "they do not fit: use fewer frames, smaller crops or another disk"


def test_the_manifest_has_a_track_per_person(
    few: Path, tmp_path: Path, write_video: WriteVideo, read_frames: ReadFrames
) -> None:
    first, second, *_ = sorted((few / "original_sequences/youtube/c23/videos").glob("*.mp4"))
    one, other = (list(read_frames(path, 3).values()) for path in (first, second))
    pairs = [np.concatenate(pair, axis=1) for pair in zip(one, other, strict=True)]
    write_video(first, pairs, crf="10")
    for all_faces in (False, True):
        out = tmp_path / f"out-{all_faces}"
        extract_crops(few, out, methods=["original"], all_faces=all_faces)
        manifest = CropStore(out).manifest
        rows = manifest[manifest["video"] == first.stem]
        assert rows["frame"].tolist() == ([0, 1, 2] * 2 if all_faces else [0, 1, 2])
        assert rows["track"].tolist() == ([0, 0, 0, 1, 1, 1] if all_faces else [0, 0, 0])
        assert (manifest.loc[manifest["video"] != first.stem, "track"] == 0).all()
    with pytest.raises(InputError, match="all_faces True, but here it is False"):
        extract_crops(few, out, methods=["original"])


def test_a_clip_without_a_face_has_no_crop(shared: Path, tmp_path: Path, few: Path) -> None:
    videos = few / "original_sequences/youtube/c23/videos"
    video = sorted(videos.glob("*.mp4"))[0]
    shutil.copyfile(shared / "media" / "no_face.mp4", video)
    summary = extract_crops(few, tmp_path / "out", methods=["original"]).summary
    assert [one.key.split("/")[-1] for one in summary.videos_without_face] == [video.stem]
