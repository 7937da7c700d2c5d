from pathlib import Path
from typing import Any

import pytest

from cli.mini_ffpp import mini_ffpp
from datamodules.mini_ffpp.generate import generate_mini_ffpp
from errors import InputError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": 0}, "--train 0"),
        ({"val": 3}, "--val 3"),
        ({"test": -2}, "--test -2"),
        ({"train": 2000}, "at most 1000"),
        ({"frames": 1}, "--frames 1"),
        ({"frames": 0}, "--frames 0"),
        ({"size": 255}, "--size 255"),
        ({"strength": -1.0}, "--strength -1"),
        ({"strength": float("nan")}, "--strength nan"),
        ({"seed": -1}, "--seed -1"),
        ({"workers": 0}, "--workers 0"),
        ({"celebrities": 7}, "--celebrities 7"),
    ],
)
def test_absurd_value_is_told_in_one_line_and_nothing_is_written(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    out = tmp_path / "mini"
    with pytest.raises(InputError, match=message) as told:
        mini_ffpp(out, **options)
    assert "\n" not in str(told.value)
    assert not out.exists()


def test_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="no miniature"):
        generate_mini_ffpp(tmp_path, train=2, val=2, test=2)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_file_as_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="this is a file"):
        generate_mini_ffpp(tmp_path / "file", train=2, val=2, test=2)


def test_other_settings_are_named(tiny: Path, tiny_settings: dict[str, int]) -> None:
    with pytest.raises(InputError, match="frames 2 instead of 6"):
        generate_mini_ffpp(tiny, **tiny_settings | {"frames": 6})


def test_one_data_set_inside_the_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither inside nor around"):
        mini_ffpp(tmp_path / "mini", celeb_df=tmp_path / "mini" / "celeb")


def test_folder_of_faces_missing_or_too_small(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        generate_mini_ffpp(tmp_path / "out", faces=tmp_path / "nowhere")
    (tmp_path / "faces").mkdir()
    with pytest.raises(InputError, match="0 videos"):
        generate_mini_ffpp(tmp_path / "out", faces=tmp_path / "faces")
    assert not (tmp_path / "out").exists()
