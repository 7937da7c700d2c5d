from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits
from torch.utils.data import Dataset

from datamodules.crops.store import CropStore
from datamodules.sampling import View
from datamodules.transforms import create_transform, seed_view


class FaceCrops(Dataset[dict[str, Any]]):
    """Crops of a store by view; an item is one of a `Batch`, its image uint8 `[S, S, 3]`."""

    def __init__(
        self, store: CropStore, image_size: int, augmentation: str, methods: list[str]
    ) -> None:
        self.store = store
        self.augment = create_transform(augmentation, image_size)
        self.resize = create_transform("none", image_size)
        self.labels = store.manifest["label"].to_numpy()
        self.videos = store.videos
        names = store.manifest["method"].cat
        numbers = pd.Index(methods).get_indexer(names.categories)[names.codes]
        self.methods = np.where(self.labels == 0, 0, np.where(numbers < 0, -1, numbers + 1))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, view: View) -> dict[str, Any]:
        row, seed, sample = view
        transform = self.resize
        if seed is not None:
            transform = self.augment
            seed_view(transform, seed)
        image = transform(image=self.store.crop(row))["image"]
        return {
            "image": image,
            "label": int(self.labels[row]),
            "method": int(self.methods[row]),
            "row": row,
            "video": int(self.videos[row]),
            "view": -1 if seed is None else seed,
            "sample": sample,
        }


def collate_views(views: list[dict[str, Any]]) -> dict[str, Any]:
    """Collate items into `image`, a tensor `[B, 3, S, S]`, and numbers as arrays `[B]`.

    A tensor that leaves a worker needs a connection of its own, which costs as much as augmenting
    five crops, so `FaceForensicsDataModule` converts the numbers after the batch has arrived.
    """
    pictures = [view.pop("image") for view in views]
    images = torch.empty((len(pictures), 3, *pictures[0].shape[:2]), dtype=torch.uint8)
    for planes, picture in zip(images.numpy(), pictures, strict=True):
        cv2.split(picture, list(planes))
    numbers = {name: np.array([view[name] for view in views]) for name in views[0]}
    return {"image": images, **numbers}


def one_thread(_worker: int) -> None:
    """Limit a loader's worker to one core: threads of BLAS and OpenCV halved the throughput."""
    cv2.setNumThreads(0)
    threadpool_limits(1)
