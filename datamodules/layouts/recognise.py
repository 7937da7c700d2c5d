from collections.abc import Sequence
from pathlib import Path

from datamodules.layouts.celeb_df import FOLDERS, LIST, scan_celeb_df
from datamodules.layouts.ffpp import scan_ffpp
from datamodules.layouts.layout import Layout, existing_root
from errors import InputError


def read_layout(root: Path, compression: str, methods: Sequence[str] | None = None) -> Layout:
    """List the videos of a tree after telling which data set's it is.

    Args:
        root: Root of FaceForensics++ or of Celeb-DF v1 or v2.
        compression: Of FaceForensics++: "raw", "c23" or "c40". Celeb-DF has one only.
        methods: Forgeries of FaceForensics++ to include, see `scan_ffpp`.

    Raises:
        InputError: The tree is neither, or is one with something wrong.
    """
    existing_root(root)
    if (root / "original_sequences").is_dir() or (root / "manipulated_sequences").is_dir():
        return scan_ffpp(root, compression, methods)
    known = (LIST, *(name for names in FOLDERS.values() for name in names))
    if any((root / name).exists() for name in known):
        if methods is not None:
            msg = f"{root}: methods can be chosen for FaceForensics++, this is Celeb-DF"
            raise InputError(msg)
        return scan_celeb_df(root)
    msg = (
        f"{root}: neither FaceForensics++ (expected original_sequences/ and "
        f"manipulated_sequences/) nor Celeb-DF (expected Celeb-real/, YouTube-real/ and "
        f"Celeb-synthesis/)"
    )
    raise InputError(msg)
