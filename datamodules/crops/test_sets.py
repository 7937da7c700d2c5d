"""The crops that a test pass scores: those of the trained store, and of further stores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.crops.face_crops import FaceCrops
from datamodules.crops.manifest import slice_names
from datamodules.crops.selection import select_tests
from datamodules.crops.store import CropStore
from datamodules.sampling import SAMPLED, Rows, evenly_spaced
from errors import InputError, near


@dataclass(frozen=True)
class TestSet:
    """Crops of one store that are scored.

    Attributes:
        rows: Rows of the store's manifest.
        names: The data sets' names in the results, by those in the store.
        first_row: Added to a row, so that no two stores share a number.
        first_video: Added to a video's code.
    """

    __test__ = False  # for pytest

    store: CropStore
    rows: Rows
    names: dict[str, str]
    first_row: int = 0
    first_video: int = 0

    @classmethod
    def of_store(cls, store: CropStore, rows: Rows) -> "TestSet":
        """Return rows of a store under the names of its own data sets."""
        return cls(store, rows, {name: name for name in store.manifest["dataset"].cat.categories})

    def crops(self, image_size: int, methods: list[str]) -> FaceCrops:
        """Return the crops, numbered over all stores; `methods` are those that are trained on."""
        first = self.first_row, self.first_video
        return FaceCrops(self.store, image_size, "none", methods, *first)


def further_test_sets(
    first: TestSet,
    stores: Sequence[CropStore],
    compressions: Sequence[str],
    image_size: int,
    frames_per_video: int | None,
) -> list[TestSet]:
    """Add the test splits of further stores to the rows of the first.

    A data set whose name is taken already gets the name of its store's folder in brackets: two
    renderings of the miniature are two test sets.

    Raises:
        InputError: A store is given twice, its crops are smaller than the images, or it lacks real
            or fake test crops at the compressions.
    """
    sets = [first]
    for store in stores:
        folder = store.root
        if any(folder.resolve() == other.store.root.resolve() for other in sets):
            msg = f"data.test_crops: {folder} is given twice: name each store once"
            raise InputError(msg)
        if image_size > store.size:
            msg = (
                f"data.test_crops: the crops of {folder} are only {store.size} px wide, but "
                f"data.image_size is {image_size}: extract larger ones into another folder"
            )
            raise InputError(msg)
        rows, last = select_tests(store, compressions), sets[-1]
        if frames_per_video is not None:
            rows = rows[evenly_spaced(store.manifest[SAMPLED].iloc[rows], frames_per_video)]
        taken = {name for other in sets for name in other.names.values()}
        names = {}
        for name in store.manifest["dataset"].iloc[rows].unique():
            names[name] = f"{name} ({folder.resolve().name})" if name in taken else str(name)
        if twice := taken & set(names.values()):
            msg = f"data.test_crops: {folder} is a second {min(twice)}: rename its folder"
            raise InputError(msg)
        first_video = last.first_video + int(last.store.videos.max()) + 1
        sets.append(TestSet(store, rows, names, last.first_row + len(last.store), first_video))
    return sets


def describe_rows(
    sets: Sequence[TestSet], rows: NDArray[np.int64], columns: Sequence[str]
) -> pd.DataFrame:
    """Return columns of the manifests for rows as they are numbered over all stores, ascending.

    A slice that a store lacks is "", unknown.
    """
    tables = []
    for one in sets:
        own = rows[(rows >= one.first_row) & (rows < one.first_row + len(one.store))]
        held = [name for name in columns if name in one.store.manifest]
        table = one.store.manifest[held].iloc[own - one.first_row]
        text = {name: str for name in held if isinstance(table[name].dtype, pd.CategoricalDtype)}
        table = table.astype(text).assign(**{name: "" for name in columns if name not in held})
        tables.append(table.assign(dataset=table["dataset"].replace(one.names)))
    return pd.concat(tables)[list(columns)].reset_index(drop=True)


def check_slices(sets: Sequence[TestSet], names: Sequence[str]) -> None:
    """Raise InputError for a slice that no store has."""
    known = list(dict.fromkeys(name for one in sets for name in slice_names(one.store.manifest)))
    for name in names:
        if name not in known:
            has = f"they have {', '.join(known)}" if known else "they have none"
            stores = ", ".join(str(one.store.root) for one in sets)
            msg = (
                f"data.slices: no column {name} in the manifest of {stores}; {has}"
                f"{near(name, known)}; extract with a list that has the column"
            )
            raise InputError(msg)
