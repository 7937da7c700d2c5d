import os
import shutil
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import numpy as np
import pytest
from PIL import Image

from cli.main import main
from datamodules.crops.manifest import slice_names
from datamodules.crops.store import CropStore
from tests.support.runs import refused

LOCK = """
import sys
from pathlib import Path
from datamodules.crops.folder_lock import FolderLock

with FolderLock(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def png_tree(tiny_crops: Path, tiny_ffpp: Path, tmp_path: Path) -> Path:
    """The tiny crops in the folders of DeepfakeBench."""
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
    argv = ["crops", "import", f"--root={png_tree}", f"--out={out}", "--size=64"]
    main(argv)
    assert "unreadable images: 1" in capsys.readouterr().out
    main(argv)
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


@pytest.mark.parametrize(
    "option", ["split=training", "columns=0", "side=8", "side=100000", "columns=x"]
)
def test_a_sheet_of_nothing_is_refused(
    noise_crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    out = tmp_path / "sheet.png"
    message = refused(
        ["crops", "show", f"--store={noise_crops}", f"--out={out}", f"--{option}"], capsys
    )
    assert option.split("=")[0] in message
    assert not out.exists()


def test_a_sheet_that_cannot_be_written_is_refused(
    noise_crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "sheet.png"
    for out, reason in ((tmp_path, "a folder"), (below, "cannot be written")):
        argv = ["crops", "show", f"--store={noise_crops}", f"--out={out}"]
        assert f"{out}: {reason}" in refused(argv, capsys)


@pytest.mark.parametrize("action", ["show", "check"])
def test_a_folder_that_is_no_store_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    message = refused(["crops", action, f"--store={tmp_path}"], capsys)
    assert f"{tmp_path / 'store.json'}: no such file" in message


def test_check_names_a_fifo_instead_of_waiting_for_it(
    noise_crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Path(shutil.copytree(noise_crops, tmp_path / "store"))
    file = next(store.rglob("*.blosc"))
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(SystemExit, match="1"):
        main(["crops", "check", f"--store={store}"])
    assert f"{file}: " in capsys.readouterr().out


@pytest.fixture
def image_tree(tmp_path: Path) -> Path:
    """A tree of Celeb-DF with one video of four images per folder."""
    root = tmp_path / "Celeb-DF-v2"
    image = np.zeros((20, 20, 3), dtype=np.uint8)
    for video in ("Celeb-real/frames/id0_0000", "Celeb-synthesis/frames/id0_id1_0000"):
        (root / video).mkdir(parents=True)
        for frame in range(4):
            Image.fromarray(image).save(root / video / f"{frame:03d}.png")
    (root / "List_of_testing_videos.txt").write_text("1 Celeb-real/id0_0000.mp4\n")
    return root


def test_files_that_are_no_images_are_counted(
    image_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = image_tree / "Celeb-real" / "frames" / "id0_0000"
    for name, make in (
        ("004.png", os.mkfifo),
        ("005.png", lambda path: path.symlink_to("elsewhere")),
        ("006.png", Path.mkdir),
        ("007.png", Path.touch),
        ("008.png", lambda path: path.write_text("text")),
    ):
        make(frames / name)
    (frames / "notes.txt").touch()
    main(["crops", "import", f"--root={image_tree}", f"--out={tmp_path / 'store'}", "--size=16"])
    printed = capsys.readouterr().out
    assert "2 videos, 8 crops in all" in printed
    assert "unreadable images: 5" in printed


def test_images_of_celeb_df_pp_are_read_by_method(
    image_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes = image_tree / "Celeb-synthesis"
    (fakes / "FaceSwap" / "BlendFace").mkdir(parents=True)
    (fakes / "frames").rename(fakes / "FaceSwap" / "BlendFace" / "frames")
    root = image_tree.rename(tmp_path / "Celeb-DF-pp")
    main(["crops", "import", f"--root={root}", f"--out={tmp_path / 'store'}", "--size=16"])
    assert "2 videos, 8 crops in all" in capsys.readouterr().out
    manifest = CropStore(tmp_path / "store").manifest
    assert set(manifest["dataset"]) == {"Celeb-DF++"}
    assert set(manifest["method"]) == {"Celeb-real", "BlendFace"}


def test_images_that_were_added_to_a_folder_are_imported(
    image_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["crops", "import", f"--root={image_tree}", f"--out={tmp_path / 'store'}", "--size=16"]
    main(argv)
    frames = image_tree / "Celeb-real" / "frames" / "id0_0000"
    shutil.copy(frames / "003.png", frames / "004.png")
    main(argv)
    assert "1 videos imported by this command\n2 videos, 9 crops" in capsys.readouterr().out


def test_a_folder_that_another_process_writes_into_is_refused(
    image_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    argv = ["crops", "import", f"--root={image_tree}", f"--out={store}", "--size=16"]
    with Popen([sys.executable, "-c", LOCK, store], stdin=PIPE, stdout=PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        assert "another extraction or import is writing into it" in refused(argv, capsys)
        assert not (store / "store.json").exists()
    main(argv)
    assert len(CropStore(store)) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size=8"], "size is 8: expected a number at least 16"),
        (["--root=nowhere"], "nowhere: no such folder"),
        (["--root=."], "no crops; expected original_sequences/"),
    ],
)
def test_a_wrong_import_is_refused(
    image_tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "store"
    argv = ["crops", "import", f"--root={image_tree}", f"--out={out}", *options]
    assert message in refused(argv, capsys)
    assert not out.exists()


def test_face_images_come_in_by_a_list(
    image_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        "path,label,method,split,identity,source,video,skin_tone",
        "Celeb-real/frames/id0_0000,0,real,test,id0,,folder,dark",
        "Celeb-synthesis/frames/id0_id1_0000/002.png,1,fake,test,id0,id1,image,light",
    ]
    faces, store = image_tree / "faces.csv", tmp_path / "store"
    faces.write_text("\n".join(rows))
    argv = ["crops", "import", f"--list={faces}", f"--out={store}", "--size=16"]
    main(argv)
    manifest = CropStore(store).manifest
    assert manifest["video"].astype(str).tolist() == ["image"] + 4 * ["folder"]
    assert manifest["frame"].tolist() == [2, 0, 1, 2, 3]
    assert slice_names(manifest) == ["skin_tone"]
    assert manifest["skin_tone"].astype(str).tolist() == ["light"] + 4 * ["dark"]
    capsys.readouterr()
    faces.write_text("\n".join(rows).replace("light", "medium"))
    made = {path: path.stat().st_mtime_ns for path in store.rglob("*.blosc")}
    main(argv)
    assert "0 videos imported by this command" in capsys.readouterr().out
    assert set(CropStore(store).manifest["skin_tone"]) == {"dark", "medium"}
    assert made == {path: path.stat().st_mtime_ns for path in store.rglob("*.blosc")}
