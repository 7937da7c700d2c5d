"""Sample crops: a strip of faces per method, showing the same identities where possible."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from datamodules.crops.store import CropStore
from records.identities import identity, shown_people

SIDE = 112  # px on the page
_FACES = 6


@dataclass(frozen=True)
class Strip:
    """A row of pictures of SIDE pixels, as a data URI; `panels` are written below each picture."""

    title: str
    note: str
    uri: str
    alt: str
    pictures: int
    panels: tuple[str, ...] = ()
    caption: str = ""


def contact_sheet(crops: CropStore) -> list[Strip]:
    """Return strips of test crops for each data set and method, reals first."""
    manifest = crops.manifest
    # The other tracks show other people of the videos.
    table = manifest[(manifest["split"] == "test") & (manifest["track"] == 0)]
    table = table.assign(person=shown_people(table).astype(str).map(identity))
    strips = []
    for dataset, of_dataset in table.groupby("dataset", sort=False):
        people = sorted(of_dataset["person"].unique())
        spread = np.linspace(0, len(people) - 1, min(_FACES, len(people))).round().astype(int)
        for (label, method), rows in of_dataset.groupby(["label", "method"], sort=True):
            chosen = _choose(rows, [people[i] for i in spread])
            kind = "fake" if label else "real"
            alt = f"{len(chosen)} {kind} face crops of {method} in {dataset}, one per test identity"
            uri = jpeg_uri([resize(crops.crop(row)) for row in chosen])
            strips.append(Strip(str(method), f"{kind}, {dataset}", uri, alt, len(chosen)))
    return strips


def _choose(rows: pd.DataFrame, people: list[str]) -> list[int]:
    """Return the middle crop of a video per person; other people replace missing ones."""
    by_person = dict(iter(rows.groupby("person")))
    chosen = [person for person in people if person in by_person]
    others = [person for person in by_person if person not in people]
    indices = []
    for person in (chosen + others)[:_FACES]:
        videos = by_person[person]
        first = videos.index[videos["video"] == videos["video"].iloc[0]]
        indices.append(int(first[len(first) // 2]))
    return indices


def resize(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize a crop `[S, S, 3]` to its size on the page."""
    return np.asarray(Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def jpeg_uri(pictures: Sequence[NDArray[np.uint8]]) -> str:
    """Return RGB pictures `[H, W, 3]` side by side, as the data URI of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(pictures, axis=1)).save(buffer, format="JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
