"""The limits of blur and compression: what they allow, and where they come from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from onnx import helper

from errors import InputError
from evaluation.measurement.corrupted_scores import SplitCrops
from evaluation.measurement.corruptions import CORRUPTIONS
from export.quality import MEASURED_BY, measure_quality
from inference.crop_scorer import CropScorer
from inference.quality import MEASURES, measure
from tests.support.networks import write_network

SIZE, VIDEOS = 48, 20
KERNELS = {
    "brightness": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "texture": [[0, -1, 0], [-1, 4, -1], [0, -1, 0]],
}


@dataclass
class Drawn:
    """A store in memory: one crop per video, real ones first."""

    crops: list[NDArray[np.uint8]]
    root: Path = Path("drawn")

    @property
    def manifest(self) -> pd.DataFrame:
        return pd.DataFrame({"label": np.repeat([0, 1], VIDEOS)})

    def crop(self, row: int) -> NDArray[np.uint8]:
        return self.crops[row]


@pytest.fixture(scope="module")
def store() -> Drawn:
    """Noise on a slope of light; forgeries are darker and have a little less of it."""
    rng = np.random.default_rng(0)
    slope = np.linspace(60, 120, SIZE)[:, None] * np.ones(SIZE)
    crops = []
    for number in range(2 * VIDEOS):
        is_fake = number >= VIDEOS
        noise = rng.normal(0, rng.uniform(6, 9) - is_fake, (SIZE, SIZE))
        grey = slope + noise + rng.uniform(-15, 15) + (0 if is_fake else 40)
        crops.append(np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))
    return Drawn(crops)


def scorer(path: Path, looks_at: str) -> CropScorer:
    """A network that calls a crop fake if it is darker, or has less texture, than the usual."""
    kernel = np.array(KERNELS[looks_at], dtype=np.float32)[None, None].repeat(3, 1) / 3
    usual = {"brightness": 110.0, "texture": 20.0}[looks_at]
    layers = [
        helper.make_node("Conv", ["float", "kernel"], ["response"]),
        helper.make_node("Abs", ["response"], ["size"]),
        helper.make_node("Sub", ["usual", "size"], ["less"]),
        helper.make_node("Div", ["less", "usual"], ["map"]),
    ]
    constants = {"kernel": kernel, "usual": np.array(usual, dtype=np.float32)}
    write_network(path, layers, constants, SIZE, SIZE - 2)
    return CropScorer(path, SIZE, threads=1)


def split_of(store: Drawn, videos: range) -> SplitCrops:
    return SplitCrops(store, None, [(f"{i:03d}", [i]) for i in videos])  # type: ignore[arg-type]


@pytest.mark.parametrize(("looks_at", "is_robust"), [("brightness", True), ("texture", False)])
def test_limits_keep_wrong_answers_rare(
    store: Drawn, tmp_path: Path, looks_at: str, is_robust: bool
) -> None:
    split = split_of(store, range(2 * VIDEOS))
    found = measure_quality(scorer(tmp_path / "network.onnx", looks_at), split, "mean")
    clean, *corrupted = found.curve
    assert (clean.corruption, clean.level) == ("clean", None)
    assert [(one.corruption, one.level) for one in corrupted] == [
        (name, level) for name in MEASURED_BY for level in CORRUPTIONS[name].levels
    ]
    assert (found.real, found.fake) == (VIDEOS, VIDEOS)
    assert clean.false_alarms == clean.misses == 0.05
    assert all(one.covered_false_alarms <= 0.1 for one in corrupted)
    assert all(one.covered_misses <= 0.1 for one in corrupted)
    qualities = np.array([measure(crop) for crop in store.crops])
    usual = np.quantile(qualities, 0.01, axis=0)
    limits = np.array([getattr(found, name) for name in MEASURES])
    if is_robust:
        np.testing.assert_allclose(limits, usual)
        assert clean.covered == pytest.approx(0.95, abs=0.01)
    else:
        assert (limits >= usual).all()
        assert (limits > usual).any()
        assert max(one.false_alarms for one in corrupted) > 0.9


def test_both_classes_are_needed(store: Drawn, tmp_path: Path) -> None:
    network = scorer(tmp_path / "network.onnx", "texture")
    with pytest.raises(InputError, match="drawn: no fake validation video"):
        measure_quality(network, split_of(store, range(VIDEOS)), "mean")


@pytest.mark.parametrize("name", MEASURED_BY)
def test_a_corruption_lowers_its_measure(store: Drawn, name: str) -> None:
    by, corruption = MEASURES.index(MEASURED_BY[name]), CORRUPTIONS[name]
    crops = np.stack(store.crops[:4])
    severe = corruption.corrupt(crops, corruption.levels[-1], 0)
    before, after = (np.median([measure(crop)[by] for crop in of]) for of in (crops, severe))
    assert after < 0.7 * before
    assert measure(np.full((8, 8, 3), 90, dtype=np.uint8)).tolist() == [0, 0]
