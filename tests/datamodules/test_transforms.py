import random

import albumentations as A  # noqa: N812
import cv2
import numpy as np
import pytest

from datamodules.transforms import (
    PIPELINES,
    ColourPCA,
    HueSaturationValue,
    JpegCompression,
    create_transform,
    draw_view,
)


def picture(size: int = 64) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)


def view_of(transform: A.Compose, seed: int, image: np.ndarray, size: int) -> np.ndarray:
    for step, params in draw_view(transform, seed, size):
        image = step.apply(image, **params)
    return image


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_views_are_those_of_albumentations(pipeline: str) -> None:
    transform = create_transform(pipeline, 48)
    for seed in range(60):
        transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
        expected = transform(image=picture())["image"]
        np.testing.assert_array_equal(view_of(transform, seed, picture(), 48), expected)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_view_follows_from_its_seed_alone(pipeline: str) -> None:
    transform, other = create_transform(pipeline, 48), create_transform(pipeline, 48)
    views = [view_of(transform, seed, picture(), 48) for seed in range(30)]
    assert all(view.shape == (48, 48, 3) and view.dtype == np.uint8 for view in views)
    np.testing.assert_array_equal(view_of(other, 29, picture(), 48), views[29])
    distinct = len({view.tobytes() for view in views})
    assert distinct == 1 if pipeline == "none" else distinct > 10


def test_steps_are_drawn_independently() -> None:
    """Flipped and changed in brightness are a quarter of the views, not half."""
    left_dark = np.zeros((16, 16, 3), dtype=np.uint8) + 60
    left_dark[:, 8:] = 120
    transform = create_transform("light", 16)
    seen = np.zeros((2, 2), dtype=int)
    for seed in range(400):
        view = view_of(transform, seed, left_dark, 16)
        changed = set(np.unique(view)) != {60, 120}
        seen[int(view[0, 0, 0] > view[0, -1, 0]), int(changed)] += 1
    assert seen.min() > 60


def test_colour_pca_moves_colours_as_far_as_albumentations_does() -> None:
    image = picture().astype(np.float64)

    def moves(transform: A.FancyPCA) -> list[float]:
        lengths = []
        for seed in range(300):
            transform.set_random_seed(seed)
            lengths.append(float(np.abs(transform(image=picture())["image"] - image).mean()))
        return lengths

    ours, theirs = moves(ColourPCA(alpha=5, p=1)), moves(A.FancyPCA(alpha=5, p=1))
    assert np.mean(theirs) > 1
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.2)


def test_colour_pca_stretches_along_the_first_component() -> None:
    ramp = np.arange(40, 168, dtype=np.uint8)
    grey = np.repeat(np.tile(ramp, (128, 1))[..., None], 3, axis=2)
    spread = float((grey[..., 0] / 255).var() * 3)
    stretched = ColourPCA().apply(grey, np.array([0.5 / spread, 0.0, 0.0]))
    expected = grey.mean() + 1.5 * (grey - grey.mean())
    np.testing.assert_allclose(stretched, expected.clip(0, 255), atol=2)


@pytest.mark.parametrize("shifts", [(7.6, 12.3, -20.9), (-19, -29.5, 3), (0, 0, 0)])
def test_hue_saturation_and_value_are_shifted_as_by_albumentations(
    shifts: tuple[float, float, float],
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    noise[:8] = noise[:8, :, :1]  # grey
    ours = HueSaturationValue().apply(noise, *shifts).astype(int)
    theirs = A.HueSaturationValue().apply(noise, *shifts).astype(int)
    # They round where we cut off, by one level of hue, saturation or value.
    assert np.abs(ours - theirs).mean() < 1.5


def test_jpeg_takes_the_colours_as_they_are() -> None:
    """Blue is what JPEG keeps worst; taken for red it would come back better."""
    image = np.zeros((64, 64, 3), dtype=np.uint8)
    image[..., 2] = np.random.default_rng(0).integers(0, 256, (64, 64))
    _, file = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 50))
    expected = cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(JpegCompression().apply(image, 50), expected)
