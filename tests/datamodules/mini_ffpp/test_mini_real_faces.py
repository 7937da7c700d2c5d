import json
import shutil
from pathlib import Path

import pytest

from datamodules.layouts.ffpp import scan_ffpp
from datamodules.mini_ffpp.generate import generate_mini_ffpp
from errors import InputError


def test_real_faces_end_to_end(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces, out = tmp_path / "faces", tmp_path / "mini"
    faces.mkdir()
    clips = sorted((shared / "media" / "real_faces").glob("*.mp4"), key=lambda p: p.stat().st_size)
    for clip in clips[:7]:
        shutil.copy(clip, faces)
    (faces / "broken.mp4").write_bytes(clips[0].read_bytes()[:5000])
    shutil.copy(shared / "media" / "no_face.mp4", faces)
    content = generate_mini_ffpp(out, faces=faces, frames=4, size=128, workers=2)
    records = scan_ffpp(out, "c23").records
    assert len(records) == 6 + 4 * 6
    assert content["kind"] == "faces"
    reasons = {entry["file"]: entry["reason"] for entry in content["left_out"]}
    assert len(reasons) == 3
    assert "unreadable" in reasons["broken.mp4"]
    assert "a face in" in reasons["no_face.mp4"]
    told = " ".join(capsys.readouterr().err.split())
    assert "odd one out" in told
    assert all(
        json.loads((out / f"{split}.json").read_text()) for split in ("train", "val", "test")
    )
    assert not (out / ".prepared").exists()


def test_too_few_faces_among_enough_files(shared: Path, tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    for number in range(6):
        (faces / f"{number}.mp4").write_bytes(b"not a video")
    with pytest.raises(InputError, match="a face in 0 videos"):
        generate_mini_ffpp(tmp_path / "mini", faces=faces, frames=4, workers=1)
