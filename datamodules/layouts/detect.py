from collections.abc import Callable, Sequence
from pathlib import Path

from datamodules.layouts.celeb_df import is_celeb_df, scan_celeb_df
from datamodules.layouts.celeb_df_pp import is_celeb_df_pp, scan_celeb_df_pp
from datamodules.layouts.deeper_forensics import is_deeper_forensics, scan_deeper_forensics
from datamodules.layouts.dfdc import is_dfdc, scan_dfdc
from datamodules.layouts.dfdc_preview import is_dfdc_preview, scan_dfdc_preview
from datamodules.layouts.ffpp import is_ffpp, scan_ffpp
from datamodules.layouts.folder import is_folder_layout, scan_folder
from datamodules.layouts.layout import Layout, reading_tree
from datamodules.layouts.video_list import scan_list
from errors import InputError

_SELECTABLE = "FaceForensics++ and DeeperForensics-1.0"
# Each: whether a tree is the data set, and its scan. The first that fits is taken.
_WHOLE: tuple[tuple[Callable[[Path], bool], Callable[[Path], Layout]], ...] = (
    (is_celeb_df_pp, scan_celeb_df_pp),
    (is_celeb_df, scan_celeb_df),
    (is_dfdc_preview, scan_dfdc_preview),
    (is_dfdc, scan_dfdc),
    (is_folder_layout, scan_folder),
)


def read_layout(
    root: Path | None,
    compression: str,
    methods: Sequence[str] | None = None,
    video_list: Path | None = None,
) -> Layout:
    """Detect the data set of a tree and list its videos, or read the list that names them.

    `compression` selects from FaceForensics++ and `methods` from it and from DeeperForensics-1.0,
    see `scan_ffpp` and `scan_deeper_forensics`.

    Raises:
        InputError: There is neither root nor list, the tree is no known data set, or one of them
            is incomplete or cannot be read.
    """
    if video_list is not None:
        if methods is not None:
            msg = f"{video_list}: methods can only be selected for {_SELECTABLE}"
            raise InputError(msg)
        with reading_tree(root or video_list.parent):
            return scan_list(video_list, root)
    root = require_root(root)
    with reading_tree(root):
        if is_deeper_forensics(root):
            return scan_deeper_forensics(root, methods)
        if is_ffpp(root):
            return scan_ffpp(root, compression, methods)
        for is_data_set, scan in _WHOLE:
            if is_data_set(root):
                if methods is not None:
                    msg = f"{root}: methods can only be selected for {_SELECTABLE}"
                    raise InputError(msg)
                return scan(root)
    msg = (
        f"{root}: no known data set; expected FaceForensics++ (original_sequences/ and "
        "manipulated_sequences/), Celeb-DF (Celeb-real/, YouTube-real/ and Celeb-synthesis/), DFDC "
        "(dfdc_train_part_0/ and so on) or its preview (dataset.json), DeeperForensics-1.0 "
        "(manipulated_videos/), or your own videos (real/ and fake/)"
    )
    raise InputError(msg)


def require_root(root: Path | None) -> Path:
    """Return the root; InputError if there is none, and no list either."""
    if root is None:
        msg = "neither --root nor --list: name the tree of a data set, or a list of videos"
        raise InputError(msg)
    return root
