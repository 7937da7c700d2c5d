"""Strength of the traces of each method: these amounts determine the difficulty of the task."""

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class DeepfakesAmounts:
    """Traces of an autoencoder with a small output; mainly spectral, a missing band."""

    bottleneck: Range = (1.4, 3.6)  # factor by which the face is reduced and enlarged
    colour_error: Range = (0.0, 0.20)  # remaining share of the colour difference
    softness: Range = (6.0, 10.0)  # px of the patch


@dataclass(frozen=True)
class Face2FaceAmounts:
    """Traces of a re-rendered face model; mainly spatial, geometry and light."""

    expression: Range = (1.1, 2.4)  # share of the source's expression
    light_error: Range = (0.10, 0.36)  # relative brightness error across the face
    softness: Range = (0.6, 1.6)


@dataclass(frozen=True)
class FaceSwapAmounts:
    """Traces of a warped and pasted face; mainly spatial, border and colour."""

    colour_error: Range = (0.25, 0.90)
    misfit: Range = (1.0, 3.5)  # px, error of the landmarks per frame
    softness: Range = (0.6, 2.0)
    poisson_share: float = 0.3  # share of videos blended by Poisson's equation


@dataclass(frozen=True)
class NeuralTexturesAmounts:
    """Traces of a generator that up-samples the mouth; mainly spectral, a grid."""

    expression: Range = (0.7, 1.8)
    grid: Range = (5.0, 16.0)  # grey levels of the up-sampling grid
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
    """Draws the amounts of one forged video, scaled by `strength`.

    All traces of a video share its `carelessness` (0 to 1), so that some fakes are hard in every
    respect and some are easy.
    """

    strength: float
    carelessness: float
    rng: np.random.Generator

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> "Effort":
        """Draw the carelessness of a video."""
        return cls(strength, float(rng.uniform()), rng)

    def trace(self, amount: Range, neutral: float = 0.0) -> float:
        """Draw the amount of a trace of the forgery; at strength 0 it is `neutral`."""
        share = np.clip(self.carelessness + self.rng.normal(0, 0.15), 0, 1)
        drawn = amount[0] + (amount[1] - amount[0]) * share
        return float(neutral + self.strength * (drawn - neutral))

    def choice(self, amount: Range) -> float:
        """Draw an amount that varies between videos and does not depend on the strength."""
        return float(self.rng.uniform(*amount))
