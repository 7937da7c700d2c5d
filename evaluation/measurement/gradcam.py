"""Where teacher and student look: Grad-CAM on the videos they get most wrong and most right."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from captum.attr import LayerGradCam
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate

from datamodules.transforms import create_transform
from evaluation.comparison.run import Run
from evaluation.report.contact_sheet import SIDE, CropSource
from lightning_modules.detector import Detector, unit_range
from lightning_modules.networks.branch import Branch
from lightning_modules.networks.multi_branch import MultiBranchNetwork
from lightning_modules.networks.student import StudentNetwork
from records.scores import VIDEO_KEY

EACH = 2  # videos of each kind
_QUALITY = 88  # of JPEG
_HEAT = 0.6  # opacity of the strongest evidence


@dataclass(frozen=True)
class Example:
    """One test video: its middle crop, and what each network goes by."""

    title: str
    uri: str
    alt: str
    panels: list[str]
    caption: str


def gradcam_examples(
    teacher: tuple[Run, Detector] | None, student: tuple[Run, Detector], crops: CropSource
) -> list[Example]:
    """Grad-CAM (Selvaraju et al., ICCV 2017) of both on the videos chosen by the student's scores.

    Of fakes and of reals the EACH lowest and highest. The maps show the evidence for "fake" at the
    last feature map of every branch, each in one scale over all examples, so that a dark map means
    little evidence.

    Args:
        teacher: Its run and detector, where there is one.
        student: Its run and detector.
        crops: Store that the student was tested on.
    """
    chosen = _choose(student[0].videos)
    rows = [_middle_row(crops.manifest, video) for _, video in chosen]
    found = [(title, video, row) for (title, video), row in zip(chosen, rows, strict=True)]
    found = [(title, video, row) for title, video, row in found if row is not None]
    pictures = [crops.crop(cast(int, row)) for _, _, row in found]
    if not pictures:
        return []
    shown = [pair for pair in (teacher, student) if pair is not None]
    maps = {
        " ".join(filter(None, (run.method, branch))): heat
        for run, detector in shown
        for branch, heat in class_activation_maps(detector, pictures).items()
    }
    scores = {run.method: run.videos.set_index(VIDEO_KEY)["score"] for run, _ in shown}
    return [
        _example(title, video, crop, {name: heat[i] for name, heat in maps.items()}, scores)
        for i, ((title, video, _), crop) in enumerate(zip(found, pictures, strict=True))
    ]


def class_activation_maps(
    detector: Detector, crops: Sequence[NDArray[np.uint8]]
) -> dict[str, NDArray[np.float64]]:
    """Evidence for "fake" by branch, `[crops, h, w]` in [0, 1] over all crops together."""
    resize = create_transform("none", detector.image_size)
    stacked = np.stack([resize(image=crop)["image"] for crop in crops])
    images = unit_range(torch.from_numpy(stacked).permute(0, 3, 1, 2))
    maps = {}
    for name, layer in _last_layers(detector.network).items():
        cam = LayerGradCam(detector.network, layer)
        heat: Tensor = cam.attribute(images, relu_attributions=True).detach()[:, 0].double()
        maps[name] = (heat / heat.max().clamp(min=1e-12)).numpy()
    return maps


def _last_layers(network: nn.Module) -> dict[str, nn.Module]:
    """The module that makes the last feature map, by branch; a single one needs no name."""
    if isinstance(network, MultiBranchNetwork):
        return {name: cast(Branch, b).backbone for name, b in network.branches.items()}
    return {"": cast(StudentNetwork, network).branch.backbone}


def _choose(videos: pd.DataFrame) -> list[tuple[str, Any]]:
    """The videos that are most wrong, then those that are most sure, each with what it is."""
    fakes = videos[videos["label"] == 1].sort_values("score", kind="stable")
    reals = videos[videos["label"] == 0].sort_values("score", kind="stable", ascending=False)
    kinds = (
        ("Fake, seems most real", fakes.head(EACH)),
        ("Real, seems most fake", reals.head(EACH)),
        ("Fake, seems most fake", fakes.iloc[EACH:].tail(EACH)),
        ("Real, seems most real", reals.iloc[EACH:].tail(EACH)),
    )
    return [(title, video) for title, rows in kinds for video in rows.itertuples()]


def _middle_row(manifest: pd.DataFrame, video: Any) -> int | None:
    same = np.logical_and.reduce([manifest[key] == getattr(video, key) for key in VIDEO_KEY])
    rows = manifest.index[same]
    return int(rows[len(rows) // 2]) if len(rows) else None


def _example(
    title: str,
    video: Any,
    crop: NDArray[np.uint8],
    heats: dict[str, NDArray[np.float64]],
    scores: "dict[str, pd.Series[float]]",
) -> Example:
    face = np.asarray(Image.fromarray(crop).resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    strip = np.concatenate([face, *(_overlay(face, heat) for heat in heats.values())], axis=1)
    buffer = io.BytesIO()
    Image.fromarray(strip).save(buffer, format="JPEG", quality=_QUALITY)
    key = tuple(getattr(video, name) for name in VIDEO_KEY)
    told = ", ".join(f"{method} {score[key]:.2f}" for method, score in scores.items())
    name = f"{video.method} {video.video}"
    return Example(
        title=title,
        uri=f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}",
        alt=f"Face crop of {name}, and Grad-CAM of {', '.join(heats)} on it",
        panels=["crop", *heats],
        caption=f"{name}. Probability of fake: {told}.",
    )


def _overlay(face: NDArray[np.uint8], heat: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The grey face, coloured where the evidence is."""
    fitted = interpolate(torch.from_numpy(heat)[None, None], (SIDE, SIDE), mode="bilinear")
    strength = fitted[0, 0].clamp(0, 1).numpy()[..., None]
    colours = mpl.colormaps["inferno"](0.25 + 0.75 * strength[..., 0])[..., :3] * 255
    grey = face.mean(axis=2, keepdims=True).repeat(3, axis=2)
    mixed = grey + _HEAT * strength * (colours - grey)
    return mixed.round().astype(np.uint8)
