from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from datamodules.crops.store import CropStore
from errors import InputError
from records.files import replacing

_TITLE = 14


def write_sheet(
    store: CropStore, out: Path, split: str | None, columns: int, side: int
) -> tuple[int, int]:
    """Draw a PNG with a titled row of faces per data set, compression and method.

    Returns:
        Number of rows and of faces.

    Raises:
        InputError: No crop is selected, or the file cannot be written.
    """
    manifest = store.manifest
    if split is not None:
        manifest = manifest[manifest["split"] == split]
    if not 1 <= columns <= 100 or not 16 <= side <= 1024 or manifest.empty:
        available = ", ".join(map(str, store.manifest["split"].unique()))
        msg = (
            f"{store.root}: nothing to show; expected a split of {available}, 1 to 100 columns and "
            "a side of 16 to 1024 px"
        )
        raise InputError(msg)
    groups = list(manifest.groupby(["dataset", "compression", "label", "method"], observed=True))
    sheet = Image.new("RGB", (columns * side, len(groups) * (side + _TITLE)), "white")
    draw = ImageDraw.Draw(sheet)
    drawn = 0
    for line, ((dataset, compression, label, method), rows) in enumerate(groups):
        top = line * (side + _TITLE)
        counts = f"{rows['video'].nunique()} videos, {len(rows)} crops"
        title = f"{dataset} {compression} {method}: {'fake' if label else 'real'}, {counts}"
        draw.text((2, top + 1), title, fill="black")
        # The rows of a video are adjacent, so evenly spaced rows show different videos.
        spaced = np.linspace(0, len(rows) - 1, min(columns, len(rows))).round().astype(int)
        for column, index in enumerate(rows.index[spaced]):
            face = Image.fromarray(store.crop(int(index))).resize((side, side))
            sheet.paste(face, (column * side, top + _TITLE))
            drawn += 1
    with replacing(out) as partial:
        sheet.save(partial, format="PNG")
    return len(groups), drawn
