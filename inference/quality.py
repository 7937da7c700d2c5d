"""How much detail a crop has."""

import cv2
import numpy as np
from numpy.typing import NDArray


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Return the energy of the Laplacian of a crop `[S, S, 3]` RGB, by the variance of its grey.

    Blur, enlargement and strong compression lower it (Pech-Pacheco et al., ICPR 2000).
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    variance = float(grey.var())
    return float(cv2.Laplacian(grey, cv2.CV_32F).var()) / variance if variance else 0.0
