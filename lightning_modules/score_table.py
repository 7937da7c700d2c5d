import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor
from torchmetrics import Metric


class ScoreTable(Metric):
    """The scores of all frames of an evaluation, gathered over the ranks.

    Shards may be uneven; nothing is padded. A row holds the crop's manifest row, its video's code,
    its label and the probability of being fake by each of H heads: 24 + 4 H bytes a frame.
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
        """Empty the table. A rank without a frame then gathers columns of the others' types."""
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
        """Give the columns in the order of the manifest."""
        columns = {name: _cat(getattr(self, name)) for name in self._defaults}
        order = columns["rows"].argsort()
        return {name: column[order] for name, column in columns.items()}


def _cat(state: list[Tensor] | Tensor) -> Tensor:
    return state if isinstance(state, Tensor) else torch.cat(state)


def detection_metrics(table: dict[str, Tensor], head: int = 0) -> dict[str, Tensor]:
    """Log loss, frame AUC and video AUC of one head of a ScoreTable.

    A video's score is the mean probability of its frames. With one class only, the AUCs are NaN.
    """
    scores, labels = table["scores"][:, head].double(), table["labels"]
    tiny = torch.finfo(scores.dtype).eps
    video = torch.unique(table["videos"], return_inverse=True)[1]
    count = video.bincount()
    video_scores = torch.zeros_like(count, dtype=scores.dtype).index_add(0, video, scores) / count
    video_labels = torch.zeros_like(count).index_put((video,), labels)
    return {
        # As scikit-learn does, so that one sure mistake does not cost infinitely much.
        "loss": F.binary_cross_entropy(scores.clamp(tiny, 1 - tiny), labels.double()),
        "frame_auc": _auc(scores, labels),
        "video_auc": _auc(video_scores, video_labels),
    }


def _auc(scores: Tensor, labels: Tensor) -> Tensor:
    """The Mann-Whitney statistic; torchmetrics has it to the seven digits of a float32."""
    levels = torch.unique(scores, return_inverse=True)[1]
    fake = torch.bincount(levels, labels.double())
    real = torch.bincount(levels) - fake
    won = fake * (real.cumsum(0) - real / 2)
    return won.sum() / (fake.sum() * real.sum())
