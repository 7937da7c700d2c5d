"""Two ranks train like one process, started in each way that clusters use."""

import os
import socket
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
import yaml

from lightning_modules.networks.backbone import Backbone
from lightning_modules.networks.global_batch_norm import synchronize_batch_norm
from lightning_modules.networks.timm_models import BackboneSpec
from tests.conftest import CONFIGS, run_fit
from tests.support.processes import complete
from tests.support.runs import Recorder, checkpoint, distil, mistake
from tests.training.test_resume import argv_of

TWENTY_STEPS = [
    "--trainer.max_epochs=5",
    "--run.resume=false",
    "--trainer.check_val_every_n_epoch=5",
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def torchrun(argv: list[str], port: int) -> list[subprocess.Popen]:
    """Start two nodes of one process each, on the loopback interface."""
    return [
        subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "torch.distributed.run",
                    "--nnodes=2",
                    f"--node-rank={node}",
                ),
                *("--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}"),
                *("-m", "cli", *argv, "--trainer.num_nodes=2"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for node in range(2)
    ]


def distance(first: Path, second: Path, least_norm: float = 1e-3) -> float:
    """Return the largest relative distance between weights of two runs of twenty steps.

    Of weights whose norm is below `least_norm` the distance is relative to that.
    """
    saved = [
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (first, second)
    ]
    assert [run["global_step"] for run in saved] == [20, 20]
    one, other = (
        {name: x.double() for name, x in run["state_dict"].items() if isinstance(x, torch.Tensor)}
        for run in saved
    )
    assert one.keys() == other.keys()
    return max(
        float((x - other[n]).norm() / x.norm().clamp_min(least_norm)) for n, x in one.items()
    )


def test_two_ranks_train_the_teacher_of_one_process(tiny_crops: Path, tmp_path: Path) -> None:
    """In float64: batch statistics and AdamW multiply float32's rounding by thousands."""
    argv = [*TWENTY_STEPS, "--trainer.precision=64-true", "--model.init_args.learning_rate=0.002"]
    alone, together = tmp_path / "alone", tmp_path / "together"
    run_fit(tiny_crops, alone, ("teacher/mini",), *argv, "--run.test=false")
    argv += ["--trainer.devices=2", "--trainer.strategy=ddp_fork"]
    complete(argv_of(together, tiny_crops, ["teacher/mini"], *argv), tmp_path / "log.txt")
    assert distance(alone, together) <= 1e-9


@pytest.mark.parametrize(
    ("projector", "of_a_vit", "least_norm"),
    [
        ("BatchNorm", False, 1e-3),
        ("AttentionPooling", False, 1e-3),
        # MobileNet has biases before batch norms: without a gradient, and AdamW divides their
        # rounding by itself.
        ("AttentionPooling", True, 1.0),
    ],
)
def test_two_ranks_train_the_student_of_one_process(
    projector: str,
    of_a_vit: bool,
    least_norm: float,
    tiny_teacher: Path,
    tiny_crops: Path,
    vit_and_mobilenet: list[str],
    tmp_path: Path,
) -> None:
    """With every kind of batch norm, and a projector that sees pooled features."""
    own = [f"--model.init_args.teacher={checkpoint(tiny_teacher)}"]
    argv = [
        *TWENTY_STEPS,
        "--trainer.precision=64-true",
        *(vit_and_mobilenet if of_a_vit else own),
        f"--model.init_args.projector=lightning_modules.projectors.{projector}",
        "--model.init_args.features=pooled",
    ]
    configs = ["student/mini", "methods/two-in-one"]
    alone, together = tmp_path / "alone", tmp_path / "together"
    run_fit(tiny_crops, alone, tuple(configs), *argv, "--run.test=false")
    argv += ["--trainer.devices=2", "--trainer.strategy=ddp_fork"]
    complete(argv_of(together, tiny_crops, configs, *argv), tmp_path / "log.txt")
    assert distance(alone, together, least_norm) <= 1e-9


def test_rotations_are_not_sent_in_every_step(fit, tiny_teacher: Path) -> None:
    recorder = "--trainer.callbacks+=tests.support.runs.Recorder"
    # Lightning's launcher sets the variables of a rank, which later processes would inherit.
    with patch.dict(os.environ):
        distil(fit, tiny_teacher, "two-in-one", recorder, "--trainer.strategy=ddp")
    torch.distributed.destroy_process_group()
    assert len(Recorder.steps) == 5
    assert not Recorder.sends_rotations


def test_all_ranks_have_the_same_rotations(
    tiny_teacher: Path, tiny_crops: Path, tmp_path: Path
) -> None:
    """Drawn at random, after steps, and after resuming; nobody sends them."""
    argv = [
        f"--model.init_args.teacher={checkpoint(tiny_teacher)}",
        "--model.init_args.homogenization.rotation_init=haar",
        "--trainer.callbacks+=tests.support.runs.RotationsOfRanks",
        "--trainer.devices=2",
        "--trainer.strategy=ddp_fork",
    ]
    configs = ["student/mini", "methods/two-in-one"]
    runs = [tmp_path / "first", tmp_path / "resumed"]
    for epochs, run in enumerate(runs, start=1):
        own = [f"--trainer.max_epochs={epochs}"]
        if epochs > 1:
            own.append(f"--run.resume={runs[0]}/checkpoints/last.ckpt")
        complete(argv_of(run, tiny_crops, configs, *argv, *own), tmp_path / "log.txt")
    seen = [
        [torch.load(run / f"rotations-{when}-{rank}.pt", weights_only=True) for rank in range(2)]
        for run in runs
        for when in ("start", "end")
    ]
    assert all(torch.equal(first, second) for first, second in seen)
    starts, ends, resumed, last = (first for first, _ in seen)
    assert torch.equal(ends, resumed)
    assert not torch.equal(starts, ends)
    assert not torch.equal(resumed, last)


@pytest.mark.long
def test_two_nodes_train_the_student_of_one_process(
    tiny_teacher: Path, tiny_crops: Path, tmp_path: Path
) -> None:
    """In float64: AdamW divides rounding by small gradients."""
    argv = [
        *TWENTY_STEPS,
        "--trainer.precision=64-true",
        f"--model.init_args.teacher={checkpoint(tiny_teacher)}",
        "--model.init_args.student.name=convnext_atto",
        "--model.init_args.student.args={dims: [8, 16, 24, 32], depths: [1, 1, 1, 1]}",
        "--model.init_args.projector=lightning_modules.projectors.Linear",
    ]
    configs = ["student/mini", "methods/two-in-one"]
    alone, together = tmp_path / "alone", tmp_path / "together"
    run_fit(tiny_crops, alone, tuple(configs), *argv, "--run.test=false")
    for node in torchrun(argv_of(together, tiny_crops, configs, *argv), free_port()):
        output = node.communicate(timeout=200)[0]
        assert node.returncode == 0, output
    assert distance(alone, together) <= 1e-9


def test_synchronized_layers_keep_what_they_compute() -> None:
    """timm's batch norms include activations, which torch's own conversion drops."""
    backbone, x = Backbone(BackboneSpec("mobilenetv3_small_050")).eval(), torch.rand(2, 3, 64, 64)
    for device in ("cpu", "cuda"):
        converted = synchronize_batch_norm(deepcopy(backbone), torch.device(device))
        assert torch.equal(converted(x), backbone(x))
        assert converted.state_dict().keys() == backbone.state_dict().keys()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--trainer.devices=999"], "this machine has"),
        (["--trainer.devices=2", "--trainer.accelerator=cuda"], "CUDA"),
    ],
)
def test_missing_devices_are_one_line(argv: list[str], expected: str, fit, capsys) -> None:
    if torch.cuda.is_available() and "CUDA" in expected:
        pytest.skip("this machine has a GPU")
    assert expected in mistake(lambda: fit(("student/mini", "methods/student"), *argv), capsys)


def test_the_slurm_script_passes_valid_options(tiny_crops: Path, tmp_path: Path) -> None:
    """With replacements for SLURM's commands: srun runs its arguments, scontrol prints them."""
    replacements = {"srun": 'shift; "$@" --print_config; exit 143', "scontrol": 'echo "$@"'}
    for name, line in {**replacements, "two-in-one": f'{sys.executable} -m cli "$@"'}.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{line}\n")
        (tmp_path / name).chmod(0o755)
    argv = [f"-c={CONFIGS / name}.yaml" for name in ("data/ffpp", "trainer/ffpp", "teacher/ffpp")]
    slurm = {"SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "4", "SLURM_JOB_ID": "17"}
    done = subprocess.run(
        ["bash", str(CONFIGS / "slurm" / "fit.sbatch"), *argv],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **slurm, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    *printed, requeued = done.stdout.splitlines()
    config = yaml.safe_load("\n".join(printed))
    assert (config["trainer"]["num_nodes"], str(config["trainer"]["devices"])) == (2, "4")
    assert config["run"]["save_every"] == 500
    assert requeued == "requeue 17"
