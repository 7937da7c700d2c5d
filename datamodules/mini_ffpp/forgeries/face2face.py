import numpy as np

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.alignment import feather, oval, patch_grid
from datamodules.mini_ffpp.forgeries.amounts import AMOUNTS, Effort
from datamodules.mini_ffpp.forgeries.expression import expression_of, move_mouth
from datamodules.mini_ffpp.forgeries.forgery import Forgery, collect, paired_patches


def face2face(target: Clip, source: Clip, effort: Effort) -> Forgery:
    """Transfer the source's expression to the target and re-render the target's face.

    Modelled on Face2Face (Thies et al., CVPR 2016): the identity remains the target's, the mouth
    moves like the source's, and the light has the errors of an estimated model.
    """
    share = effort.trace(AMOUNTS.face2face.expression)
    error = effort.trace(AMOUNTS.face2face.light_error)
    light = _light_error(effort.rng, error)
    face = oval(0.32, effort.choice((0.64, 0.76)), effort.choice((0.78, 0.92)), 2.4)
    alpha = feather(face, effort.choice(AMOUNTS.face2face.softness))
    expression = share * expression_of(source.landmarks)
    results = []
    for index, (frame, placement, ours, _) in enumerate(paired_patches(target, source)):
        corners = expression[index % len(expression)]
        moved = move_mouth(ours, corners, opening=0.25 * share * float(np.sin(2.1 * index)))
        results.append(placement.paste(frame, moved * light[..., None], alpha))
    return collect(results)


def _light_error(rng: np.random.Generator, error: float) -> np.ndarray:
    """Draw a smooth factor `[P, P]` around 1, as of light from a slightly wrong direction."""
    u, v = patch_grid()
    angle = rng.uniform(0, 2 * np.pi)
    offset = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.0)
    slope = np.cos(angle) * u / 0.8 + np.sin(angle) * (v - 0.3) / 0.9
    return np.asarray(1 + error * (offset + 0.8 * slope), dtype=np.float32)
