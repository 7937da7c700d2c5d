"""The rules of docs/architecture.md: imports run downward, no circles, small files and folders."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = (
    "cli",
    "experiments",
    "training",
    "export",
    "callbacks",
    "evaluation",
    "lightning_modules",
    "datamodules",
    "records",
    "checking",
    "inference",
    "faces",
    "errors",
)
"""From the top floor down: a module imports from its own room or from a lower one."""

WIDE_FOLDERS = {"cli": 18, "datamodules/layouts": 18}
PURE = (
    "lightning_modules/networks",
    "lightning_modules/projectors",
    "lightning_modules/homogenization",
)


def sources() -> list[Path]:
    return [
        path.relative_to(ROOT)
        for room in ROOMS
        for path in sorted([*ROOT.glob(f"{room}.py"), *(ROOT / room).rglob("*.py")])
    ]


def module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Names of everything that a file imports, in functions too."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sources(), ids=str)
def test_imports_run_downward(path: Path) -> None:
    own = ROOMS.index(path.with_suffix("").parts[0])
    upward = [
        name
        for name in imported(path)
        if (room := name.split(".")[0]) in ROOMS and ROOMS.index(room) < own
    ]
    assert not upward


def test_no_import_circle() -> None:
    modules = {module_name(path): path for path in sources()}
    graph = {name: {i for i in imported(path) if i in modules} for name, path in modules.items()}
    while leaves := {name for name, targets in graph.items() if not targets}:
        graph = {name: targets - leaves for name, targets in graph.items() if name not in leaves}
    assert not graph, f"a circle among {sorted(graph)}"


@pytest.mark.parametrize("folder", PURE)
def test_the_method_knows_neither_lightning_nor_files(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        roots = {name.split(".")[0] for name in imported(path.relative_to(ROOT))}
        assert not roots & {"lightning", "pathlib", "datamodules", "records"}, path


def test_only_one_file_of_faces_knows_torch() -> None:
    with_torch = [
        path.name
        for path in (ROOT / "faces").rglob("*.py")
        if any(name.split(".")[0] in ("torch", "torchvision", "lightning", "facenet_pytorch")
               for name in imported(path.relative_to(ROOT)))
    ]  # fmt: skip
    assert len(with_torch) == 1


@pytest.mark.parametrize("path", sources(), ids=str)
def test_no_file_exceeds_250_lines(path: Path) -> None:
    assert len((ROOT / path).read_text().splitlines()) <= 250


def test_folders_hold_at_most_12_files() -> None:
    folders: dict[str, int] = {}
    for path in sources():
        if path.name != "__init__.py":
            folders[str(path.parent)] = folders.get(str(path.parent), 0) + 1
    too_wide = {f: n for f, n in folders.items() if n > WIDE_FOLDERS.get(f, 12)}
    assert not too_wide
