"""Strength of the traces of each method: these amounts determine the difficulty of the task."""

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class DeepfakesAmounts:
    """Traces of an autoencoder with a small output: mainly spectral, a missing band."""

    bottleneck: Range = (1.25, 1.9)  # factor by which the face is reduced and enlarged
    tint: Range = (0.0, 0.10)  # relative error of hue across the face
    light_scale: float = 8.0  # px of the patch beyond which light and colour are the target's
    softness: Range = (8.0, 12.0)  # px of the patch


@dataclass(frozen=True)
class Face2FaceAmounts:
    """Traces of a re-rendered face model: mainly spatial, errors of hue with soft borders."""

    expression: Range = (0.4, 1.0)  # share of the source's expression
    tint: Range = (0.06, 0.25)
    softness: Range = (1.5, 4.0)


@dataclass(frozen=True)
class FaceSwapAmounts:
    """Traces of a warped and pasted face: mainly spatial, border and colour."""

    colour_error: Range = (0.4, 1.0)  # remaining share of the colour difference
    tint: Range = (0.04, 0.20)
    misfit: Range = (1.0, 3.0)  # px, error of the landmarks per frame
    softness: Range = (1.5, 4.0)


@dataclass(frozen=True)
class NeuralTexturesAmounts:
    """Traces of a generator that up-samples the mouth: mainly spectral, a grid."""

    expression: Range = (0.4, 1.0)
    tint: Range = (0.0, 0.10)
    grid: Range = (1.5, 4.2)  # grey levels of the up-sampling grid
    softness: Range = (4.0, 7.0)


@dataclass(frozen=True)
class CelebSwapAmounts:
    """Traces of Celeb-DF's improved synthesis: large output, colours matched, soft seams."""

    bottleneck: Range = (1.3, 2.6)
    colour_error: Range = (0.0, 0.20)
    jitter: Range = (0.4, 1.6)  # px, error of the position per frame


@dataclass(frozen=True)
class Amounts:
    """The amounts of every method, which are recorded in MINIATURE.json."""

    deepfakes: DeepfakesAmounts = DeepfakesAmounts()
    face2face: Face2FaceAmounts = Face2FaceAmounts()
    faceswap: FaceSwapAmounts = FaceSwapAmounts()
    neural_textures: NeuralTexturesAmounts = NeuralTexturesAmounts()
    celeb_swap: CelebSwapAmounts = CelebSwapAmounts()


AMOUNTS = Amounts()


@dataclass(frozen=True)
class Effort:
    """Draws the amounts of one forged video's traces independently, scaled by `strength`."""

    strength: float
    rng: np.random.Generator

    def trace(self, amount: Range, neutral: float = 0.0) -> float:
        """Draw the amount of a trace of the forgery; at strength 0 it is `neutral`."""
        return float(neutral + self.strength * (self.rng.uniform(*amount) - neutral))

    def choice(self, amount: Range) -> float:
        """Draw an amount that varies between videos and does not depend on the strength."""
        return float(self.rng.uniform(*amount))
