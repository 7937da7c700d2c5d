from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from torch.utils.data import Dataset

from datamodules.crops.batch_buffers import BatchBuffers, as_images
from datamodules.crops.store import CropStore
from datamodules.sampling import View
from datamodules.transforms import Steps, create_transform, draw_view


class FaceCrops(Dataset[dict[str, Any]]):
    """Batches of crops of a store: the tensor `image` and the numbers of a `Batch` as arrays.

    Each tensor that leaves a worker needs a connection of its own, so `FaceForensicsDataModule`
    converts the numbers after the batch has arrived. `first_row` and `first_video` are added to the
    row and the video of a batch, see `TestSet`.
    """

    def __init__(
        self,
        store: CropStore,
        image_size: int,
        augmentation: str,
        methods: list[str],
        first_row: int = 0,
        first_video: int = 0,
    ) -> None:
        self.store = store
        self.first_row, self.first_video = first_row, first_video
        self.image_size = image_size
        self.buffers: BatchBuffers | None = None
        self.augment = create_transform(augmentation, image_size)
        self.resize = create_transform("none", image_size)
        self.labels = store.manifest["label"].to_numpy()
        self.videos = store.videos
        names = store.manifest["method"].cat
        numbers = pd.Index(methods).get_indexer(names.categories)[names.codes]
        self.methods = np.where(self.labels == 0, 0, np.where(numbers < 0, -1, numbers + 1))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, views: Sequence[View]) -> dict[str, Any]:
        """Return a batch; a DataLoader calls this instead of fetching crops one by one."""
        shared = self.buffers.allocate(len(views)) if self.buffers else None
        shape = (len(views), self.image_size, self.image_size, 3)
        images = shared.array if shared else np.empty(shape, dtype=np.uint8)
        steps = {seed: self._draw(seed) for seed in {view.seed for view in views}}
        for image, view in zip(images, views, strict=True):
            crop = self.store.crop(view.row)
            for step, params in steps[view.seed]:
                crop = step.apply(crop, **params)
            np.copyto(image, crop)
        rows = np.array([view.row for view in views])
        return {
            "image": shared or as_images(images),
            "label": self.labels[rows].astype(np.int64),
            "method": self.methods[rows].astype(np.int64),
            "row": rows + self.first_row,
            "video": self.videos[rows].astype(np.int64) + self.first_video,
            "view": np.array([-1 if view.seed is None else view.seed for view in views]),
            "sample": np.array([view.sample for view in views]),
        }

    def _draw(self, seed: int | None) -> Steps:
        transform = self.resize if seed is None else self.augment
        return draw_view(transform, seed or 0, self.image_size)


def whole_batch(batch: Any) -> Any:
    """Collate a batch of `FaceCrops`, which is complete."""
    return batch


def one_thread(_worker: int) -> None:
    """Limit a loader's worker to one core: threads of BLAS and OpenCV halved the throughput."""
    cv2.setNumThreads(0)
    threadpool_limits(1)
