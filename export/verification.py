"""The gates of a package, repeated on another machine."""

from pathlib import Path

from datamodules.crops.selection import select_rows
from datamodules.crops.store import CropStore
from errors import InputError
from evaluation.measurement.corrupted_scores import rows_by_video
from export.quantization import ZONE, describe_difference, within_zone
from export.validation import auc_difference, score_videos
from inference.card import Card
from inference.detector import NETWORK, NETWORK_INT8


def check_int8(folder: Path, card: Card, crops: Path) -> str:
    """Compare the network in 8 bits with that in float on this machine, on validation videos.

    Processors differ in how they sum products of 8 bits.

    Returns:
        The difference of video AUC and its interval.

    Raises:
        InputError: The crops are others than the package's, or the interval is not within the zone.
    """
    store = CropStore(crops)
    domain = card.domain
    if (store.size, store.settings.scale) != (card.crops.size, card.crops.scale):
        msg = (
            f"{crops}: crops of {store.size} px, {store.settings.scale:g} times the box, expected "
            f"{card.crops.size} px, {card.crops.scale:g} times: choose the store of the training"
        )
        raise InputError(msg)
    rows = select_rows(
        store,
        compressions=[domain.compression],
        test_compressions=None,
        methods=domain.methods,
        datasets=[domain.dataset],
        test_datasets=None,
    )
    videos = rows_by_video(store.manifest.loc[rows["val"]])
    other, in_float = (
        score_videos(folder / name, card, store, videos) for name in (NETWORK_INT8, NETWORK)
    )
    difference, interval = auc_difference(other, in_float)
    if interval is None:
        msg = f"{crops}: too few validation people for an interval: choose the training's store"
        raise InputError(msg)
    found = describe_difference(difference, interval)
    if not within_zone(interval):
        msg = (
            f"{folder / NETWORK_INT8}: {found} on this machine is not within ±{ZONE}: use "
            f"{NETWORK} here"
        )
        raise InputError(msg)
    return found
