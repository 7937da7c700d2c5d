from collections.abc import Sequence
from pathlib import Path

from datamodules.layouts.celeb_df import is_celeb_df, scan_celeb_df
from datamodules.layouts.ffpp import is_ffpp, scan_ffpp
from datamodules.layouts.folder import is_folder_layout, scan_folder
from datamodules.layouts.layout import Layout, reading_tree
from errors import InputError

_ONE_COMPRESSION = ((is_celeb_df, scan_celeb_df), (is_folder_layout, scan_folder))
"""How to recognize and read each data set that has a single compression."""


def read_layout(root: Path, compression: str, methods: Sequence[str] | None = None) -> Layout:
    """Detect the data set of a tree and list its videos.

    Args:
        root: Root of FaceForensics++, of Celeb-DF v1 or v2, or a folder with real/ and fake/.
        compression: Compression of FaceForensics++: "raw", "c23" or "c40".
        methods: Forgery methods of FaceForensics++, see `scan_ffpp`.

    Raises:
        InputError: The tree is no known data set, is incomplete, or cannot be read.
    """
    with reading_tree(root):
        if is_ffpp(root):
            return scan_ffpp(root, compression, methods)
        scan = next((scan for detect, scan in _ONE_COMPRESSION if detect(root)), None)
        if scan is not None and methods is not None:
            msg = f"{root}: methods can only be selected for FaceForensics++"
            raise InputError(msg)
        if scan is not None:
            return scan(root)
    msg = (
        f"{root}: neither FaceForensics++ (expected original_sequences/ and "
        "manipulated_sequences/) nor Celeb-DF (expected Celeb-real/, YouTube-real/ and "
        "Celeb-synthesis/) nor your own videos (expected real/ and fake/)"
    )
    raise InputError(msg)
