from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from datamodules.crops.manifest import MANIFEST
from datamodules.crops.store import CropStore
from datamodules.layouts.record import SPLITS
from datamodules.sampling import Rows
from errors import InputError, near

RELEASE = "release"
"""Compression of the data sets that are published in a single one."""


def select_rows(
    store: CropStore,
    *,
    compressions: Sequence[str],
    test_compressions: Sequence[str] | None,
    methods: Sequence[str] | None,
    datasets: Sequence[str] | None,
    test_datasets: Sequence[str] | None,
) -> dict[str, Rows]:
    """Select the manifest rows of each split; arguments are those of `FaceForensicsDataModule`.

    Raises:
        InputError: A name does not occur in the store, a split lacks real or fake crops, or the
            manifest would leak what is trained or validated on into another split.
    """
    if not compressions:
        msg = "data.compression is empty: name one of raw, c23, c40"
        raise InputError(msg)
    manifest = store.manifest
    columns = ["dataset", "compression", "split", "label"]
    dataset, compression, split, label = (manifest[name] for name in columns)
    tested_at = test_compressions or compressions
    for option, names, available in (
        ("compression", compressions, compression),
        ("test_compressions", tested_at, compression),
        ("methods", methods, manifest["method"][label == 1]),
        ("datasets", datasets, dataset),
        ("test_datasets", test_datasets, dataset),
    ):
        _check_names(store, option, names, available.unique())
    trained = datasets or list(dataset[split == "val"].unique())
    if not trained:
        msg = f"{store.root} has no crop in the val split: extract a data set with all three splits"
        raise InputError(msg)
    is_trained = dataset.isin(trained)
    used = manifest["track"] == 0  # the other tracks show other people of the video
    if methods is not None:
        used &= (label == 0) | manifest["method"].isin(methods) | ~is_trained
    developed = used & is_trained & compression.isin([*compressions, RELEASE]) & (split != "test")
    tested = used & compression.isin([*tested_at, RELEASE])
    if test_datasets:
        tested &= dataset.isin(test_datasets)
    rows: dict[str, Rows] = {}
    for name in SPLITS:
        rows[name] = np.flatnonzero((tested if name == "test" else developed) & (split == name))
        _check_classes(store, name, rows[name], tested_at if name == "test" else compressions)
    _check_videos(store, developed)
    return rows


def select_tests(store: CropStore, compressions: Sequence[str]) -> Rows:
    """Select the test rows of a store that is only tested on, at these compressions or RELEASE.

    Raises:
        InputError: It has no real or no fake crop there.
    """
    manifest = store.manifest
    tested = (manifest["track"] == 0) & (manifest["split"] == "test")
    rows = np.flatnonzero(tested & manifest["compression"].isin([*compressions, RELEASE]))
    _check_classes(store, "test", rows, compressions)
    return rows


def _check_names(
    store: CropStore, option: str, names: Sequence[str] | None, available: Iterable[str]
) -> None:
    held = sorted(available)
    for name in names or ():
        if name not in held:
            has = f"it has {', '.join(held)}{near(name, held)}"
            msg = f"data.{option}: {store.root} has no crop of {name}, {has}"
            raise InputError(msg)


def _check_classes(store: CropStore, split: str, rows: Rows, compressions: Sequence[str]) -> None:
    labels = store.manifest["label"].to_numpy()[rows]
    for label, name in ((0, "real"), (1, "fake")):
        if not (labels == label).any():
            msg = (
                f"{store.root} has no {name} crop in the {split} split at compression "
                f"{', '.join(compressions)}: extract them with `two-in-one extract`"
            )
            raise InputError(msg)


def _check_videos(store: CropStore, developed: pd.Series) -> None:
    """Check that a video has one label, and no video or person of these rows another split.

    The people are the targets, and the sources that are targets of the data set too.
    """
    columns = ["dataset", "compression", "method", "video", "target", "source", "split", "label"]
    table = store.manifest[columns].assign(developed=developed)
    # The rows of a video are adjacent: comparing neighbours first saves most of the hashing.
    repeats = np.arange(len(table)) > 0
    for name, values in table.items():
        codes = (values if name in ("label", "developed") else values.cat.codes).to_numpy()
        repeats[1:] &= codes[1:] == codes[:-1]
    table = table[~repeats].drop_duplicates().astype(dict.fromkeys(columns[:-1], str))
    mixed = table[table.groupby(columns[:4], sort=False)["label"].transform("nunique") > 1]
    if not mixed.empty:
        first = mixed.iloc[0]
        msg = (
            f"{store.root / MANIFEST}: video {'/'.join(first[columns[:4]])} has crops with label 0 "
            "and with label 1, expected one label per video; extract again into a new folder"
        )
        raise InputError(msg)
    videos = table.assign(name=table["method"] + "/" + table["video"])
    targets, sources = (table.assign(name=table[column]) for column in ("target", "source"))
    known = set(zip(targets["dataset"], targets["name"], strict=True))
    is_target = [pair in known for pair in zip(sources["dataset"], sources["name"], strict=True)]
    people = pd.concat([targets, sources[is_target]])
    people = people[people["name"] != ""]
    for kind, kinds, named in (("video", "videos", videos), ("person", "people", people)):
        splits = named.groupby(["dataset", "name"], sort=False)["split"]
        leaked = named[(splits.transform("nunique") > 1) & named["developed"]]
        if leaked.empty:
            continue
        first = leaked.iloc[0]
        held = set(splits.get_group((first["dataset"], first["name"])))
        found = [split for split in SPLITS if split in held]
        others = leaked["name"][leaked["dataset"] == first["dataset"]].nunique() - 1
        also = f" and {others} more of its {kinds} are" if others else " is"
        msg = (
            f"{store.root / MANIFEST}: {kind} {first['name']} of {first['dataset']}{also} in the "
            f"splits {', '.join(found[:-1])} and {found[-1]}, so that training or "
            "validation would see what another split tests: extract again with disjoint splits, "
            f"or choose data.datasets without {first['dataset']}"
        )
        raise InputError(msg)
