import json
import shutil
from pathlib import Path

import pytest

from cli.main import main
from tests.support.runs import refused

FAKES = "manipulated_sequences/Deepfakes/c23/videos"


@pytest.fixture
def tree(tiny_ffpp: Path, tmp_path: Path) -> Path:
    root = tmp_path / "ffpp"
    shutil.copytree(tiny_ffpp, root)
    return root


def findings(root: Path, capsys: pytest.CaptureFixture[str], status: int) -> dict[str, dict]:
    """Return the findings of doctor by kind, and check its exit status."""
    argv = ["doctor", f"--root={root}", "--json", "--num-workers=1"]
    if status:
        with pytest.raises(SystemExit, match=str(status)):
            main(argv)
    else:
        main(argv)
    report = json.loads(capsys.readouterr().out)
    assert report["sound"] == (status == 0)
    return {finding["kind"]: finding for finding in report["findings"]}


def test_a_whole_tree_is_sound(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not findings(tree, capsys, 0)
    main(["doctor", f"--root={tree}", "--num_workers=1"])
    printed = capsys.readouterr().out
    assert "NeuralTextures" in printed
    assert "sound" in printed


def test_damage_is_found_by_its_kind(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, empty, cut, copied, copy = sorted((tree / FAKES).glob("*.mp4"))[:5]
    missing.unlink()
    empty.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[:-300])
    shutil.copyfile(copied, copy)
    found = findings(tree, capsys, 1)
    assert found["missing"]["videos"] == [f"Deepfakes/{missing.stem}"]
    assert found["duplicate"]["videos"] == [f"c23/Deepfakes/{p.stem}" for p in (copied, copy)]
    damaged = " ".join(v for k in ("unreadable", "short") if k in found for v in found[k]["videos"])
    assert f"{empty.stem}: empty file" in damaged
    assert cut.stem in damaged


def test_a_missing_method_is_a_warning(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(tree / "manipulated_sequences" / "FaceSwap" / "c23")
    assert findings(tree, capsys, 0)["missing"]["videos"] == ["FaceSwap"]


def test_an_identity_in_two_splits_is_an_error(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = json.loads((tree / "train.json").read_text())
    (tree / "val.json").write_text(json.dumps(pairs[:1]))
    assert "is in two splits" in findings(tree, capsys, 1)["layout"]["message"]


def test_people_in_both_splits_of_celeb_df_are_a_warning(
    tiny_ffpp: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(tiny_ffpp.with_name("ffpp-celeb-df"), tmp_path / "celeb-df")
    assert "identity" not in findings(root, capsys, 0)
    listed = root / "List_of_testing_videos.txt"
    lines = listed.read_text().splitlines()
    real = next(line for line in lines if "Celeb-real/" in line)
    person = real.split("/")[-1].split("_")[0]
    listed.write_text("\n".join(line for line in lines if line != real))
    found = findings(root, capsys, 0)["identity"]
    assert found["level"] == "warning"
    assert found["videos"] == [person]


def test_a_codec_confound_is_a_warning(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in tree.glob("manipulated_sequences/*/c23/videos/*.mp4"):
        # Players skip this box, so the files grow without damage.
        path.write_bytes(path.read_bytes() + (50_000).to_bytes(4, "big") + b"free" + bytes(49_992))
    found = findings(tree, capsys, 0)
    assert "AUC 1.00" in found["confound"]["message"]
    assert found["confound"]["level"] == "warning"


def test_a_number_of_workers_below_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["doctor", f"--root={tmp_path}", "--num_workers=0"]
    assert "num_workers is 0: expected a number at least 1" in refused(argv, capsys)
