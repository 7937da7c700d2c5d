"""How a run was trained, selected and tested."""

from msgspec import Struct

CONFIDENCE = 0.95
"""Confidence level of every interval."""

RESAMPLES = 1000
"""Bootstrap resamples of the test identities per interval."""


class Protocol(Struct, frozen=True, kw_only=True):
    """The `protocol` block of results.json; docs/evaluation.md describes its fields.

    Attributes:
        dataset: Data set of the training, and of the choice of checkpoint and thresholds.
        compression: Compression of its videos.
        methods: Forgery methods of the training.
        frames_per_video: Frames per video that are scored at most; 0 for all.
        crop_scale: Side of a cropped square, in units of the longer side of the face's box.
        crop_size: Side of a crop, in pixels.
        aggregation: Name of the aggregation of frame scores to a video score.
        selected_on: Metric that the checkpoint is selected by.
        threshold: How the thresholds are chosen.
        intervals: What the intervals cover, and their scale.
    """

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
