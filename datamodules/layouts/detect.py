from collections.abc import Sequence
from pathlib import Path

from datamodules.layouts.celeb_df import is_celeb_df, scan_celeb_df
from datamodules.layouts.ffpp import is_ffpp, scan_ffpp
from datamodules.layouts.folder import is_folder_layout, scan_folder
from datamodules.layouts.layout import Layout, reading_tree
from errors import InputError


def read_layout(root: Path, compression: str, methods: Sequence[str] | None = None) -> Layout:
    """Detect the data set of a tree and list its videos.

    `compression` and `methods` select from FaceForensics++, see `scan_ffpp`.

    Raises:
        InputError: The tree is no known data set, is incomplete, or cannot be read.
    """
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
