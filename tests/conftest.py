import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from hypothesis import settings
from safetensors.torch import save_file

from cli.main import main
from tests.support.sharing import make_once

pytest_plugins = [
    "tests.support.videos",
    "tests.support.crop_stores",
    "tests.support.packages",
    "tests.support.judging",
]

SHARED = Path(__file__).parents[2] / "shared"
CONFIGS = Path(__file__).parents[1] / "configs"

# The same examples in every run, however slow the machine.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a data set, ranks or a browser as slow, for `make test-fast` to omit."""
    for item in items:
        needed = {"tiny_ffpp", "small_ffpp", "ranks", "browser"} & {
            *getattr(item, "fixturenames", ())
        }
        if needed or "mini_ffpp" in item.path.parts:
            item.add_marker("slow")


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Seed the global random generators before every test."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (libraries draw from it)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with reference vectors and real clips; tests that need it skip without it."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared is missing")
    return SHARED


@pytest.fixture(scope="session")
def tiny_ffpp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature of FF++ with four people to train on; Celeb-DF's is beside it."""
    sizes = ["--train=4", "--val=2", "--test=2", "--frames=4", "--celebrities=10"]
    folder = make_once(
        tmp_path_factory,
        "tiny",
        lambda folder: main(["mini-ffpp", f"--out={folder / 'ffpp'}", *sizes]),
    )
    return folder / "ffpp"


@pytest.fixture(scope="session")
def celeb_df_v1(tiny_ffpp: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person's videos in the tree of Celeb-DF v1: two real ones, four fakes."""
    tree = tiny_ffpp.with_name("ffpp-celeb-df")
    root: Path = tmp_path_factory.mktemp("v1") / "Celeb-DF-v1"
    lines = [
        line
        for line in (tree / "List_of_testing_videos.txt").read_text().splitlines()
        if "/id0_" in line
    ]
    for line in lines:
        video = root / line.split()[1]
        video.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / line.split()[1], video)
    (root / "List_of_testing_videos.txt").write_text("\n".join(lines))
    return root


@pytest.fixture(scope="session")
def tiny_crops(tiny_ffpp: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The crops of both miniatures, 64 px, two per video."""

    def extract(out: Path) -> None:
        sizes = ["--frames_per_video=2", "--size=64", "--accelerator=cpu", "--num_workers=0"]
        for root in (tiny_ffpp, tiny_ffpp.with_name("ffpp-celeb-df")):
            main(["extract", f"--root={root}", f"--out={out}", *sizes])

    return make_once(tmp_path_factory, "tiny-crops", extract)


def run_fit(crops: Path, folder: Path, configs: tuple[str, ...], *argv: str) -> Path:
    """Run `two-in-one fit` on small crops with the miniature's configs; return its folder."""
    paths = [CONFIGS / f"{name}.yaml" for name in ("data/mini", "trainer/mini", *configs)]
    main(
        [
            "fit",
            *(f"-c={path}" for path in paths),
            f"--data.crops={crops}",
            "--data.image_size=64",
            "--data.batch_size=4",
            "--trainer.accelerator=cpu",
            "--trainer.max_epochs=1",
            "--trainer.log_every_n_steps=1",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            f"--run.dir={folder}",
            "--run.test=true",
            *argv,
        ]
    )
    return folder


@pytest.fixture
def fit(tiny_crops: Path, tmp_path: Path) -> Callable[..., Path]:
    """`two-in-one fit` on the tiny crops: names of configs, then further arguments."""

    def fit(configs: tuple[str, ...], *argv: str, folder: Path = tmp_path / "run") -> Path:
        return run_fit(tiny_crops, folder, configs, *argv)

    return fit


@pytest.fixture(scope="session")
def tiny_teacher(tiny_crops: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of a teacher trained for one epoch on the tiny crops."""
    return make_once(
        tmp_path_factory,
        "teacher-seed0",
        lambda folder: run_fit(tiny_crops, folder, ("teacher/mini",)),
    )


@pytest.fixture(scope="session")
def vit_and_mobilenet(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments of `fit` for a ViT-tiny, of timm and with a logit, that teaches a MobileNet."""
    file = tmp_path_factory.mktemp("vit") / "vit.safetensors"
    save_file(timm.create_model("vit_tiny_patch16_224", num_classes=1).state_dict(), file)
    teachers = {"vit": {"backbone": {"name": "vit_tiny_patch16_224"}, "weights": str(file)}}
    return [
        f"--model.init_args.teachers={teachers}",
        "--model.init_args.targets=null",
        "--model.init_args.logits.loss=hinton",
        "--model.init_args.student.name=mobilenetv3_small_050",
        "--model.init_args.student.args={}",
    ]


@pytest.fixture(scope="session")
def tiny_student(tiny_crops: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of a student trained alone for one epoch on the tiny crops."""
    return make_once(
        tmp_path_factory,
        "student-seed0",
        lambda folder: run_fit(tiny_crops, folder, ("student/mini", "methods/student")),
    )


@pytest.fixture(scope="session")
def tiny_report(
    tiny_teacher: Path,
    tiny_student: Path,
    tiny_crops: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Report of the tiny teacher and student, with their cost and robustness measured."""
    runs = [str(tiny_teacher), str(tiny_student)]

    def report(out: Path) -> None:
        main(["profile", *runs, f"--out={out}", "--rounds=2", "--device=cpu"])
        corruptions = ["--corruptions", "JPEG", "H.264"]
        main(["robustness", *runs, f"--out={out}", *corruptions, "--device=cpu"])
        main(["report", *runs, f"--out={out}", f"--crops={tiny_crops}"])

    return make_once(tmp_path_factory, "tiny-report", report)
