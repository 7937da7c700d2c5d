"""The ladder of a reproduction: methods and seeds on one crop store, as runs to be run."""

import hashlib
import json
import math
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from msgspec import structs

from datamodules.crops.ledger import read_extraction
from datamodules.crops.manifest import MANIFEST
from datamodules.crops.store import CropStore
from datamodules.mini_ffpp.miniature import MARKER, read_miniature
from experiments.recipe import CONFIGS, Recipe, find_config
from experiments.runner import PlannedRun
from records.data_info import DataInfo
from records.folder import RunFolder


@dataclass(frozen=True)
class Sources:
    """The roots of FaceForensics++ (or its miniature) and Celeb-DF, and their crop store."""

    ffpp: Path
    celeb_df: Sequence[Path]
    crops: Path
    compression: str


@dataclass(frozen=True)
class Ladder:
    """A grid of methods and seeds.

    Attributes:
        folder: Folder of the reproduction, in which each run has a folder of its own.
        devices: Devices per run.
        jobs: Students at a time. The output of one run is shown, that of several goes to log.txt
            files.
    """

    folder: Path
    sources: Sources
    recipe: Recipe
    devices: int
    jobs: int = 1

    @property
    def targets(self) -> Path:
        """Folder of the teacher's targets, which all students of a seed share."""
        return self.folder / "teacher-targets"

    def teacher(self, seed: int) -> PlannedRun:
        """Return the run of a teacher."""
        return self._plan("teacher", seed, [find_config(self.recipe.teacher)], logged=False)

    def student(self, method: str, seed: int, teacher: Path) -> PlannedRun:
        """Return the run of a student; a rung with `teacher: null` does not use the teacher."""
        rung = find_config(method, "methods")
        configs = [find_config(self.recipe.student), rung]
        own = []
        if "teacher" not in _model_args(method):
            own.append(f"--model.init_args.teacher={teacher}")
            if self.recipe.share_targets:
                own.append("--model.init_args.frozen_teacher.cache=shared")
                own.append(f"--model.init_args.frozen_teacher.folder={self.targets}")
        return self._plan(rung.stem, seed, configs, *own, logged=self.jobs > 1)

    def start_order(self, methods: Sequence[str]) -> list[str]:
        """Order rungs so that few compute the same shared targets at the same time.

        The rung with the most targets fills the cache, while those without targets train.
        """
        if not self.recipe.share_targets:
            return list(methods)
        targets = {method: _model_args(method).get("targets") for method in methods}
        # By default a rung distils all branches.
        counts = {m: math.inf if names is None else len(names) for m, names in targets.items()}
        first = max(methods, key=lambda method: counts[method])
        rest = [method for method in methods if method != first]
        return [first, *sorted(rest, key=lambda method: counts[method] > 0)]

    def _plan(
        self, method: str, seed: int, configs: Sequence[Path], *own: str, logged: bool
    ) -> PlannedRun:
        folder = self.folder / f"{method}-seed{seed}"
        paths = [*(find_config(name) for name in self.recipe.configs), *configs]
        argv = [
            "fit",
            *(f"-c={path}" for path in paths),
            f"--data.crops={self.sources.crops}",
            f"--data.compression={self.sources.compression}",
            f"--trainer.devices={self.devices}",
            f"--seed_everything={seed}",
            f"--run.dir={folder}",
            f"--run.method={method}",
            "--run.test=true",
            "--run.resume=true",
            *(["--trainer.strategy=ddp"] if self.devices > 1 else []),
            *own,
        ]
        log = folder / "log.txt" if logged else None
        return PlannedRun(name=folder.name, argv=argv, finished=RunFolder(folder).results, log=log)


def _model_args(method: str) -> dict[str, Any]:
    content = yaml.safe_load(find_config(method, "methods").read_text()) or {}
    arguments: dict[str, Any] = content.get("model", {}).get("init_args", {})
    return arguments


def name_reproduction(sources: Sources, recipe: Recipe, methods: Sequence[str]) -> str:
    """Name a reproduction by its data and by every setting of its runs.

    All rungs of configs/methods are part of the name, so that further ones extend a ladder, and
    those of a user's own among `methods`.
    """
    digest = hashlib.sha256((sources.crops / MANIFEST).read_bytes())
    shipped = sorted((CONFIGS / "methods").glob("*.yaml"))
    own = sorted({find_config(method, "methods") for method in methods} - set(shipped))
    for path in (*recipe.config_files(), *shipped, *own):
        settings = yaml.safe_load(path.read_text())  # without comments
        digest.update(json.dumps(settings, sort_keys=True).encode())
    data = sources.crops.name.removesuffix("-crops")
    return f"{data}-{sources.compression}-{digest.hexdigest()[:8]}"


def describe_data(sources: Sources, folder: Path) -> DataInfo:
    """Return the `data` block of the results.json in a reproduction's folder.

    Raises:
        InputError: A record of the crop store or of the miniature is damaged or was edited.
    """
    store = CropStore(sources.crops)
    manifest = store.manifest
    extraction = read_extraction(sources.crops)
    videos = manifest.drop_duplicates(["dataset", "compression", "method", "video"])
    splits = videos["dataset"].astype(str) + "/" + videos["split"].astype(str)
    data = DataInfo(
        name=str(manifest.loc[manifest["split"] == "val", "dataset"].iloc[0]),
        compression=sources.compression,
        videos={str(split): int(n) for split, n in splits.value_counts().items()},
        crops=len(manifest),
        frames_without_face=len(extraction.frames_without_face),
        manifest_sha256=store.manifest_hash,
        store=structs.asdict(store.settings),
        extraction=extraction,
        crop_store=os.path.relpath(sources.crops.resolve(), folder.resolve()),
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    )
    if not (sources.ffpp / MARKER).exists():
        return data
    made = read_miniature(sources.ffpp)
    control = made.confound_control.get(sources.compression)
    return structs.replace(data, miniature=True, kind=made.kind, confound_control=control)
