from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from datamodules.crops.store import CropStore
from errors import InputError

_TITLE = 14


def write_sheet(
    store: CropStore, out: Path, split: str | None, columns: int, side: int
) -> tuple[int, int]:
    """Draw faces of every data set, compression and method, a titled row each.

    Args:
        store: The crops.
        out: PNG to write.
        split: Only this one.
        columns: Faces in a row, from as many videos as there are.
        side: Side of a face, pixels.

    Returns:
        Rows and faces drawn.

    Raises:
        InputError: There is no such crop, or the file cannot be written.
    """
    manifest = store.manifest
    if split is not None:
        manifest = manifest[manifest["split"] == split]
    if columns < 1 or side < 16 or manifest.empty:
        there = ", ".join(map(str, store.manifest["split"].unique()))
        msg = (
            f"{store.root}: nothing to show; expected a split of {there}, 1 column or more and a "
            f"side of 16 px or more"
        )
        raise InputError(msg)
    groups = list(manifest.groupby(["dataset", "compression", "label", "method"], observed=True))
    sheet = Image.new("RGB", (columns * side, len(groups) * (side + _TITLE)), "white")
    draw = ImageDraw.Draw(sheet)
    drawn = 0
    for line, ((dataset, compression, label, method), rows) in enumerate(groups):
        top = line * (side + _TITLE)
        videos = rows["video"].nunique()
        kind = "fake" if label else "real"
        title = f"{dataset} {compression} {method}: {kind}, {videos} videos, {len(rows)} crops"
        draw.text((2, top + 1), title, fill="black")
        # Rows of one video lie together, so evenly spaced ones are of different videos.
        places = np.linspace(0, len(rows) - 1, min(columns, len(rows))).round().astype(int)
        for column, index in enumerate(rows.index[places]):
            face = Image.fromarray(store.crop(int(index))).resize((side, side))
            sheet.paste(face, (column * side, top + _TITLE))
            drawn += 1
    try:
        sheet.save(out, format="PNG")
    except OSError as error:
        msg = f"{out}: cannot be written ({error.strerror or error}); give another --out"
        raise InputError(msg) from error
    return len(groups), drawn
