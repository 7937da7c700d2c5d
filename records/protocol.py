"""How a run was trained, selected and tested."""

from collections.abc import Sequence

from msgspec import Struct

CONFIDENCE = 0.95
"""Confidence level of every interval."""

RESAMPLES = 1000
"""Bootstrap resamples of the test identities per interval."""


class Protocol(Struct, frozen=True, kw_only=True):
    """The `protocol` block of results.json; docs/evaluation.md describes its fields."""

    dataset: str
    compression: str
    methods: list[str]
    frames_per_video: int
    crop_scale: float
    crop_size: int
    aggregation: str
    selected_on: str
    threshold: str
    intervals: str

    @property
    def test(self) -> str:
        """Key of the in-domain test set in `metrics`."""
        return f"{self.dataset} {self.compression}/test"


def create_protocol(
    *,
    dataset: str,
    compression: str,
    methods: Sequence[str],
    frames_per_video: int,
    crop_scale: float,
    crop_size: int,
    aggregation: str,
    selected_on: str,
) -> Protocol:
    """Describe how a run is trained, selected and tested.

    Args:
        dataset: Data set of the training, and of the choice of checkpoint and thresholds.
        compression: Compression of its videos.
        methods: Forgery methods of the training.
        frames_per_video: Frames per video of the crop store.
        crop_scale: Side of a cropped square, in units of the longer side of the face's box.
        crop_size: Side of a crop, in pixels.
        aggregation: Name of the aggregation of frame scores to a video score.
        selected_on: Metric that the checkpoint is selected by.
    """
    return Protocol(
        dataset=dataset,
        compression=compression,
        methods=list(methods),
        frames_per_video=frames_per_video,
        crop_scale=crop_scale,
        crop_size=crop_size,
        aggregation=aggregation,
        selected_on=selected_on,
        threshold=f"highest balanced accuracy on {dataset} {compression}/val, for each level",
        intervals=f"{CONFIDENCE:.0%} over the test identities, logit scale",
    )
