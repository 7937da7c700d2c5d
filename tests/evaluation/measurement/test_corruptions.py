import numpy as np
import pytest

from evaluation.measurement.corruptions import CORRUPTIONS
from tests.support.ladder_on_disk import DrawnCrops, frame_scores


def drawn(count: int, side: int) -> np.ndarray:
    """Return crops with edges, texture and color."""
    source = DrawnCrops(frame_scores(1.0, 0))
    rng = np.random.default_rng(0)
    crops = np.stack([source.crop(i) for i in range(count)])[:, :side, :side]
    texture = rng.normal(0, 12, crops.shape[:3])[..., None]
    return (crops + texture).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_level_is_more_severe_than_the_previous_one(name: str) -> None:
    corruption, crops = CORRUPTIONS[name], drawn(3, 112)
    changed = [
        np.abs(corruption.corrupt(crops, level, 7).astype(float) - crops).mean()
        for level in corruption.levels
    ]
    assert len(changed) == 5
    assert changed == sorted(changed)
    assert changed[0] > 0.5
    assert changed[-1] > 1.1 * changed[0]


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize(("count", "side"), [(1, 64), (2, 65)])
def test_corruptions_keep_shape_and_type_and_are_deterministic(
    name: str, count: int, side: int
) -> None:
    corruption, crops = CORRUPTIONS[name], drawn(count, side)
    before = crops.copy()
    level = corruption.levels[2]
    first, second = (corruption.corrupt(crops, level, 7) for _ in range(2))
    assert first.shape == crops.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert np.array_equal(crops, before)


@pytest.mark.parametrize("name", ["noise", "occlusion"])
def test_noise_and_blocks_differ_between_videos(name: str) -> None:
    corruption, crops = CORRUPTIONS[name], drawn(2, 64)
    level = corruption.levels[0]
    assert not np.array_equal(
        corruption.corrupt(crops, level, 7), corruption.corrupt(crops, level, 8)
    )


def test_the_last_level_of_saturation_is_grey_and_contrast_reduces_the_deviation() -> None:
    crops = drawn(2, 64)
    grey = CORRUPTIONS["saturation"].corrupt(crops, 0.0, 7)
    assert np.ptp(grey.astype(int), axis=-1).max() <= 1
    flat = CORRUPTIONS["contrast"].corrupt(crops, 0.35, 7)
    assert flat.std() == pytest.approx(0.35 * crops.std(), rel=0.1)
