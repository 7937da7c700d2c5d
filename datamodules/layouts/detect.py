from collections.abc import Sequence
from pathlib import Path

from datamodules.layouts.celeb_df import is_celeb_df, scan_celeb_df
from datamodules.layouts.ffpp import is_ffpp, scan_ffpp
from datamodules.layouts.folder import is_folder_layout, scan_folder
from datamodules.layouts.layout import Layout, reading_tree
from datamodules.layouts.video_list import scan_list
from errors import InputError


def read_layout(
    root: Path | None,
    compression: str,
    methods: Sequence[str] | None = None,
    video_list: Path | None = None,
) -> Layout:
    """Detect the data set of a tree and list its videos, or read the list that names them.

    `compression` and `methods` select from FaceForensics++, see `scan_ffpp`.

    Raises:
        InputError: There is neither root nor list, the tree is no known data set, or one of them
            is incomplete or cannot be read.
    """
    if video_list is not None:
        if methods is not None:
            msg = f"{video_list}: methods can only be selected for FaceForensics++"
            raise InputError(msg)
        with reading_tree(root or video_list.parent):
            return scan_list(video_list, root)
    root = require_root(root)
    with reading_tree(root):
        if is_ffpp(root):
            return scan_ffpp(root, compression, methods)
        scan = scan_celeb_df if is_celeb_df(root) else scan_folder
        if is_celeb_df(root) or is_folder_layout(root):
            if methods is not None:
                msg = f"{root}: methods can only be selected for FaceForensics++"
                raise InputError(msg)
            return scan(root)
    msg = (
        f"{root}: neither FaceForensics++ (expected original_sequences/ and "
        "manipulated_sequences/) nor Celeb-DF (expected Celeb-real/, YouTube-real/ and "
        "Celeb-synthesis/) nor your own videos (expected real/ and fake/)"
    )
    raise InputError(msg)


def require_root(root: Path | None) -> Path:
    """Return the root; InputError if there is none, and no list either."""
    if root is None:
        msg = "neither --root nor --list: name the tree of a data set, or a list of videos"
        raise InputError(msg)
    return root
