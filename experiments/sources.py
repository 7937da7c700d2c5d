"""The data of a reproduction: data sets or miniatures, and their crop store."""

import hashlib
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import structs

from datamodules.crops.ledger import read_extraction
from datamodules.crops.manifest import MANIFEST
from datamodules.crops.store import CropStore
from datamodules.mini_ffpp.miniature import MARKER, read_miniature
from errors import InputError
from records.data_info import DataInfo


@dataclass(frozen=True)
class Sources:
    """The roots of FaceForensics++ (or its miniature) and Celeb-DF, and their crop store.

    Attributes:
        test_crops: Further crop stores, on whose test splits all runs are tested too.
    """

    ffpp: Path
    celeb_df: Sequence[Path]
    crops: Path
    compression: Literal["raw", "c23", "c40"]
    test_crops: Sequence[Path] = ()

    @property
    def manifest_hash(self) -> str:
        """Hash of the crop store's manifest: it names the rendering, see `CropStore`."""
        return CropStore(self.crops).manifest_hash

    def tested_elsewhere(self) -> dict[str, str]:
        """Return the manifest hashes of the further stores, by the names of their folders.

        Raises:
            InputError: A store is missing, unfinished or damaged.
        """
        for folder in self.test_crops:
            require_crops(folder, "extract them first, or omit the store from --test_crops")
        return {store.resolve().name: CropStore(store).manifest_hash for store in self.test_crops}

    def settings(self) -> dict[str, Any]:
        """Return what determines `crops`, apart from the processor that renders and extracts them.

        Raises:
            InputError: A record of the crop store or of a miniature is damaged or was edited.
        """
        crops = structs.asdict(CropStore(self.crops).settings)
        found: dict[str, Any] = {"compression": self.compression, "crops": crops}
        for root in (self.ffpp, *self.celeb_df):
            if (root / MARKER).exists():
                made = read_miniature(root)
                parameters: dict[str, Any] = dict(made.parameters)
                if "faces" in parameters:  # names and sizes of a user's files
                    listed = msgspec.json.encode(parameters["faces"], order="sorted")
                    parameters["faces"] = hashlib.sha256(listed).hexdigest()[:16]
                found[made.dataset] = {
                    "seed": made.seed,
                    "version": made.version,
                    "parameters": parameters,
                    "amounts": made.amounts,
                }
        return found


def describe_data(sources: Sources, folder: Path) -> DataInfo:
    """Return the `data` block of the results.json in a reproduction's folder.

    Raises:
        InputError: A record of the crop store or of the miniature is damaged or was edited.
    """
    store = CropStore(sources.crops)
    manifest = store.manifest
    extraction = read_extraction(sources.crops)
    videos = manifest.drop_duplicates(["dataset", "compression", "method", "video"])
    splits = videos["dataset"].astype(str) + "/" + videos["split"].astype(str)
    data = DataInfo(
        name=str(manifest.loc[manifest["split"] == "val", "dataset"].iloc[0]),
        compression=sources.compression,
        videos={str(split): int(n) for split, n in splits.value_counts().items()},
        crops=len(manifest),
        frames_without_face=len(extraction.frames_without_face),
        manifest_sha256=store.manifest_hash,
        store=structs.asdict(store.settings),
        extraction=extraction,
        crop_store=os.path.relpath(sources.crops.resolve(), folder.resolve()),
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    )
    if not (sources.ffpp / MARKER).exists():
        return data
    made = read_miniature(sources.ffpp)
    control = made.confound_control.get(sources.compression)
    return structs.replace(data, miniature=True, kind=made.kind, confound_control=control)


def require_crops(crops: Path, remedy: str) -> None:
    """Check that a crop store is finished.

    Raises:
        InputError: It is missing, or its extraction has not finished.
    """
    if not (crops / MANIFEST).is_file() or not read_extraction(crops).complete:
        msg = f"{crops}: expected the crops of all videos: {remedy}"
        raise InputError(msg)
