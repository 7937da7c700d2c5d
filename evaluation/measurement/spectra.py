"""Mean power spectra of crops, which the up-sampling and blending of forgeries change."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datamodules.crops.store import CropStore

_MOST_CROPS = 240  # per method; more hardly change the mean


@dataclass(frozen=True)
class MeanSpectrum:
    """Mean spectrum of the crops of a forgery method, or of the reals.

    Attributes:
        decibel: Mean of 10 log10 of the power by frequency, `[N]`, from 0 to 0.5 cycles per pixel.
        deviation: Standard error of `decibel`, `[N]`.
    """

    method: str
    fake: bool
    decibel: NDArray[np.float64]
    deviation: NDArray[np.float64]


def mean_spectra(crops: CropStore, dataset: str, compression: str) -> list[MeanSpectrum]:
    """Compute azimuthal means of power spectra (Durall et al., CVPR 2020), reals first.

    Uses up to 240 evenly spaced test crops per method, in grey with a Hann window.

    Args:
        crops: The crop store.
        dataset: Data set of the crops.
        compression: Their compression, which changes the spectra more than any forgery does.
    """
    manifest = crops.manifest
    table = manifest[
        (manifest["dataset"] == dataset)
        & (manifest["compression"] == compression)
        & (manifest["split"] == "test")
        & (manifest["track"] == 0)  # the other tracks show other people of the videos
    ]
    spectra = []
    for (label, method), rows in table.groupby(["label", "method"], sort=True, observed=True):
        chosen = np.linspace(0, len(rows) - 1, min(_MOST_CROPS, len(rows))).round().astype(int)
        profiles = np.stack([radial_spectrum(crops.crop(int(rows.index[i]))) for i in chosen])
        error = profiles.std(axis=0) / np.sqrt(len(profiles))
        spectra.append(MeanSpectrum(str(method), bool(label), profiles.mean(axis=0), error))
    return spectra


def radial_spectrum(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute 10 log10 of the mean power of a crop `[S, S, 3]` at each radius from 0 to S/2."""
    side = len(crop)
    window = np.hanning(side)
    grey = crop.mean(axis=2)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * np.outer(window, window))) ** 2
    steps = np.fft.fftfreq(side) * side
    radius = np.hypot(steps[:, None], steps[None]).round().astype(np.int64)
    within = radius <= side // 2
    total = np.bincount(radius[within], power[within])
    count = np.bincount(radius[within])
    return np.asarray(10 * np.log10(total / count + 1e-12), dtype=np.float64)
