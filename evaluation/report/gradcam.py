"""Grad-CAM of teacher and student on the test videos with the highest and lowest scores."""

from collections.abc import Sequence
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from captum.attr import LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from datamodules.crops.store import CropStore
from evaluation.comparison.run import Run
from evaluation.measurement.corrupted_scores import to_tensor
from evaluation.report.contact_sheet import SIDE, Strip, jpeg_uri, resize
from lightning_modules.detector import Detector, unit_range
from lightning_modules.networks.backbone import Branch
from lightning_modules.networks.multi_branch import MultiBranchNetwork
from lightning_modules.networks.student import StudentNetwork
from records.scores import VIDEO_KEY

_VIDEOS_PER_KIND = 2
_HEAT = 0.6  # opacity of the strongest evidence


def gradcam_examples(shown: Sequence[tuple[Run, Detector]], crops: CropStore) -> list[Strip]:
    """Compute Grad-CAM (Selvaraju et al., ICCV 2017) on videos chosen by the last run's scores.

    Each strip has the middle crop of a video, and maps of the evidence for "fake" at the last
    feature map of every branch of every run. A network's maps share one scale.
    """
    chosen = [
        (title, video, row)
        for title, video in _choose(shown[-1][0].videos)
        if (row := _middle_row(crops.manifest, video)) is not None
    ]
    if not chosen:
        return []
    pictures = [crops.crop(row) for _, _, row in chosen]
    maps = {
        " ".join(filter(None, (run.method, branch))): heat
        for run, detector in shown
        for branch, heat in class_activation_maps(detector, pictures).items()
    }
    scores = {run.method: run.videos.set_index(VIDEO_KEY)["score"] for run, _ in shown}
    strips = []
    for i, (title, video, _) in enumerate(chosen):
        face = resize(pictures[i])
        panels = {"crop": face, **{of: _overlay(face, heat[i]) for of, heat in maps.items()}}
        name = f"{video.method} {video.video}"
        key = tuple(getattr(video, column) for column in VIDEO_KEY)
        known = ", ".join(f"{method} {of_run[key]:.2f}" for method, of_run in scores.items())
        alt = f"Face crop of {name}, and Grad-CAM of {', '.join(maps)} on it"
        caption = f"{name}. Probability of fake: {known}."
        uri = jpeg_uri(list(panels.values()))
        strips.append(Strip(title, "", uri, alt, len(panels), tuple(panels), caption))
    return strips


def class_activation_maps(
    detector: Detector, crops: Sequence[NDArray[np.uint8]]
) -> dict[str, NDArray[np.float64]]:
    """Compute the evidence for "fake" by branch, `[crops, h, w]`, in [0, 1] over all crops."""
    images = unit_range(to_tensor(crops, detector.image_size))
    maps = {}
    for name, branch in _branches(detector.network).items():
        cam = LayerGradCam(detector.network, branch.backbone)
        heat: Tensor = cam.attribute(images, relu_attributions=True).detach()[:, 0].double()
        maps[name] = (heat / heat.max().clamp(min=1e-12)).numpy()
    return maps


def _branches(network: nn.Module) -> dict[str, Branch]:
    """Return the branches by name; a single branch has no name."""
    if isinstance(network, MultiBranchNetwork):
        return {name: cast(Branch, branch) for name, branch in network.branches.items()}
    return {"": cast(StudentNetwork, network).branch}


def _choose(videos: pd.DataFrame) -> list[tuple[str, Any]]:
    """Return the videos with the most wrong, then the most confident scores, with titles."""
    fakes = videos[videos["label"] == 1].sort_values("score", kind="stable")
    reals = videos[videos["label"] == 0].sort_values("score", kind="stable", ascending=False)
    n = _VIDEOS_PER_KIND
    kinds = (
        ("Fake, lowest score", fakes.head(n)),
        ("Real, highest score", reals.head(n)),
        ("Fake, highest score", fakes.iloc[n:].tail(n)),
        ("Real, lowest score", reals.iloc[n:].tail(n)),
    )
    return [(title, video) for title, rows in kinds for video in rows.itertuples()]


def _middle_row(manifest: pd.DataFrame, video: Any) -> int | None:
    same = [manifest[key] == getattr(video, key) for key in VIDEO_KEY]
    rows = manifest.index[np.logical_and.reduce([*same, manifest["track"] == 0])]
    return int(rows[len(rows) // 2]) if len(rows) else None


def _overlay(face: NDArray[np.uint8], heat: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the grey face, colored by the evidence."""
    fitted = interpolate(torch.from_numpy(heat)[None, None], (SIDE, SIDE), mode="bilinear")
    strength = fitted[0, 0].clamp(0, 1).numpy()[..., None]
    colors = mpl.colormaps["inferno"](0.25 + 0.75 * strength[..., 0])[..., :3] * 255
    grey = face.mean(axis=2, keepdims=True).repeat(3, axis=2)
    mixed = grey + _HEAT * strength * (colors - grey)
    return mixed.round().astype(np.uint8)
