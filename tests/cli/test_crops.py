import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.main import main
from datamodules.crops.store import CropStore


@pytest.fixture
def png_tree(tiny_crops: Path, tiny_ffpp: Path, tmp_path: Path) -> Path:
    """The tiny crops as DeepfakeBench lays them out."""
    store = CropStore(tiny_crops)
    root = tmp_path / "FaceForensics++"
    shutil.copytree(tiny_ffpp, root, ignore=shutil.ignore_patterns("*_sequences", "masks"))
    rows = store.manifest[store.manifest["dataset"].astype(str).str.contains("Face")]
    for index, row in rows.iterrows():
        kind = (
            "original_sequences/youtube"
            if row["label"] == 0
            else (f"manipulated_sequences/{row['method']}")
        )
        folder = root / kind / "c23" / "frames" / row["video"]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(store.crop(int(index))).save(folder / f"{row['frame']:03d}.png")
    return root


def test_imported_crops_are_the_files_pixels(
    png_tree: Path, tiny_crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "store"
    damaged = next((png_tree / "original_sequences/youtube/c23/frames").glob("*/*.png"))
    damaged.write_bytes(damaged.read_bytes()[:20])
    words = ["crops", "import", f"--root={png_tree}", f"--out={out}", "--size=64"]
    main(words)
    assert "unreadable images: 1" in capsys.readouterr().out
    main(words)
    assert "0 videos imported by this command" in capsys.readouterr().out
    store, source = CropStore(out), CropStore(tiny_crops)
    key = ["method", "video", "frame"]
    ours = store.manifest.astype(dict.fromkeys(key[:2], str)).reset_index().set_index(key)
    theirs = source.manifest[source.manifest["split"] != ""]
    theirs = theirs[theirs["dataset"] == store.manifest["dataset"].iloc[0]]
    theirs = theirs.astype(dict.fromkeys(key[:2], str)).reset_index().set_index(key)
    assert len(ours) == len(theirs) - 1
    for at, index in ours["index"].items():
        np.testing.assert_array_equal(store.crop(int(index)), source.crop(int(theirs["index"][at])))
    main(["crops", "check", f"--store={out}"])
    assert f"{len(ours)} of {len(ours)} crops are as extracted" in capsys.readouterr().out


def test_check_names_what_was_altered_or_moved(
    tiny_crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(tiny_crops, store)
    altered, moved = sorted(store.rglob("*.blosc"))[:2]
    content = bytearray(altered.read_bytes())
    content[-1] ^= 1
    altered.write_bytes(content)
    moved.rename(store / "elsewhere.blosc")
    with pytest.raises(SystemExit) as exit_:
        main(["crops", "check", f"--store={store}"])
    assert exit_.value.code == 1
    printed = capsys.readouterr().out
    assert f"{altered}: cut short or altered" in printed
    assert f"{moved}: No such file or directory" in printed


def test_the_contact_sheet_shows_every_method(tiny_crops: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    main(["crops", "show", f"--store={tiny_crops}", f"--out={sheet}", "--columns=3", "--side=32"])
    methods = CropStore(tiny_crops).manifest.groupby(["dataset", "method"], observed=True).ngroups
    picture = np.asarray(Image.open(sheet))
    assert picture.shape == (methods * (32 + 14), 3 * 32, 3)
    assert all(picture[row * 46 + 14 : row * 46 + 46].std() > 10 for row in range(methods))


def test_a_split_that_is_not_there_is_told(
    tiny_crops: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["crops", "show", f"--store={tiny_crops}", "--split=training"])
    assert "nothing to show; expected a split of" in capsys.readouterr().err
