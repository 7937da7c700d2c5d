"""How strongly each method leaves its traces: every amount that decides how hard the task is."""

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class DeepfakesAmounts:
    """Traces of an autoencoder with a small output; mainly spectral, a missing band."""

    bottleneck: Range = (1.4, 3.6)  # the factor by which the face is reduced and enlarged
    colour_error: Range = (0.0, 0.20)  # share of the colour difference that is left
    softness: Range = (6.0, 10.0)  # px of the patch


@dataclass(frozen=True)
class Face2FaceAmounts:
    """Traces of a re-rendered face model; mainly spatial, geometry and light."""

    expression: Range = (1.1, 2.4)  # share of the source's expression that is taken over
    light_error: Range = (0.10, 0.36)  # relative brightness error across the face
    softness: Range = (0.6, 1.6)


@dataclass(frozen=True)
class FaceSwapAmounts:
    """Traces of a warped and pasted face; mainly spatial, border and colour."""

    colour_error: Range = (0.25, 0.90)
    misfit: Range = (1.0, 3.5)  # px by which the landmarks err from frame to frame
    softness: Range = (0.6, 2.0)
    poisson_share: float = 0.3  # of the videos are blended by Poisson's equation instead


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
    jitter: Range = (0.4, 1.6)  # px by which the face trembles from frame to frame


@dataclass(frozen=True)
class Amounts:
    """The amounts of every method; a data set's marker records them."""

    deepfakes: DeepfakesAmounts = DeepfakesAmounts()
    face2face: Face2FaceAmounts = Face2FaceAmounts()
    faceswap: FaceSwapAmounts = FaceSwapAmounts()
    neural_textures: NeuralTexturesAmounts = NeuralTexturesAmounts()
    celeb_swap: CelebSwapAmounts = CelebSwapAmounts()


AMOUNTS = Amounts()


@dataclass(frozen=True)
class Effort:
    """How well one forged video is made: draws its amounts, all of them scaled by `strength`.

    A video has one `carelessness` (0 to 1) that all its traces share, so that a part of the
    fakes is hard in every respect and a part is easy.
    """

    strength: float
    carelessness: float
    rng: np.random.Generator

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> "Effort":
        """Draw how carelessly the video is made."""
        return cls(strength, float(rng.uniform()), rng)

    def trace(self, amount: Range, neutral: float = 0.0) -> float:
        """An amount that gives the forgery away; at strength 0 it is `neutral`."""
        place = np.clip(self.carelessness + self.rng.normal(0, 0.15), 0, 1)
        drawn = amount[0] + (amount[1] - amount[0]) * place
        return float(neutral + self.strength * (drawn - neutral))

    def choice(self, amount: Range) -> float:
        """An amount that varies from video to video and does not depend on the strength."""
        return float(self.rng.uniform(*amount))
