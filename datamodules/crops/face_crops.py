from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits
from torch.utils.data import Dataset

from datamodules.crops.store import CropStore
from datamodules.sampling import View, video_codes
from datamodules.transforms import create_transform, seed_view


class FaceCrops(Dataset[dict[str, Any]]):
    """Crops of a store by view.

    Each is `image` uint8 `[S, S, 3]`, `label`, `method`, `row` and `video` code. The method is 0 of
    a real crop, 1 and on of the given ones, -1 of others. `view` is the seed of its augmentation,
    -1 where there is none.
    """

    def __init__(
        self, store: CropStore, image_size: int, augmentation: str, methods: list[str]
    ) -> None:
        self.store = store
        self.augment = create_transform(augmentation, image_size)
        self.resize = create_transform("none", image_size)
        self.labels = store.manifest["label"].to_numpy()
        self.videos = video_codes(store.manifest)
        there = store.manifest["method"].cat
        numbers = pd.Index(methods).get_indexer(there.categories)[there.codes]
        self.methods = np.where(self.labels == 0, 0, np.where(numbers < 0, -1, numbers + 1))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, view: View) -> dict[str, Any]:
        row, seed = view
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
        }


def collate_views(views: list[dict[str, Any]]) -> dict[str, Any]:
    """Make a batch: `image`, a tensor `[B, 3, S, S]`, and the numbers as arrays `[B]`.

    A picture is copied once to its place. Each tensor that leaves a worker takes a connection of
    its own, which cost as much as augmenting five crops; `FaceForensicsDataModule` makes tensors
    of the numbers where the batch arrives.
    """
    pictures = [view.pop("image") for view in views]
    images = torch.empty((len(pictures), 3, *pictures[0].shape[:2]), dtype=torch.uint8)
    for planes, picture in zip(images.numpy(), pictures, strict=True):
        cv2.split(picture, list(planes))
    numbers = {name: np.array([view[name] for view in views]) for name in views[0]}
    return {"image": images, **numbers}


def one_thread(_worker: int) -> None:
    """Keep a loader's worker to its core: threads of BLAS and OpenCV halved the throughput."""
    cv2.setNumThreads(0)
    threadpool_limits(1)
