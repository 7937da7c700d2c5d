"""Sample crops: a strip of faces a method, the same identities one above the other."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from records.identities import identity

FACES = 6
SIDE = 112  # px on the page
_QUALITY = 88  # of JPEG

Crop = Callable[[int], NDArray[np.uint8]]


class CropSource(Protocol):
    """What is needed of a crop store: its manifest, and a crop by its row in the manifest."""

    @property
    def manifest(self) -> pd.DataFrame:
        """One row a crop: dataset, method, video, label, split, row, …."""

    def crop(self, index: int, /) -> NDArray[np.uint8]:
        """Crop [S, S, 3], RGB, of one row of the manifest."""


@dataclass(frozen=True)
class Strip:
    """A row of faces of one method."""

    dataset: str
    method: str
    fake: bool
    uri: str
    alt: str
    faces: int


def contact_sheet(manifest: pd.DataFrame, crop: Crop) -> list[Strip]:
    """Strips of test crops for each data set and method, the reals first.

    Args:
        manifest: The crop store's table, one row a crop.
        crop: Gives the uint8 crop [S, S, 3] of a row number of the manifest.
    """
    table = manifest.reset_index(drop=True)
    if (table["split"] == "test").any():
        table = table[table["split"] == "test"]
    strips = []
    for dataset, of_dataset in table.groupby("dataset", sort=False):
        people = _spread(sorted({identity(video) for video in of_dataset["video"].astype(str)}))
        methods = of_dataset.groupby(["label", "method"], sort=True)
        for (label, method), rows in methods:
            faces = [crop(index) for index in _choose(rows, people)]
            strips.append(_strip(str(dataset), str(method), bool(label), faces))
    return strips


def _spread(items: list[str]) -> list[str]:
    places = np.linspace(0, len(items) - 1, min(FACES, len(items))).round().astype(int)
    return [items[place] for place in places]


def _choose(rows: pd.DataFrame, people: list[str]) -> list[int]:
    """Middle crop of a video of each person; of others where the method lacks one."""
    by_person = dict(iter(rows.groupby(rows["video"].astype(str).map(identity))))
    others = [person for person in by_person if person not in people]
    chosen = [person for person in people if person in by_person]
    chosen += others[: min(FACES, len(by_person)) - len(chosen)]
    indices = []
    for person in chosen:
        video = by_person[person]
        first = video[video["video"] == video["video"].iloc[0]]
        indices.append(int(first.index[len(first) // 2]))
    return indices


def _strip(dataset: str, method: str, fake: bool, faces: list[NDArray[np.uint8]]) -> Strip:
    sheet = Image.new("RGB", (SIDE * len(faces), SIDE))
    for i, face in enumerate(faces):
        sheet.paste(
            Image.fromarray(face).resize((SIDE, SIDE), Image.Resampling.LANCZOS), (SIDE * i, 0)
        )
    buffer = io.BytesIO()
    sheet.save(buffer, format="JPEG", quality=_QUALITY)
    uri = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    kind = "fake" if fake else "real"
    alt = f"{len(faces)} {kind} face crops of {method} in {dataset}, one a test identity"
    return Strip(dataset, method, fake, uri, alt, len(faces))
