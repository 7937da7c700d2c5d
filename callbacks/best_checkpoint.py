from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint

PATHS = ("best_model_path", "kth_best_model_path", "last_model_path", "dirpath")


class BestCheckpoint(ModelCheckpoint):
    """Saves the weights of the best epoch; its state holds file names, so a run can be moved."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "best", "val/video_auc", mode="max", enable_version_counter=False)

    def state_dict(self) -> dict[str, Any]:
        """Return the best so far, with file names instead of paths."""
        state = super().state_dict()
        state["best_k_models"] = {Path(p).name: s for p, s in state["best_k_models"].items()}
        return state | {name: Path(state[name]).name for name in PATHS if name in state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best so far if its file is in this run's folder."""
        self.current_score = state_dict["current_score"]
        folder = Path(str(self.dirpath))
        if not (folder / Path(state_dict["best_model_path"]).name).is_file():
            return
        best = {str(folder / Path(p).name): s for p, s in state_dict["best_k_models"].items()}
        here = {name: str(folder / Path(state_dict[name]).name) for name in PATHS[:2]}
        here["dirpath"] = str(folder)
        super().load_state_dict(state_dict | here | {"best_k_models": best})
