import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

from errors import InputError
from records.files import (
    read_record,
    read_text,
    read_yaml,
    replacing,
    sha256,
    write_file,
    write_record,
)
from tests.support.disk import full_after


class Point(Struct):
    x: int
    name: str = "origin"


def damage(kind: str, path: Path) -> None:
    """Put something else than a text file at a path."""
    make: dict[str, Callable[[], object]] = {
        "missing": lambda: None,
        "folder": path.mkdir,
        "FIFO": lambda: os.mkfifo(path),
        "dangling link": lambda: path.symlink_to("nowhere"),
        "not UTF-8": lambda: path.write_bytes(b"\xff\xfe\x00"),
    }
    make[kind]()


@pytest.mark.parametrize("kind", ["missing", "folder", "FIFO", "dangling link", "not UTF-8"])
@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_what_is_no_text_file_is_refused_in_one_line(
    kind: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"point.{suffix}"
    damage(kind, path)
    read = read_record if suffix == "json" else read_yaml
    with pytest.raises(InputError) as refusal:
        read(path, Point, "a point", "write it again")
    message = str(refusal.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith("expected a point: write it again")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"x": 1', "cut short or not JSON"),
        ("", "cut short or not JSON"),
        ('{"x": "one"}', "$.x"),
        ('{"name": "a"}', "missing required field `x`"),
        ("[]", "Expected `object`, got `array`"),
    ],
)
def test_a_damaged_record_names_file_and_field(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "point.json"
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_record(path, Point, "a point", "write it again")
    assert str(refusal.value).startswith(f"{path}: ")
    assert expected in str(refusal.value)


@pytest.mark.parametrize("text", ["x: [", "x: 2021-02-30", "[" * 2000], ids=["cut", "date", "deep"])
def test_what_is_no_yaml_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "point.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"not YAML \(.*\), expected a point: write it again"):
        read_yaml(path, Point, "a point", "write it again")


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "point.json"
    write_record(path, Point(3, "ä"))
    assert read_record(path, Point, "a point", "") == Point(3, "ä")
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_record(path, Point, "a point", "") == Point(3, "ä")


def test_an_exception_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_file(path, "old")

    def fail_halfway() -> None:
        with replacing(path) as partial:
            partial.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert read_text(path, "", "") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line_and_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    write_file(path, b"old")
    with full_after(1000), pytest.raises(InputError, match="cannot be written"):
        write_file(path, bytes(5000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", [".", "folder"])
def test_a_folder_is_not_replaced(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="a folder, expected the name of a file"):
        write_file(Path(name), "text")


@pytest.mark.parametrize("parent", ["a file", "a folder that is a file"])
def test_a_parent_that_is_a_file_is_refused(parent: str, tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_text("")
    path = blocker / "file.txt" if parent == "a file" else blocker / "folder" / "file.txt"
    with pytest.raises(InputError, match="cannot be written"):
        write_file(path, "text")
