"""Run folders of a ladder: generated scores, evaluated as those of a real run."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from evaluation.comparison.reproduction import write_reproduction
from evaluation.comparison.run import find_runs
from evaluation.metrics.score_metrics import evaluate_scores
from records.data_info import (
    ConfoundControl,
    ControlFigure,
    DataInfo,
    Extraction,
    LeftOut,
)
from records.files import write_record
from records.folder import RunFolder
from records.identities import people
from records.protocol import Protocol
from records.provenance import Machine, ProvenanceRecord
from records.results import VERSION, ModelInfo, RunInfo, RunResults, TestMetrics
from records.scores import PEOPLE, WRITTEN, write_scores

FORGERIES = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
THRESHOLDS = {"frame": 0.5, "video": 0.48}
_EVALUATED: dict[bytes, dict[str, TestMetrics]] = {}
"""Metrics by the hash of the scores, which many tests share."""
PARAMS = {"teacher": 412_300, "student": 20_412}


MINIATURE = DataInfo(
    name="mini-FaceForensics++",
    miniature=True,
    kind="rendered",
    compression="c23",
    videos={"train": 480, "val": 80, "test": 160},
    crops=5752,
    frames_without_face=8,
    confound_control=ConfoundControl(
        logistic_regression=ControlFigure(auc=0.51, interval=(0.42, 0.59)),
        gradient_boosting=ControlFigure(auc=0.52, interval=(0.44, 0.61)),
        features=["file size", "bit rate", "length"],
        test_videos=160,
    ),
    extraction=Extraction(
        videos=720,
        crops=5752,
        frames=5760,
        frames_without_face=[
            LeftOut("mini-FaceForensics++/FaceSwap/003_004", "c23", frame) for frame in (0, 7)
        ],
        videos_without_face=[],
        unreadable=[],
        shorter_than_claimed=[],
        missing={},
        seconds=130.0,
        complete=True,
    ),
    seconds=702.0,
    command="make reproduce-ffpp",
)


def frame_scores(separation, seed, identities=12, frames=4, forgeries=FORGERIES, mini="mini-"):
    """Draw scores of every test frame; `separation` of real and fake in standard deviations."""
    rng = np.random.default_rng(seed)
    videos = []
    for i in range(identities):
        target, source = f"{i:03d}", f"{i ^ 1:03d}"  # exchanged in pairs
        videos.append((f"{mini}FaceForensics++", "c23", "original", target, 0))
        videos += [
            (f"{mini}FaceForensics++", "c23", method, f"{target}_{source}", 1)
            for method in forgeries
        ]
        videos.append((f"{mini}Celeb-DF-v2", "release", "Celeb-real", f"id{i}_0000", 0))
        videos.append((f"{mini}Celeb-DF-v2", "release", "Celeb-synthesis", f"id{i}_id1_0000", 1))
    table = pd.DataFrame(videos, columns=["dataset", "compression", "method", "video", "label"])
    person = rng.normal(size=identities)[np.arange(len(table)) // (len(forgeries) + 3)]
    shift = np.where(table["dataset"].str.contains("Celeb"), 0.4, 1.0) * separation
    logit = 0.6 * person + table["label"] * shift - shift / 2 + 0.7 * rng.normal(size=len(table))
    table = table.loc[table.index.repeat(frames)].reset_index(drop=True)
    table["frame"] = np.tile(np.arange(frames) * 7, len(table) // frames)
    noisy = np.repeat(logit.to_numpy(), frames) + 0.4 * rng.normal(size=len(table))
    table["score"] = 1 / (1 + np.exp(-noisy))
    return table


def write_run(
    root, method, seed=0, separation=1.5, scores=None, curves=True, protocol=None, **info
):
    """Write the folder of a run, `<root>/<method>-seed<seed>`, and return its path."""
    run = RunFolder(Path(root) / f"{method}-seed{seed}")
    run.path.mkdir(parents=True)
    if scores is None:
        scores = frame_scores(separation, seed=100 + seed)
    dataset = scores["dataset"].iloc[0]
    described = Protocol(
        dataset=dataset,
        compression="c23",
        methods=list(FORGERIES),
        frames_per_video=8,
        crop_scale=1.3,
        crop_size=112,
        aggregation="mean",
        selected_on=f"{dataset}/val video_auc",
        threshold=f"highest balanced accuracy on {dataset} c23/val, for each level",
        intervals="95% over the test identities, logit scale",
    )
    strengths = {"spatial": 1.2, "frequency": 1.4} if method == "teacher" else {}
    results = RunResults(
        version=VERSION,
        run=RunInfo(
            name=run.path.name,
            method=method,
            seed=seed,
            config_hash="5b1f0c77aa",
            git_commit="0123456789abcdef",
            checkpoint="best.ckpt",
            test_passes=1,
            **info,
        ),
        model=ModelInfo(PARAMS.get(method, 20_412), macs=11_400_000, input_size=112),
        protocol=msgspec.structs.replace(described, **(protocol or {})),
        metrics=_write_scores(run, None, scores),
        branches={
            branch: _write_scores(run, branch, frame_scores(strength, seed=7 + i))
            for i, (branch, strength) in enumerate(strengths.items())
        },
    )
    write_record(run.results, results)
    provenance = ProvenanceRecord(
        git_commit="0123456789abcdef",
        git_dirty=False,
        command="two-in-one reproduce",
        seed=seed,
        data_manifest_sha256="0" * 64,
        devices=1,
        trained_parameters=20_412,
        packages={"torch": "2.14.1", "lightning": "2.6.6"},
        machine=Machine("Linux", "3.11.7", "x86_64", "AVX2", 2, []),
    )
    write_record(run.provenance, provenance)
    if curves:
        _curves(method, seed, separation).to_csv(run.metrics, index=False)
    return run.path


def write_ladder(folder, run_folders, data=MINIATURE):
    """Write the results of a reproduction with the runs of these folders."""
    runs = [run for path in run_folders for run in find_runs(path)]
    return write_reproduction(folder, runs, data)


def _write_scores(run, branch, scores):
    whole = scores.assign(split="test")
    if not set(PEOPLE) <= set(scores):
        whole[PEOPLE] = [(*people(video), "")[:2] for video in scores["video"]]
    write_scores(whole[WRITTEN], run.scores(branch))
    key = pd.util.hash_pandas_object(scores).to_numpy().tobytes()
    if key not in _EVALUATED:
        _EVALUATED[key] = evaluate_scores(scores, THRESHOLDS)
    return _EVALUATED[key]


def _curves(method, seed, separation, epochs=8, steps=40):
    """Return sparse rows like those of Lightning's CSVLogger."""
    rng = np.random.default_rng([seed, len(method)])
    rows = []
    for step in range(epochs * steps):
        row = {"epoch": step // steps, "step": step}
        row["train/loss"] = 0.3 + np.exp(-step / (60 + 20 * separation)) + 0.05 * rng.normal()
        if method in ("naive", "dedicated", "two-in-one"):
            height = 0.25 if method == "two-in-one" else 0.15
            row["grad/cosine"] = height * np.cos(step / 90) + 0.08 * rng.normal()
            for k, task in enumerate(("spatial", "frequency")):
                row[f"grad/norm_{task}"] = (1 + k) * np.exp(0.2 * rng.normal())
                row[f"grad/weight_{task}"] = 1 / (1 + k) if method == "two-in-one" else 1.0
        rows.append(row)
        if step % steps == steps - 1:
            auc = 0.5 + (0.2 + 0.12 * separation) * (1 - np.exp(-step / 90)) + 0.01 * rng.normal()
            rows.append({"epoch": step // steps, "step": step, "val/video_auc": auc})
    return pd.DataFrame(rows)


class DrawnCrops:
    """A stand-in for a crop store, with drawn faces."""

    def __init__(self, scores):
        videos = scores.drop_duplicates(["dataset", "compression", "method", "video"])
        rows = [
            {**row, "split": "test", "track": 0, "row": i}
            for row in videos[["dataset", "compression", "method", "video", "label"]].to_dict(
                "records"
            )
            for i in range(4)
        ]
        self.manifest = pd.DataFrame(rows)

    def add_other_people(self):
        """Add crops of a second person to every video, as `extract --all_faces` does."""
        others = self.manifest.assign(track=1)
        self.manifest = pd.concat([self.manifest, others], ignore_index=True)

    def crop(self, index):
        rng = np.random.default_rng(index)
        y, x = np.mgrid[-1:1:112j, -1:1:112j]
        face = (x**2 / 0.35 + y**2 / 0.6 < 1)[..., None]
        skin, wall = rng.integers(90, 220, 3), rng.integers(40, 160, 3)
        return np.where(face, skin, wall).astype(np.uint8)
