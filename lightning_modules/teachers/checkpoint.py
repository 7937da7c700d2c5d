from collections.abc import Sequence
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from errors import InputError
from lightning_modules.networks.backbone import Branch
from lightning_modules.teacher import TeacherModule
from lightning_modules.teachers.base import Computed, LoadedTeacher
from records.files import sha256


class CheckpointTeacher(LoadedTeacher):
    """The network of a TeacherModule's checkpoint.

    `stage` is timm's number of the map of each branch; None is the last.

    Raises:
        InputError: The checkpoint is not a teacher's, or its teacher has another image size.
    """

    has_logit = True

    def __init__(self, path: Path, image_size: int, stage: int | None) -> None:
        super().__init__()
        teacher = TeacherModule.load(path)
        if teacher.image_size != image_size:
            msg = (
                f"{path}: a teacher for images of {teacher.image_size} px, expected "
                f"{image_size} as in data.image_size: give both the same size"
            )
            raise InputError(msg)
        teacher.setup("predict")
        self.network = teacher.multi_branch
        self.branches = self.network.branches
        self.stage = stage
        self.widths = dict(self.network.widths)
        self.fingerprint = sha256(path)

    def select(self, branches: Sequence[str]) -> None:
        """End these branches at the stage.

        Raises:
            InputError: A branch has no such stage.
        """
        if self.stage is not None:
            whole = {name: cast(Branch, self.network.branches[name]) for name in branches}
            ended = {name: branch.truncated(self.stage) for name, branch in whole.items()}
            self.branches = nn.ModuleDict(ended).eval()
            self.widths |= {name: branch.out_channels for name, branch in ended.items()}

    def compile_for(self, backend: str) -> None:
        """Compile every branch."""
        for branch in {*self.branches.values(), *self.network.branches.values()}:
            branch.compile(backend=backend)

    def compute(self, images: Tensor, branches: Sequence[str], logit: bool) -> Computed:
        """Run each branch once; the fused logit needs the last maps of all branches."""
        last = self.network.features(images) if logit else {}
        reused = last if self.stage is None else {}
        maps = {
            name: reused[name] if name in reused else self.branches[name](images)
            for name in branches
        }
        return maps, self.network.classify(last)["fused"] if logit else None
