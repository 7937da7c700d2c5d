from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.crops.face_crops import FaceCrops, collate_views, one_thread
from datamodules.crops.store import CropStore
from datamodules.sampling import (
    BalancedSampler,
    ShardSampler,
    evenly_spaced,
)
from errors import InputError, look_up

Compression = Literal["raw", "c23", "c40"]
# Celeb-DF, and anyone's own videos, come in one compression of their own.
RELEASE = "release"
SAMPLED = ["dataset", "compression", "method", "video", "target", "label", "frame"]


class FaceForensicsDataModule(LightningDataModule):
    """Feeds face crops of a crop store to teacher and student.

    Any mix of data sets, compressions and methods of one store. A test pass also scores the
    validation split, on which the threshold is chosen. Batches are uint8; the model normalizes
    them on its device.

    Args:
        crops: Folder of the crop store.
        compression: Compression to train on, raw, c23 or c40, or a list of them.
        methods: Forgery methods of the trained data sets to use; all where not given.
        datasets: Data sets to train and validate on; those that have a validation split
            (FaceForensics++) where not given.
        test_datasets: Data sets to test on; all where not given.
        frames_per_video: Crops of a video that an epoch shows, drawn anew each epoch, and that
            are evaluated, evenly spaced; all where not given.
        image_size: Side S of the crops, in pixels; other crops are resized.
        batch_size: Global batch size, divided evenly over the devices.
        augmentation: Training augmentation.
        views: Epochs with views of their own; the following ones show these again, in another
            order. None gives every epoch new ones.
        num_workers: Loader processes on each device.
        seed: Seed of order and augmentation.
        test_compressions: Compressions to test on; the trained ones where not given. Checkpoint
            and thresholds are chosen on the trained ones all the same.

    Raises:
        InputError: The store lacks what is asked for, or the batch does not divide.
    """

    def __init__(
        self,
        crops: str,
        compression: Compression | list[Compression] = "c23",
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
        test_compressions: list[Compression] | None = None,
    ) -> None:
        super().__init__()
        self.store = CropStore(Path(crops))
        self.compressions = [compression] if isinstance(compression, str) else compression
        self.methods = methods
        self.datasets = datasets
        self.test_datasets = test_datasets
        if frames_per_video is not None and frames_per_video < 1:
            msg = f"data.frames_per_video {frames_per_video}: expected 1 or more, or null for all"
            raise InputError(msg)
        self.frames_per_video = frames_per_video
        self.image_size = image_size
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.views = views
        self.num_workers = num_workers
        self.seed = seed
        self.test_compressions = test_compressions
        self._trained = 0

    def setup(self, stage: str) -> None:
        """Choose the rows of each split."""
        manifest = self.store.manifest
        there = list(manifest["dataset"].unique())
        validated = list(manifest.loc[manifest["split"] == "val", "dataset"].unique())
        trained = self._known("datasets", self.datasets, there) or validated
        tested = self._known("test_datasets", self.test_datasets, there) or there
        is_trained = manifest["dataset"].isin(trained)
        used = self._used(manifest, is_trained)
        own = used & is_trained & self._compressed(manifest, self.compressions)
        tested_at = self.test_compressions or self.compressions
        chosen = {
            "train": own & (manifest["split"] == "train"),
            "val": own & (manifest["split"] == "val"),
            "test": used
            & manifest["dataset"].isin(tested)
            & self._compressed(manifest, tested_at)
            & (manifest["split"] == "test"),
        }
        self.rows = {split: np.flatnonzero(mask) for split, mask in chosen.items()}
        for split, rows in self.rows.items():
            self._check_classes(split, rows, tested_at if split == "test" else self.compressions)
            if split != "train" and self.frames_per_video is not None:
                kept = evenly_spaced(manifest[SAMPLED].iloc[rows], self.frames_per_video)
                self.rows[split] = rows[kept]
        methods = manifest["method"].iloc[self.rows["train"]]
        labels = manifest["label"].iloc[self.rows["train"]]
        self.forgeries = sorted(methods[labels == 1].unique())
        self.dataset = FaceCrops(self.store, self.image_size, self.augmentation, self.forgeries)

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Balanced, augmented batches of the training split."""
        crops = self.store.manifest[SAMPLED].iloc[self.rows["train"]]
        sampler = BalancedSampler(
            crops,
            self.batch_size,
            self.seed,
            self._rank,
            self._ranks,
            self.frames_per_video,
            self.views,
        )
        if not sampler.batches:
            msg = (
                f"an epoch holds {2 * len(sampler.real)} crops, fewer than data.batch_size "
                f"{self.batch_size}: lower it"
            )
            raise InputError(msg)
        sampler.start = self._trained % sampler.batches
        self._trained = 0
        return self._loader(sampler)

    def state_dict(self) -> dict[str, int]:
        """Give the batches of this epoch that have been trained on, for a run to go on there."""
        assert self.trainer is not None
        progress = self.trainer.fit_loop.epoch_loop.batch_progress
        # An epoch may be limited to fewer batches than the sampler has.
        return {"batches": 0 if progress.is_last_batch else progress.current.ready}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next epoch's training behind these batches."""
        self._trained = state["batches"]

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every validation crop once."""
        return self._loader(ShardSampler(self.rows["val"], self._rank, self._ranks))

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every validation and test crop once."""
        rows = np.concatenate([self.rows["val"], self.rows["test"]])
        return self._loader(ShardSampler(rows, self._rank, self._ranks))

    def predict_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Every test crop once."""
        return self._loader(ShardSampler(self.rows["test"], self._rank, self._ranks))

    def on_before_batch_transfer(
        self, batch: dict[str, Any], dataloader_idx: int
    ) -> dict[str, Tensor]:
        """Make tensors of a batch's numbers."""
        return {name: torch.as_tensor(values) for name, values in batch.items()}

    @property
    def num_views(self) -> int | None:
        """Training views there are in all; None where every epoch has new ones."""
        labels = self.store.manifest["label"].to_numpy()[self.rows["train"]]
        return None if self.views is None else 2 * self.views * int((labels == 0).sum())

    @property
    def view_key(self) -> tuple[str, str, int, int]:
        """What the pixels of a view follow from, beside its row and seed."""
        return self.store.manifest_hash, self.augmentation, self.image_size, self.seed

    def video_names(self, rows: list[int]) -> list[str]:
        """Name the videos of these crops, each once: data set/method/id."""
        crops = self.store.manifest.iloc[rows]
        names = crops[["dataset", "method", "video"]].astype(str).agg("/".join, axis=1)
        return list(dict.fromkeys(names))

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _ranks(self) -> int:
        return self.trainer.world_size if self.trainer else 1

    def _loader(self, sampler: BalancedSampler | ShardSampler) -> DataLoader[dict[str, Any]]:
        if self.batch_size % (2 * self._ranks):
            msg = (
                f"data.batch_size {self.batch_size} does not divide into pairs of real and fake "
                f"over {self._ranks} devices: choose a multiple of {2 * self._ranks}"
            )
            raise InputError(msg)
        return DataLoader(
            self.dataset,
            batch_size=self.batch_size // self._ranks,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=collate_views,
            worker_init_fn=one_thread,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def _known(self, option: str, names: list[str] | None, there: list[str]) -> list[str]:
        for name in names or ():
            look_up(f"data.{option}: data set", name, dict.fromkeys(there))
        return names or []

    def _used(self, manifest: pd.DataFrame, is_trained: pd.Series) -> pd.Series:
        for name in {*self.compressions, *(self.test_compressions or ())}:
            if not (manifest["compression"] == name).any():
                held = ", ".join(map(str, manifest["compression"].unique()))
                msg = f"{self.store.root} has no crop of compression {name}: it has {held}"
                raise InputError(msg)
        # Other tracks are people beside the one that the video is of.
        used = manifest["track"] == 0
        if self.methods is not None:
            there = set(manifest.loc[manifest["label"] == 1, "method"].unique())
            if missing := sorted(set(self.methods) - there):
                msg = (
                    f"data.methods names {', '.join(missing)}, which {self.store.root} does not "
                    f"hold: it has {', '.join(sorted(there))}"
                )
                raise InputError(msg)
            used &= (manifest["label"] == 0) | manifest["method"].isin(self.methods) | ~is_trained
        return used

    def _compressed(self, manifest: pd.DataFrame, compressions: Sequence[str]) -> pd.Series:
        return manifest["compression"].isin([*compressions, RELEASE])

    def _check_classes(self, split: str, rows: np.ndarray, compressions: Sequence[str]) -> None:
        labels = self.store.manifest["label"].to_numpy()[rows]
        for label, name in ((0, "real"), (1, "fake")):
            if not (labels == label).any():
                msg = (
                    f"{self.store.root} has no {name} crop in the {split} split at compression "
                    f"{', '.join(compressions)}: extract them with `two-in-one extract`"
                )
                raise InputError(msg)
