from collections.abc import Sequence
from pathlib import Path

from datamodules.layouts.celeb_df import FOLDERS, LIST, scan_celeb_df
from datamodules.layouts.ffpp import scan_ffpp
from datamodules.layouts.folder import is_folder_layout, scan_folder
from datamodules.layouts.layout import Layout, existing_root
from errors import InputError


def read_layout(root: Path, compression: str, methods: Sequence[str] | None = None) -> Layout:
    """List the videos of a tree after telling which data set's it is.

    Args:
        root: Root of FaceForensics++, of Celeb-DF v1 or v2, or a folder with real/ and fake/.
        compression: Of FaceForensics++: "raw", "c23" or "c40". The others have one only.
        methods: Forgeries of FaceForensics++ to include, see `scan_ffpp`.

    Raises:
        InputError: The tree is none of these, or is one with something wrong.
    """
    existing_root(root)
    if is_ffpp(root):
        return scan_ffpp(root, compression, methods)
    if methods is not None:
        msg = f"{root}: methods can be chosen for FaceForensics++, this is not it"
        raise InputError(msg)
    known = (LIST, *(name for names in FOLDERS.values() for name in names))
    if any((root / name).exists() for name in known):
        return scan_celeb_df(root)
    if is_folder_layout(root):
        return scan_folder(root)
    msg = (
        f"{root}: neither FaceForensics++ (expected original_sequences/ and "
        f"manipulated_sequences/) nor Celeb-DF (expected Celeb-real/, YouTube-real/ and "
        f"Celeb-synthesis/) nor your own videos (expected real/ and fake/)"
    )
    raise InputError(msg)


def is_ffpp(root: Path) -> bool:
    """Tell whether this looks like a tree of FaceForensics++."""
    return any((root / f"{kind}_sequences").is_dir() for kind in ("original", "manipulated"))
