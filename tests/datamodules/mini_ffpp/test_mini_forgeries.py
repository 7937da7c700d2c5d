from pathlib import Path

import av
import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN

from datamodules.layouts.ffpp import scan_ffpp
from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries import METHODS, Effort, Method, celeb_swap
from datamodules.mini_ffpp.people import FFPP, Population

EVERY_METHOD = {**METHODS, "celeb_swap": celeb_swap}


@pytest.fixture(scope="module")
def couple() -> tuple[Clip, Clip]:
    population = Population(seed=1, data_set=FFPP, frames=2, size=256)
    return population.film(0, take=0, group=0), population.film(1, take=0, group=0)


def forged(method: Method, couple: tuple[Clip, Clip], strength: float) -> float:
    """Mean change of the face, in grey levels."""
    rng = np.random.default_rng(5)
    forgery = method(*couple, Effort(strength, rng))
    change = np.abs(forgery.frames - couple[0].frames).mean(axis=3)
    return float(change[forgery.masks > 0.5].mean())


@pytest.mark.parametrize("method", EVERY_METHOD.values(), ids=EVERY_METHOD)
def test_forgery_changes_the_face_and_nothing_else(
    method: Method, couple: tuple[Clip, Clip]
) -> None:
    target, _ = couple
    forgery = method(*couple, Effort(1.0, np.random.default_rng(5)))
    outside = forgery.masks == 0
    assert forgery.frames.shape == target.frames.shape
    np.testing.assert_array_equal(forgery.frames[outside], target.frames[outside])
    assert 0.01 < (forgery.masks > 0).mean() < 0.3
    assert np.abs(forgery.frames - target.frames)[forgery.masks > 0.5].mean() > 0.5


@pytest.mark.parametrize("name", ["Face2Face", "NeuralTextures"])
def test_strength_scales_the_traces(name: str, couple: tuple[Clip, Clip]) -> None:
    weak, normal, strong = (forged(METHODS[name], couple, strength) for strength in (0, 1, 2))
    assert weak < normal < strong


def test_mtcnn_detects_the_faces(small_ffpp: Path) -> None:
    torch.set_num_threads(1)
    detector = MTCNN(device="cpu")
    found = []
    for record in scan_ffpp(small_ffpp, "c23").records:
        with av.open(record.path) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        boxes, _ = detector.detect(np.stack(frames))
        found += [box is not None for box in boxes]
    assert np.mean(found) >= 0.99
