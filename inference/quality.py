"""Sharpness and detail of a crop, which blur and compression reduce."""

import cv2
import numpy as np
from numpy.typing import NDArray

MEASURES = ("sharpness", "detail")


def measure(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the `MEASURES` of a crop `[S, S, 3]` RGB; more is better.

    Sharpness is the energy of the Laplacian by the variance of the grey values, which blur and
    enlargement lower (Pech-Pacheco et al., ICPR 2000). Detail is the share of the pixels whose
    Laplacian exceeds one grey level, which compression lowers too: it rounds faint texture away.
    Neither depends on where the blocks of the compression are.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    laplacian = cv2.Laplacian(grey, cv2.CV_32F)
    variance = float(grey.var())
    sharpness = float(laplacian.var()) / variance if variance else 0.0
    return np.array([sharpness, float((np.abs(laplacian) > 1).mean())])
