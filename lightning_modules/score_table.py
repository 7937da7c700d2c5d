import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class ScoreTable(Metric):
    """The scores of all frames of an evaluation, gathered over the ranks.

    Shards may be uneven; nothing is padded. A row holds the crop's row in the manifest, the code of
    its video, its label and the probability of being fake from each of H heads: 24 + 4 H bytes.
    """

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        for column in ("rows", "videos", "labels", "scores"):
            self.add_state(column, default=[], dist_reduce_fx="cat")
        self.rows: list[Tensor]
        self.videos: list[Tensor]
        self.labels: list[Tensor]
        self.scores: list[Tensor]

    def begin(self, heads: int) -> None:
        """Empty the table, with typed columns for a rank that gets no frame."""
        self.reset()
        none = torch.zeros(0, dtype=torch.int64, device=self.device)
        scores = torch.zeros(0, heads, dtype=torch.float32, device=self.device)
        self.update(none, none, none, scores)

    def update(self, rows: Tensor, videos: Tensor, labels: Tensor, scores: Tensor) -> None:
        """Add frames: rows, videos and labels `[B]`, scores `[B, H]`."""
        self.rows.append(rows)
        self.videos.append(videos)
        self.labels.append(labels)
        self.scores.append(scores)

    def compute(self) -> dict[str, Tensor]:
        """Return the columns in the order of the manifest."""
        columns = {name: dim_zero_cat(getattr(self, name)) for name in self._defaults}
        order = columns["rows"].argsort()
        return {name: column[order] for name, column in columns.items()}


def detection_metrics(table: dict[str, Tensor], head: int = 0) -> dict[str, Tensor]:
    """Compute log loss, frame AUC and video AUC of one head of a ScoreTable.

    A video's score is the mean probability of its frames. For a single class the AUCs are NaN.
    """
    scores, labels = table["scores"][:, head].double(), table["labels"]
    tiny = torch.finfo(scores.dtype).eps
    video = torch.unique(table["videos"], return_inverse=True)[1]
    count = video.bincount()
    video_scores = torch.zeros_like(count, dtype=scores.dtype).index_add(0, video, scores) / count
    video_labels = torch.zeros_like(count).index_put((video,), labels)
    return {
        # As in scikit-learn: the loss of a wrong score of 0 or 1 stays finite.
        "loss": F.binary_cross_entropy(scores.clamp(tiny, 1 - tiny), labels.double()),
        "frame_auc": _auc(scores, labels),
        "video_auc": _auc(video_scores, video_labels),
    }


def _auc(scores: Tensor, labels: Tensor) -> Tensor:
    """Compute the Mann-Whitney statistic in float64; torchmetrics computes it in float32."""
    levels = torch.unique(scores, return_inverse=True)[1]
    fake = torch.bincount(levels, labels.double())
    real = torch.bincount(levels) - fake
    won = fake * (real.cumsum(0) - real / 2)
    return won.sum() / (fake.sum() * real.sum())
