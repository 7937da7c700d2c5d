"""The stages that `benchmarks.growth` measures, each along one axis at three sizes or more."""

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, redirect_stdout
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from benchmarks.device.faces import small_store
from benchmarks.evaluation import synthetic_scores
from cli.main import main
from datamodules.face_forensics import FaceForensicsDataModule
from evaluation.metrics.score_metrics import evaluate_scores
from lightning_modules.feature_distillation import FeatureDistillation, HomogenizationSpec
from lightning_modules.homogenization import GradientHomogenizer
from lightning_modules.losses import classification_loss
from lightning_modules.networks.backbone import BranchSpec
from lightning_modules.networks.multi_branch import MultiBranchNetwork
from lightning_modules.networks.student import StudentNetwork
from lightning_modules.projectors import MLP

SIZE = 112
BRANCHES = {"spatial": "rgb", "frequency": "fad", "phase": "phase", "residual": "srm"}
NARROW = {"channels": [16, 32, 64, 128], "stem_width": 16}
STUDENT = {"channels": [8, 16, 24, 32], "stem_width": 8}
FRAMES, SIDE, PEOPLE = 4, 128, (8, 32, 96)

Cost = Callable[[], float]
"""Measures once, in seconds."""


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def timed(work: Callable[[], object], repeats: int = 1) -> float:
    """Return the CPU seconds of one repetition."""
    began = cpu_seconds()
    for _ in range(repeats):
        work()
    return (cpu_seconds() - began) / repeats


def videos(scratch: Path) -> Iterator[tuple[str, str, int, Cost]]:
    """Yield rendering and extraction by the number of videos of the miniature.

    Rendering is the whole command, with a miniature of Celeb-DF of one size and the confound
    control. Its workers would import this module if it ran in this process.
    """
    import_module("cli.extract")  # takes seconds, which belong to no size
    for people in PEOPLE:
        root = scratch / f"videos-{people}"
        sizes = [f"--train={people}", "--val=2", "--test=2", f"--frames={FRAMES}", f"--size={SIDE}"]
        argv = ["mini-ffpp", f"--out={root}", *sizes, "--celebrities=10", "--workers=1"]
        command = [sys.executable, "-m", "cli", *argv]
        seconds = timed(partial(subprocess.run, command, check=True, capture_output=True))
        count = sum(1 for _ in scratch.glob(f"{root.name}*/**/*.mp4"))
        yield "rendering", "videos", count, lambda s=seconds: s
        seconds = _extract(root, root.with_name(f"{root.name}-crops"), FRAMES)
        # Of the compression c23: an original and four forgeries per person.
        yield "extraction", "videos", 5 * (people + 4), lambda s=seconds: s


def frames(scratch: Path) -> Iterator[tuple[str, str, int, Cost]]:
    """Yield extraction by the number of frames per video, of the smallest miniature."""
    for count in (1, 2, 4):
        yield "extraction", "frames per video", count, partial(_extract_frames, scratch, count)


def crops(scratch: Path) -> Iterator[tuple[str, str, int, Cost]]:
    """Yield an epoch of loading by its crops, and the evaluation by the scored frames."""
    for people in (4, 8, 16):
        store = small_store(scratch / f"store-{people}", people, 16)
        data = FaceForensicsDataModule(
            str(store), image_size=256, batch_size=32, num_workers=0, augmentation="full"
        )
        data.setup("fit")
        loader = data.train_dataloader()
        yield (
            "loading, 256 px, full",
            "crops",
            32 * len(loader),
            partial(timed, partial(list, loader)),
        )
    for people in (50, 200, 800):
        table = synthetic_scores(people, 40)
        evaluate = partial(evaluate_scores, table, {"frame": 0.5, "video": 0.5})
        yield "evaluation", "frames", len(table), partial(timed, evaluate)


def branches(scratch: Path) -> Iterator[tuple[str, str, int, Cost]]:
    """Yield the teacher's and the student's step by the number of branches."""
    for count in (1, 2, 4):
        yield "teacher's step", "branches", count, partial(timed, _teacher_step(count), 4)
        yield "student's step", "branches", count, partial(timed, _student_step(count), 4)
    for batch in (8, 16, 32, 64):
        yield "student's step", "crops per batch", batch, partial(timed, _student_step(2, batch), 4)


def channels(scratch: Path) -> Iterator[tuple[str, str, int, Cost]]:
    """Yield gradient homogenization by the width of maps; its rotations move in every step."""
    for width in (256, 512, 1024):
        homogenizer = GradientHomogenizer(2, width, rotation_interval=1)
        z = torch.randn(32, width, 7, 7, requires_grad=True)

        def step(homogenizer: GradientHomogenizer = homogenizer, z: Tensor = z) -> None:
            torch.stack([view.square().mean() for view in homogenizer(z)]).sum().backward()
            homogenizer.step_rotations(0.05)

        yield "homogenization, every step", "channels", width, partial(timed, step, 2)


def ranks(scratch: Path) -> Iterator[tuple[str, str, int, Cost]]:
    """Yield the CPU time of one rank's step, 16 crops each, by the number of ranks."""
    for count in (1, 2, 4):
        yield "student's step, per rank", "ranks", count, partial(_rank_seconds, count)


def quietly(argv: list[str]) -> None:
    """Run `two-in-one` without its output."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        main(argv)


def _extract_frames(scratch: Path, count: int) -> float:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        return _extract(scratch / f"videos-{PEOPLE[0]}", Path(folder) / "crops", count)


def _extract(root: Path, out: Path, count: int) -> float:
    """Return the CPU seconds of extracting this many frames per video."""
    argv = ["extract", f"--root={root}", f"--out={out}", f"--frames_per_video={count}"]
    argv += [f"--size={SIDE}", "--num_workers=0", "--accelerator=cpu"]
    return timed(partial(quietly, argv))


def _teacher_step(count: int, batch: int = 32) -> Callable[[], None]:
    teacher, images = _teacher(count), torch.rand(batch, 3, SIZE, SIZE)
    optimizer = torch.optim.AdamW(teacher.parameters())
    labels = torch.arange(batch) % 2

    def step() -> None:
        logits = teacher.classify(teacher.features(images))
        torch.stack([classification_loss(x, labels) for x in logits.values()]).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


class _TwoInOne(nn.Module):
    """The miniature's student with the distillation of several branches."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.student = StudentNetwork(BranchSpec("resnet10t", args=STUDENT), SIZE)
        targets = dict.fromkeys(list(BRANCHES)[:count], NARROW["channels"][-1])
        self.distillation = FeatureDistillation(
            self.student.width, targets, MLP, "none", False, "normalized_mse", HomogenizationSpec()
        )

    def forward(self, images: Tensor, labels: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        z, last = self.student.features(images)
        distances = self.distillation(z, targets)[1]
        loss = classification_loss(self.student.classify(last), labels)
        return loss + torch.stack(list(distances.values())).sum()


def _student_step(count: int, batch: int = 32, *, wrap: bool = False) -> Callable[[], None]:
    torch.manual_seed(0)
    teacher, model = _teacher(count).eval(), _TwoInOne(count)
    stepped = DistributedDataParallel(model) if wrap else model
    images, labels = torch.rand(batch, 3, SIZE, SIZE), torch.arange(batch) % 2
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        with torch.no_grad():
            targets = teacher.features(images)
        stepped(images, labels, targets).backward()
        optimizer.step()
        optimizer.zero_grad()
        model.distillation.homogenizer.step_rotations(0.05)

    return step


def _teacher(count: int) -> MultiBranchNetwork:
    names = islice(BRANCHES.items(), count)
    specs = {name: BranchSpec("resnet10t", args=NARROW, front_end=end) for name, end in names}
    return MultiBranchNetwork(specs, SIZE)


def _rank_seconds(count: int) -> float:
    """Return the mean CPU seconds of a rank's step, in forked processes with gloo."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        queue: Any = context.SimpleQueue()
        processes = [
            context.Process(target=_rank, args=(rank, count, folder, queue))
            for rank in range(count)
        ]
        for process in processes:
            process.start()
            stack.callback(process.join)
        return sum(queue.get() for _ in processes) / count


def _rank(rank: int, count: int, folder: str, queue: Any) -> None:
    # Gradients of 1x1 convolutions have the same layout under other strides.
    warnings.filterwarnings("ignore", "Grad strides do not match")
    store = distributed.FileStore(f"{folder}/store", count)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=count)
    step = _student_step(2, 16, wrap=True)
    step()
    began = time.process_time()
    for _ in range(8):
        step()
    queue.put((time.process_time() - began) / 8)
    distributed.destroy_process_group()


STAGES = (ranks, videos, frames, crops, branches, channels)
"""Ranks come first: they are forked, which a process with threads must not be."""
