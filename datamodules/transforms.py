import random
from collections.abc import Callable
from typing import Any

import albumentations as A  # noqa: N812 -- the name albumentations' own documentation uses
import cv2
import numpy as np
from albucore import sz_lut
from numpy.typing import NDArray


class ColourPCA(A.FancyPCA):  # type: ignore[misc]  # albumentations publishes no types
    """FancyPCA (Krizhevsky et al., NeurIPS 2012, section 4.1) in a tenth of albumentations' time.

    Scaling colours along their principal components is one affine map of RGB. Only its matrix
    needs the covariance, which is estimated from about a thousand pixels.
    """

    def apply(
        self, img: NDArray[np.uint8], alpha_vector: NDArray[np.float64], **params: Any
    ) -> NDArray[np.uint8]:
        """Scale the colours of a uint8 image `[H, W, 3]` by `alpha_vector` `[3]`."""
        step = max(1, min(img.shape[:2]) // 32)
        sample = img[::step, ::step].reshape(-1, 3).astype(np.float32) / 255
        mean = sample.mean(axis=0)
        centred = sample - mean
        values, vectors = np.linalg.eigh(centred.T @ centred / (len(sample) - 1))
        spread = (vectors * (alpha_vector * values[::-1])[::-1]) @ vectors.T
        affine = np.column_stack([np.eye(3) + spread, -255 * spread @ mean])
        return cv2.transform(img, affine).astype(np.uint8, copy=False)


class HueSaturationValue(A.HueSaturationValue):  # type: ignore[misc]
    """Albumentations' transform with one table lookup instead of one pass per channel."""

    def apply(
        self, img: NDArray[np.uint8], hue_shift: float, sat_shift: float, val_shift: float, **_: Any
    ) -> NDArray[np.uint8]:
        """Shift hue, saturation and value of a uint8 image `[H, W, 3]`."""
        shifts = np.array([[hue_shift], [sat_shift], [val_shift]])
        tables = np.arange(256.0) + shifts
        tables[0] %= 180
        tables[1, 0] = 0  # grey stays grey
        planes = cv2.split(cv2.cvtColor(img, cv2.COLOR_RGB2HSV))
        for plane, table in zip(planes, tables.clip(0, 255).astype(np.uint8), strict=True):
            sz_lut(plane, table)
        return cv2.cvtColor(cv2.merge(planes), cv2.COLOR_HSV2RGB)  # type: ignore[return-value]


class JpegCompression(A.ImageCompression):  # type: ignore[misc]
    """JPEG compression in the right colours: albumentations passes RGB where OpenCV expects BGR."""

    def apply(self, img: NDArray[np.uint8], quality: int, **_: Any) -> NDArray[np.uint8]:
        """Encode a uint8 image `[H, W, 3]` as JPEG and decode it."""
        bgr = cv2.cvtColor(img, cv2.COLOR_RGB2BGR)
        file = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
        return cv2.imdecode(file, cv2.IMREAD_COLOR_RGB)  # type: ignore[return-value]


Steps = list[tuple[A.BasicTransform, dict[str, Any]]]

PIPELINES: dict[str, Callable[[], list[A.BasicTransform]]] = {
    "none": list,
    "light": lambda: [
        A.HorizontalFlip(p=0.5),
        A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.15, p=0.5),
    ],
    "full": lambda: [
        A.HorizontalFlip(p=0.5),
        A.GaussianBlur(blur_limit=(3, 7), p=0.5),
        A.OneOf(
            [
                A.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1),
                ColourPCA(),
                HueSaturationValue(),
            ],
            p=0.5,
        ),
        JpegCompression(quality_range=(40, 100), p=0.5),
    ],
}
"""Augmentations by name; "full" has DeepfakeBench's kinds and strengths (docs/data.md)."""


def create_transform(pipeline: str, image_size: int) -> A.Compose:
    """Build an augmentation of uint8 images `[H, W, 3]` that resizes them to `image_size`."""
    resize = A.Resize(image_size, image_size, interpolation=cv2.INTER_AREA)
    return A.Compose([resize, *PIPELINES[pipeline]()])


def draw_view(transform: A.Compose, seed: int, image_size: int) -> Steps:
    """Draw the steps of a view and their parameters with the numbers that `transform` would draw.

    No step's parameters depend on the image, so both crops of a pair share them.
    `set_random_seed` would give every step the same numbers: each flipped image would also be
    blurred and compressed.
    """
    python, generator = random.Random(seed), np.random.default_rng(seed)
    transform.set_random_state(generator, python)
    python.random()  # A.Compose draws whether to transform at all
    any_image = np.empty((image_size, image_size, 3), dtype=np.uint8)
    steps = []
    for step in transform.transforms:
        if isinstance(step, A.OneOf):
            if python.random() >= step.p:
                continue
            step = step.transforms[generator.choice(len(step.transforms), p=step.transforms_ps)]
        elif not step.should_apply():
            continue
        params = {**step.get_params(), "shape": any_image.shape}
        params |= step.get_params_dependent_on_data(params, {"image": any_image})
        steps.append((step, params))
    return steps
