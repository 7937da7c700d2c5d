from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint

PATHS = ("best_model_path", "kth_best_model_path", "last_model_path", "dirpath")


class BestCheckpoint(ModelCheckpoint):
    """Saves the weights of the best epoch; its state holds file names, so a run can be moved.

    Args:
        folder: Folder of the run's checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder,
            filename="best",
            monitor="val/video_auc",
            mode="max",
            enable_version_counter=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the best so far, with file names instead of paths."""
        state = super().state_dict()
        state["best_k_models"] = {_name(p): score for p, score in state["best_k_models"].items()}
        return state | {name: _name(state[name]) for name in PATHS if name in state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best so far if its file is in this run's folder."""
        self.current_score = state_dict["current_score"]
        folder = Path(str(self.dirpath))
        name = _name(state_dict["best_model_path"])
        if not name or not (folder / name).is_file():
            return
        best = {str(folder / _name(p)): s for p, s in state_dict["best_k_models"].items()}
        here = {name: str(folder / _name(state_dict[name])) for name in PATHS[:2]}
        super().load_state_dict(
            state_dict | here | {"best_k_models": best, "dirpath": str(self.dirpath)}
        )


def _name(path: str) -> str:
    return Path(path).name
