import json
from dataclasses import dataclass
from pathlib import Path

from datamodules.layouts.record import VideoRecord
from errors import InputError

_LISTED = 5


@dataclass(frozen=True)
class Layout:
    """What a tree on disk holds, and what it should hold but does not.

    Attributes:
        dataset: Name of the data set.
        records: One record a video that is there.
        missing_methods: Methods of the protocol whose folder is not there.
        missing_videos: Videos that a split file or list names but that are not there, as
            "method/id".
        remarks: How the tree was understood, where that was a choice.
    """

    dataset: str
    records: tuple[VideoRecord, ...]
    missing_methods: tuple[str, ...] = ()
    missing_videos: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Everything worth telling the user about this tree, one line each."""
        lines = list(self.remarks)
        if self.missing_methods:
            lines.append(f"{self.dataset}: no folder for {', '.join(self.missing_methods)}")
        if self.missing_videos:
            listed = ", ".join(self.missing_videos[:_LISTED])
            rest = len(self.missing_videos) - _LISTED
            more = f" and {rest} more" if rest > 0 else ""
            count = len(self.missing_videos)
            lines.append(f"{self.dataset}: {count} of the listed videos not there: {listed}{more}")
        return lines


def existing_root(root: Path) -> Path:
    """Check that `root` is a folder.

    Raises:
        InputError: It is not.
    """
    if not root.is_dir():
        msg = f"{root}: no such folder; expected the root of a data set"
        raise InputError(msg)
    return root


def videos_in(folder: Path, images: bool) -> list[Path]:
    """List the videos of a folder, or its folders of images, by name."""
    if images:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    return sorted(folder.glob("*.mp4"))


def dataset_name(root: Path, official: str) -> str:
    """Name the data set: `official`, unless a miniature's marker says otherwise.

    A miniature lies in exactly the official tree; without the marker's name its figures would
    be shown as the real data set's.

    Raises:
        InputError: The marker cannot be read.
    """
    marker = root / "MINIATURE.json"
    if not marker.exists():
        return official
    try:
        name = json.loads(marker.read_text(encoding="utf-8"))["dataset"]
    except (OSError, ValueError, KeyError, TypeError):
        name = None
    if not isinstance(name, str) or not name.startswith("mini-") or Path(name).name != name:
        msg = f'{marker}: expected {{"dataset": "mini-..."}}; generate the miniature again'
        raise InputError(msg)
    return name
