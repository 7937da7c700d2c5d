"""How a run was trained, selected and tested: what two runs must share to stand in one table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from errors import InputError
from evaluation.formatting import describe, spoken
from evaluation.metrics.bootstrap import CONFIDENCE, RESAMPLES

if TYPE_CHECKING:
    from evaluation.comparison.run import Run

KEYS = (
    "dataset",
    "compression",
    "methods",
    "frames_per_video",
    "crop_scale",
    "crop_size",
    "aggregation",
    "selected_on",
    "threshold",
    "intervals",
)
"""Of the protocol block, see docs/evaluation.md."""


def create_protocol(
    *,
    dataset: str,
    compression: str,
    methods: Sequence[str],
    store: Mapping[str, Any],
    aggregation: str,
    selected_on: str,
) -> dict[str, Any]:
    """The `protocol` block of results.json.

    Args:
        dataset: That the run was trained on, and the checkpoint and the thresholds chosen on.
        compression: Of these videos.
        methods: Forgeries that it was trained on.
        store: Settings of the crop store: frames_per_video, scale and size.
        aggregation: Name of the way in which frames make a video's score.
        selected_on: What the checkpoint was selected by.
    """
    return {
        "dataset": dataset,
        "compression": compression,
        "methods": list(methods),
        "frames_per_video": store.get("frames_per_video"),
        "crop_scale": store.get("scale"),
        "crop_size": store.get("size"),
        "aggregation": aggregation,
        "selected_on": selected_on,
        "threshold": f"highest balanced accuracy on {dataset} {compression}/val, for each level",
        "intervals": f"{CONFIDENCE:.0%}, {RESAMPLES} resamples of the test identities",
    }


def protocol_differences(runs: Sequence["Run"]) -> list[str]:
    """What differs between the runs' protocols, one line each."""
    lines = []
    for key in KEYS:
        names: dict[str, list[str]] = {}
        for run in runs:
            names.setdefault(describe(run.protocol[key]), []).append(run.name)
        if len(names) > 1:
            parts = [f"{value} ({_listed(of)})" for value, of in names.items()]
            lines.append(f"{spoken(key)}: {' against '.join(parts)}")
    return lines


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def check_same_protocol(runs: Sequence["Run"]) -> None:
    """Refuse runs of different protocols in one table.

    Raises:
        InputError: Something differs; it is named.
    """
    differences = protocol_differences(runs)
    if differences:
        msg = (
            f"the runs' protocols differ in {'; '.join(differences)}: expected one protocol in a "
            "table: leave runs out, or ask for it with --any_protocol"
        )
        raise InputError(msg)
