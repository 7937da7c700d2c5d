import json
from collections.abc import Callable
from pathlib import Path

import pytest

PAIRS = {
    "train": [["071", "054"], ["087", "081"]],
    "val": [["720", "672"]],
    "test": [["953", "974"]],
}
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


def _touch(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / f"{name}.mp4").touch()


@pytest.fixture
def ffpp_tree(tmp_path: Path) -> Callable[..., Path]:
    """Make a FaceForensics++ tree of empty files: only their names matter to a layout."""

    def make(
        compression: str = "c23",
        youtube: str = "youtube",
        splits: str = ".",
        methods: tuple[str, ...] = METHODS,
    ) -> Path:
        root = tmp_path / "ffpp"
        pairs = [pair for of_split in PAIRS.values() for pair in of_split]
        originals = root / "original_sequences" / youtube / compression / "videos"
        _touch(originals, [video for pair in pairs for video in pair])
        for method in methods:
            fakes = root / "manipulated_sequences" / method / compression / "videos"
            _touch(fakes, [name for a, b in pairs for name in (f"{a}_{b}", f"{b}_{a}")])
        (root / splits).mkdir(exist_ok=True)
        for split, of_split in PAIRS.items():
            (root / splits / f"{split}.json").write_text(json.dumps(of_split))
        return root

    return make


@pytest.fixture
def celeb_df_tree(tmp_path: Path) -> Callable[..., Path]:
    """Make a Celeb-DF tree of empty files with three videos in its test list."""

    def make(
        name: str = "Celeb-DF-v2",
        level: str = ".",
        youtube: str = "YouTube-real",
        line_end: str = "\n",
        last_end: str = "",
    ) -> Path:
        root = tmp_path / name
        _touch(root / "Celeb-real" / level, ["id0_0000", "id1_0005"])
        _touch(root / youtube / level, ["00170", "00208"])
        _touch(root / "Celeb-synthesis" / level, ["id0_id1_0000", "id1_id0_0005"])
        lines = [
            f"1 {youtube}/00170.mp4",
            "1 Celeb-real/id1_0005.mp4",
            "0 Celeb-synthesis/id1_id0_0005.mp4",
        ]
        text = line_end.join(lines) + last_end
        (root / "List_of_testing_videos.txt").write_bytes(text.encode())
        return root

    return make
