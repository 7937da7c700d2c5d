from collections.abc import Callable

import albumentations as A  # noqa: N812 -- the name albumentations' own documentation uses
import cv2

PIPELINES: dict[str, Callable[[], list[A.BasicTransform]]] = {
    "none": list,
    "light": lambda: [
        A.HorizontalFlip(p=0.5),
        A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.15, p=0.5),
    ],
    "full": lambda: [
        A.HorizontalFlip(p=0.5),
        A.Rotate(limit=10, border_mode=cv2.BORDER_REFLECT_101, p=0.5),
        A.GaussianBlur(blur_limit=(3, 7), p=0.1),
        A.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1, p=0.5),
        A.ImageCompression(quality_range=(40, 100), p=0.1),
    ],
}
"""Augmentations by name; "full" has DeepfakeBench's kinds and strengths, without FancyPCA."""


def create_transform(pipeline: str, image_size: int) -> A.Compose:
    """Make an augmentation that takes and gives uint8 `[H, W, 3]`, resized to `image_size`."""
    # The smallest image is 1 px: resizing an image of the right size costs nothing.
    resize = A.Resize(image_size, image_size, interpolation=cv2.INTER_AREA)
    return A.Compose([resize, *PIPELINES[pipeline]()])
