"""A package that may judge: the tiny student's, with known videos drawn around its score."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.detector import Detector
from inference.reference import Reference
from tests.support.packages import change_card

WriteVideo = Callable[..., Path]
ReadFrames = Callable[[Path, int], dict[int, NDArray[np.uint8]]]


@pytest.fixture(scope="session")
def person_frames(tiny_ffpp: Path, read_frames: ReadFrames) -> list[NDArray[np.uint8]]:
    """Two seconds of a rendered person, at 10 frames per second."""
    video = sorted(tiny_ffpp.glob("original_sequences/*/c23/videos/*.mp4"))[0]
    return [*read_frames(video, 4).values()] * 5


@pytest.fixture(scope="session")
def clip(
    person_frames: list[NDArray[np.uint8]],
    write_video: WriteVideo,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A clip of a rendered person."""
    return write_video(tmp_path_factory.mktemp("clips") / "person.mp4", person_frames, crf="12")


@pytest.fixture(scope="session")
def judging_package(package: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of another domain than the miniature; the clip scores as its forgeries do."""
    folder = Path(shutil.copytree(package, tmp_path_factory.mktemp("judging") / "detector"))
    score = Detector.open(package, threads=1).score(clip)
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 150)
    frame_score = np.repeat(score + np.where(label, 0.01, -0.1), 2)
    frame_score += rng.uniform(-0.05, 0.05, frame_score.size)
    names = np.tile(np.arange(150), 2).astype(str)
    reference = Reference(
        score=frame_score.reshape(-1, 2).mean(axis=1),
        label=label,
        method=np.where(label, "Deepfakes", "original"),
        video=names,
        identity=names,
        side=np.full(300, 40.0),
        frame_video=np.repeat(np.arange(300), 2),
        frame_score=frame_score,
    )
    np.savez(folder / "reference.npz", **reference.arrays())

    def let_judge(card: dict[str, Any]) -> None:
        card["domain"].update(no_verdict=None)
        card["quality"].update(sharpness=1e-3, detail=0.1)

    change_card(folder, let_judge)
    return folder
