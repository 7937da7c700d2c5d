import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from timm.models import load_state_dict
from torch import Tensor, nn

from errors import InputError, first_line
from lightning_modules.registry import resolve
from lightning_modules.teachers.base import Computed, LoadedTeacher
from records.files import require_file, sha256


class ModuleTeacher(LoadedTeacher):
    """Any torch module by its class path, see TeacherSpec.

    It is called on one black image to learn its branches.

    Raises:
        InputError: The class cannot be imported or built, the weights are not its own, or it gives
            no maps.
    """

    def __init__(
        self, path: str, args: dict[str, Any], weights: str | None, image_size: int
    ) -> None:
        super().__init__()
        kind: type[nn.Module] = resolve("teacher", path, {}, nn.Module)
        try:
            self.module: nn.Module = kind(**args)
            if weights is not None:
                require_file(Path(weights), "the weights of a teacher", "set teachers' weights")
                self.module.load_state_dict(load_state_dict(weights))
        except InputError:
            raise
        except Exception as error:  # a user's code may fail in any way
            given = f"args {args}, weights {weights}"
            msg = f"teacher {path} cannot be built with {given}: {first_line(error)}"
            raise InputError(msg) from error
        self.module.eval()
        with torch.inference_mode():
            returned = self.module(torch.zeros(1, 3, image_size, image_size))
        self.widths, self.has_logit = _describe(path, returned)
        file = None if weights is None else sha256(Path(weights))
        source = inspect.getsourcefile(kind)
        code = None if source is None else sha256(Path(source))
        self.fingerprint = [path, str(args), file, code]

    def compile_for(self, backend: str) -> None:
        """Compile the module."""
        self.module.compile(backend=backend)

    def compute(self, images: Tensor, branches: Sequence[str], logit: bool) -> Computed:
        """Call the module once."""
        maps, logits = self.module(images)
        return {name: maps[name] for name in branches}, logits if logit else None


def _describe(path: str, returned: Any) -> tuple[dict[str, int], bool]:
    """Return the width of each map, and whether logits are returned."""
    maps, logits = returned if isinstance(returned, tuple) and len(returned) == 2 else ({}, None)
    are_maps = isinstance(maps, dict) and all(
        isinstance(value, Tensor) and value.ndim == 4 for value in maps.values()
    )
    are_logits = logits is None or (isinstance(logits, Tensor) and logits.shape == (1,))
    if not maps or not are_maps or not are_logits:
        msg = (
            f"teacher {path} gives no maps: its forward must return {{branch: [B, C, h, w]}} and "
            "logits [B] or None for images [B, 3, S, S]"
        )
        raise InputError(msg)
    return {name: value.shape[1] for name, value in maps.items()}, logits is not None
