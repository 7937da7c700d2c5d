from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.alignment import feather, oval
from datamodules.mini_ffpp.forgeries.amounts import AMOUNTS, Effort
from datamodules.mini_ffpp.forgeries.blending import match_colours, reduce_and_enlarge
from datamodules.mini_ffpp.forgeries.forgery import Forgery, collect, paired_patches


def deepfakes(target: Clip, source: Clip, effort: Effort) -> Forgery:
    """Put the source's face into the target's video, as if decoded by a small autoencoder.

    Modelled on FaceForensics++'s Deepfakes (faceswap on GitHub): a face of low resolution in the
    target's colours, with a soft border.
    """
    factor = effort.trace(AMOUNTS.deepfakes.bottleneck, neutral=1.0)
    error = effort.trace(AMOUNTS.deepfakes.colour_error)
    face = oval(
        0.30, effort.choice((0.66, 0.76)), effort.choice((0.80, 0.92)), effort.choice((2.0, 2.8))
    )
    alpha = feather(face, effort.choice(AMOUNTS.deepfakes.softness))
    results = []
    for frame, placement, ours, theirs in paired_patches(target, source):
        decoded = reduce_and_enlarge(match_colours(theirs, ours, face, error), factor)
        results.append(placement.paste(frame, decoded, alpha))
    return collect(results)
