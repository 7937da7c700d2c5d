import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodules.layouts.celeb_df import scan_celeb_df
from datamodules.layouts.detect import read_layout
from errors import InputError

Tree = Callable[..., Path]


@pytest.mark.parametrize("level", [".", "videos"])
@pytest.mark.parametrize("youtube", ["YouTube-real", "Youtube-real"])
@pytest.mark.parametrize(("line_end", "last_end"), [("\n", "\n"), ("\n", ""), ("\r\n", "\r\n")])
def test_every_spelling_of_the_tree_holds_the_same_videos(
    celeb_df_tree: Tree, level: str, youtube: str, line_end: str, last_end: str
) -> None:
    root = celeb_df_tree(level=level, youtube=youtube, line_end=line_end, last_end=last_end)
    layout = scan_celeb_df(root)
    records = {f"{one.dataset}/{one.method}/{one.video}": one for one in layout.records}
    assert {(key, record.split, record.label) for key, record in records.items()} == {
        ("Celeb-DF-v2/Celeb-real/id0_0000", "train", 0),
        ("Celeb-DF-v2/Celeb-real/id1_0005", "test", 0),
        ("Celeb-DF-v2/YouTube-real/00170", "test", 0),
        ("Celeb-DF-v2/YouTube-real/00208", "train", 0),
        ("Celeb-DF-v2/Celeb-synthesis/id0_id1_0000", "train", 1),
        ("Celeb-DF-v2/Celeb-synthesis/id1_id0_0005", "test", 1),
    }
    fake = records["Celeb-DF-v2/Celeb-synthesis/id1_id0_0005"]
    assert (fake.target, fake.source, fake.compression) == ("id1", "id0", "release")
    assert records["Celeb-DF-v2/YouTube-real/00170"].target is None


def test_the_version_comes_from_the_name_or_else_from_the_list(celeb_df_tree: Tree) -> None:
    assert scan_celeb_df(celeb_df_tree("Celeb-DF-v1")).dataset == "Celeb-DF-v1"
    layout = scan_celeb_df(celeb_df_tree("mine"))
    assert layout.dataset == "Celeb-DF-v1"
    assert "its list names 3 videos" in layout.lines()[0]


def test_a_miniature_keeps_its_own_name(celeb_df_tree: Tree) -> None:
    root = celeb_df_tree("mini")
    (root / "MINIATURE.json").write_text('{"dataset": "mini-Celeb-DF-v2"}')
    layout = read_layout(root, "c23")
    assert layout.dataset == "mini-Celeb-DF-v2"
    assert layout.lines() == []


def test_missing_folders_and_videos_are_reported(celeb_df_tree: Tree) -> None:
    root = celeb_df_tree()
    shutil.rmtree(root / "YouTube-real")
    layout = scan_celeb_df(root)
    assert layout.missing_methods == ("YouTube-real",)
    assert layout.missing_videos == ("YouTube-real/00170",)
    assert len(layout.records) == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 Celeb-real/id0_0000.mp4", "contradicts its folder"),
        ("1 Celeb-synthesis/id0_id1_0000.mp4", "contradicts its folder"),
        ("label path", "is not like"),
        ("1 elsewhere/00170.mp4", "is not like"),
    ],
)
def test_a_wrong_line_of_the_list_is_named(celeb_df_tree: Tree, line: str, message: str) -> None:
    root = celeb_df_tree(last_end="\n")
    with (root / "List_of_testing_videos.txt").open("a") as file:
        file.write(line)
    with pytest.raises(InputError, match=f"line 4: .*{message}"):
        scan_celeb_df(root)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | st.text().map(str.encode) | st.from_regex(rb"[01] .*/.*[.]mp4"))
def test_any_other_list_is_refused_in_one_line_or_read(
    tmp_path: Path, celeb_df_tree: Tree, content: bytes
) -> None:
    root = tmp_path / "Celeb-DF-v2"
    if not root.exists():
        celeb_df_tree()
    (root / "List_of_testing_videos.txt").write_bytes(content)
    try:
        layout = scan_celeb_df(root)
        assert len(layout.records) == 6
    except InputError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017  # it may also be read


def test_a_tree_without_its_list_or_folders_is_refused(celeb_df_tree: Tree, tmp_path: Path) -> None:
    root = celeb_df_tree()
    with pytest.raises(InputError, match="methods can only be selected"):
        read_layout(root, "c23", ["Deepfakes"])
    (root / "List_of_testing_videos.txt").unlink()
    with pytest.raises(InputError, match="the list of test videos that comes with"):
        read_layout(root, "c23")
    with pytest.raises(InputError, match="not a Celeb-DF tree"):
        scan_celeb_df(tmp_path)


def test_the_official_list_gives_the_official_counts(celeb_df_tree: Tree, shared: Path) -> None:
    root = celeb_df_tree("Celeb-DF")
    official = shared / "reference" / "celebdf_v2_List_of_testing_videos.txt"
    shutil.copyfile(official, root / "List_of_testing_videos.txt")
    for line in official.read_text().splitlines():
        (root / line.split()[1]).touch()
    layout = read_layout(root, "c23")
    assert layout.dataset == "Celeb-DF-v2"
    tested = Counter(record.method for record in layout.records if record.split == "test")
    assert tested == {"YouTube-real": 70, "Celeb-real": 108, "Celeb-synthesis": 340}
