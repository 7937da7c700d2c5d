import json
import shutil
from pathlib import Path

import pytest

from datamodules.layouts.ffpp import scan_ffpp
from datamodules.mini_ffpp.ffpp import MiniFFPP
from datamodules.mini_ffpp.people import FFPP, Population


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
    record = MiniFFPP(out, Population(0, FFPP, 4, 128), faces=faces).generate(workers=2)
    records = scan_ffpp(out, "c23").records
    assert len(records) == 6 + 4 * 6
    assert record.kind == "faces"
    reasons = {unused.file: unused.reason for unused in record.left_out}
    assert len(reasons) == 3
    assert "unreadable" in reasons["broken.mp4"]
    assert "a face in" in reasons["no_face.mp4"]
    assert "odd number of people" in " ".join(capsys.readouterr().err.split())
    assert all(
        json.loads((out / f"{split}.json").read_text()) for split in ("train", "val", "test")
    )
    assert not (out / ".prepared").exists()
