import hashlib
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import albumentations
import cv2
import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.crops.batch_buffers import BatchBuffers
from datamodules.crops.face_crops import FaceCrops, one_thread, whole_batch
from datamodules.crops.selection import select_rows
from datamodules.crops.store import CropStore
from datamodules.crops.test_sets import TestSet, check_slices, further_test_sets
from datamodules.sampling import (
    SAMPLED,
    BalancedSampler,
    Rows,
    ShardSampler,
    crops_per_epoch,
    evenly_spaced,
)
from errors import InputError, require_number


@dataclass(frozen=True)
class FixedViews:
    """The training views that recur, for a cache of what a frozen network computes from them.

    `sample` of a batch is an index of `shape`, (views, real crops, 2), flattened. `key` holds
    everything that the pixels of all views depend on, serializable as JSON.
    """

    shape: tuple[int, int, int]
    key: dict[str, Any]


class FaceForensicsDataModule(LightningDataModule):
    """Feeds face crops of a crop store to teacher and student.

    Any mix of data sets, compressions and methods of one store. A test pass also scores the
    validation split, on which the threshold is chosen. A batch is a `datamodules.batch.Batch`;
    images are uint8, and the model normalizes them on its device.

    Args:
        crops: Folder of the crop store.
        compression: Compression to train on, raw, c23 or c40, or a list of them.
        methods: Forgery methods of the trained data sets; None for all.
        datasets: Data sets to train and validate on; None for those that have a validation split
            (FaceForensics++).
        test_datasets: Data sets to test on; None for all.
        frames_per_video: Crops per video that an epoch shows, redrawn in each epoch, and that are
            evaluated, evenly spaced; None for all.
        image_size: Side S of the images in pixels; larger crops are reduced.
        batch_size: Global batch size, divided evenly over the devices.
        augmentation: Training augmentation.
        views: Number of epochs with views of their own; later epochs repeat them in another order.
            None draws new views in every epoch.
        num_workers: Loader processes per device.
        seed: Seed of order and augmentation.
        test_compressions: Compressions to test on; None for the trained ones. Checkpoint and
            thresholds are always chosen on the trained ones.
        test_crops: Further crop stores, whose test splits are tested on too; see
            `further_test_sets`.
        slices: Columns of the manifests, e.g. skin_tone, by which a test reports figures per slice.

    Raises:
        InputError: A number is out of range, or see `select_rows`, `further_test_sets` and
            `check_slices`.
    """

    def __init__(
        self,
        crops: str,
        compression: str | list[str] = "c23",
        methods: list[str] | None = None,
        datasets: list[str] | None = None,
        test_datasets: list[str] | None = None,
        frames_per_video: int | None = None,
        image_size: int = 256,
        batch_size: int = 32,
        augmentation: Literal["none", "light", "full"] = "full",
        views: int | None = None,
        num_workers: int = 4,
        seed: int = 0,
        test_compressions: list[str] | None = None,
        test_crops: list[str] | None = None,
        slices: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.store = CropStore(Path(crops))
        self.compressions = [compression] if isinstance(compression, str) else compression
        self.frames_per_video = frames_per_video
        self.image_size = image_size
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.views = views
        self.num_workers = num_workers
        self.seed = seed
        self._trained = 0
        self._check_numbers()
        self.rows = select_rows(
            self.store,
            compressions=self.compressions,
            test_compressions=test_compressions,
            methods=methods,
            datasets=datasets,
            test_datasets=test_datasets,
        )
        manifest = self.store.manifest[SAMPLED]
        if frames_per_video is not None:
            for split in ("val", "test"):
                rows = self.rows[split]
                self.rows[split] = rows[evenly_spaced(manifest.iloc[rows], frames_per_video)]
        training = manifest.iloc[self.rows["train"]]
        if (epoch := crops_per_epoch(training, frames_per_video)) < batch_size:
            msg = f"data.batch_size {batch_size}: an epoch has only {epoch} crops; lower it"
            raise InputError(msg)
        self.forgeries = sorted(training["method"][training["label"] == 1].unique())
        self.dataset = FaceCrops(self.store, image_size, augmentation, self.forgeries)
        self.slices, tested_at = slices or [], test_compressions or self.compressions
        self.tested = further_test_sets(
            TestSet.of_store(self.store, np.concatenate([self.rows["val"], self.rows["test"]])),
            [CropStore(Path(folder)) for folder in test_crops or ()],
            tested_at,
            image_size,
            frames_per_video,
        )
        check_slices(self.tested, self.slices)

    def _check_numbers(self) -> None:
        least = {"batch_size": 2, "num_workers": 0, "seed": 0}
        for name in ("image_size", "frames_per_video", "views", *least):
            require_number(f"data.{name}", getattr(self, name), least=least.get(name, 1))
        self._check_batch_size(ranks=1)
        if self.image_size > self.store.size:
            msg = (
                f"data.image_size {self.image_size}: the crops of {self.store.root} are only "
                f"{self.store.size} px wide; lower it, or extract larger crops into another folder"
            )
            raise InputError(msg)

    def _check_batch_size(self, ranks: int) -> None:
        if self.batch_size % (2 * ranks):
            over = f" over {ranks} devices" if ranks > 1 else ""
            msg = (
                f"data.batch_size {self.batch_size} does not divide into pairs of real and fake"
                f"{over}: choose a multiple of {2 * ranks}"
            )
            raise InputError(msg)

    def setup(self, stage: str) -> None:
        """Check that the batch divides over the devices."""
        self._check_batch_size(self._ranks)

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Balanced, augmented batches of the training split."""
        sampler = BalancedSampler(
            self.store.manifest[SAMPLED].iloc[self.rows["train"]],
            self.batch_size,
            self.seed,
            self._rank,
            self._ranks,
            self.frames_per_video,
            self.views,
        )
        sampler.start = self._trained % sampler.batches
        self._trained = 0
        return self._loader(sampler)

    def state_dict(self) -> dict[str, int]:
        """Return the number of batches trained in this epoch, after which a resumed run starts."""
        assert self.trainer is not None
        progress = self.trainer.fit_loop.epoch_loop.batch_progress
        # An epoch may be limited to fewer batches than the sampler has.
        return {"batches": 0 if progress.is_last_batch else progress.current.ready}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Start the next training epoch after these batches."""
        self._trained = state["batches"]

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every validation crop once."""
        return self._loader(self._shard(self.rows["val"]))

    def test_dataloader(self) -> list[DataLoader[dict[str, Any]]]:
        """Every validation and test crop once, and every test crop of `test_crops`."""
        return [
            self._loader(self._shard(one.rows), one.crops(self.image_size, self.forgeries))
            for one in self.tested
        ]

    def on_before_batch_transfer(
        self, batch: dict[str, Any], dataloader_idx: int
    ) -> dict[str, Tensor]:
        """Convert the numbers of a batch to tensors."""
        return {name: torch.as_tensor(values) for name, values in batch.items()}

    def fixed_views(self, epochs: int | None) -> FixedViews | None:
        """Return the views of `data.views` or else `epochs` epochs; None if that is open."""
        views = self.views or epochs
        if views is None or views < 0:
            return None
        real = int((self.dataset.labels[self.rows["train"]] == 0).sum())
        key = {
            "manifest": self.store.manifest_hash,
            "rows": hashlib.sha256(self.rows["train"].tobytes()).hexdigest(),
            "frames_per_video": self.frames_per_video,
            "views": self.views,
            "epochs": epochs,
            "seed": self.seed,
            # It names every transform, its parameters, and albumentations' version.
            "pipeline": albumentations.to_dict(self.dataset.augment),
            "opencv": cv2.__version__,
        }
        return FixedViews((views, real, 2), key)

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _ranks(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    def _shard(self, rows: Rows) -> ShardSampler:
        return ShardSampler(rows, self._rank, self._ranks)

    def _loader(
        self, sampler: BalancedSampler | ShardSampler, crops: FaceCrops | None = None
    ) -> DataLoader[dict[str, Any]]:
        dataset, batch_size = copy(crops or self.dataset), self.batch_size // self._ranks
        if self.num_workers:
            dataset.buffers = BatchBuffers(self.num_workers, batch_size, self.image_size)
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=whole_batch,
            worker_init_fn=one_thread,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
