from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from datamodules.face_forensics import FaceForensicsDataModule


def train_images(crops: Path, workers: int) -> list[Tensor]:
    """Return the images of an epoch, all held at once: more batches than workers have buffers."""
    data = FaceForensicsDataModule(
        str(crops), image_size=32, batch_size=2, num_workers=workers, augmentation="full"
    )
    return [batch["image"] for batch in data.train_dataloader()]


@pytest.fixture(scope="module")
def expected(noise_crops: Path) -> np.ndarray:
    return np.stack([images.numpy() for images in train_images(noise_crops, workers=0)])


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_that_are_kept_are_not_overwritten(
    noise_crops: Path, expected: np.ndarray, workers: int
) -> None:
    images = train_images(noise_crops, workers)
    assert len(images) > 4
    np.testing.assert_array_equal(np.stack([one.numpy() for one in images]), expected)


def test_a_batch_that_only_an_array_refers_to_is_not_overwritten(
    noise_crops: Path, expected: np.ndarray
) -> None:
    images = [image.permute(0, 2, 3, 1)[0].numpy() for image in train_images(noise_crops, 1)]
    np.testing.assert_array_equal(np.stack(images), expected[:, 0].transpose(0, 2, 3, 1))


def test_memory_is_reused_once_a_batch_is_gone(noise_crops: Path, expected: np.ndarray) -> None:
    data = FaceForensicsDataModule(
        str(noise_crops), image_size=32, batch_size=2, num_workers=1, augmentation="full"
    )
    loader = data.train_dataloader()
    addresses = []
    for epoch in range(3):
        loader.sampler.set_epoch(0)
        for number, batch in enumerate(loader):
            np.testing.assert_array_equal(batch["image"].numpy(), expected[number], str(epoch))
            addresses.append(batch["image"].data_ptr())
            del batch
    assert len(addresses) == 24
    assert len(set(addresses)) <= 4
