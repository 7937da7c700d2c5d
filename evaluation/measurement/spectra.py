"""Mean spectra of real and fake crops, which forgeries' up-sampling and blending change."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.report.contact_sheet import CropSource

_MOST_CROPS = 240  # of a method; the mean hardly moves beyond


@dataclass(frozen=True)
class MeanSpectrum:
    """Of one method's crops.

    Attributes:
        method: Of forgery, or the reals' own.
        fake: Whether it is one of forgery.
        decibel: Mean of 10 log10 of the power by frequency, `[N]`, from 0 to 0.5 cycles a pixel.
        deviation: Standard error of `decibel`, `[N]`.
    """

    method: str
    fake: bool
    decibel: NDArray[np.float64]
    deviation: NDArray[np.float64]


def mean_spectra(crops: CropSource, dataset: str, compression: str) -> list[MeanSpectrum]:
    """Azimuthal means of the power spectra of test crops (Durall et al., CVPR 2020), reals first.

    Of the grey, Hann-windowed crops of up to 240 frames a method, evenly spread.

    Args:
        crops: The crop store.
        dataset: Whose crops are meant.
        compression: Of these crops: it changes the spectra more than any forgery does.
    """
    manifest = crops.manifest
    own = (manifest["dataset"] == dataset) & (manifest["compression"] == compression)
    spectra = []
    table = manifest[own & (manifest["split"] == "test")]
    for (label, method), rows in table.groupby(["label", "method"], sort=True, observed=True):
        profiles = np.stack([radial_spectrum(crops.crop(i)) for i in _spread(rows)])
        error = profiles.std(axis=0) / np.sqrt(len(profiles))
        spectra.append(MeanSpectrum(str(method), bool(label), profiles.mean(axis=0), error))
    return spectra


def radial_spectrum(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """10 log10 of the mean power at each radius 0 to S/2 of the spectrum of a crop `[S, S, 3]`."""
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


def _spread(rows: pd.DataFrame) -> list[int]:
    places = np.linspace(0, len(rows) - 1, min(_MOST_CROPS, len(rows))).round().astype(int)
    return [int(rows.index[place]) for place in places]
