from collections.abc import Callable

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.amounts import AMOUNTS, Effort
from datamodules.mini_ffpp.forgeries.forgery import Forgery
from datamodules.mini_ffpp.forgeries.reenactments import face2face, neural_textures
from datamodules.mini_ffpp.forgeries.swaps import celeb_swap, deepfakes, faceswap

Method = Callable[[Clip, Clip, Effort], Forgery]

METHODS: dict[str, Method] = {
    "Deepfakes": deepfakes,
    "Face2Face": face2face,
    "FaceSwap": faceswap,
    "NeuralTextures": neural_textures,
}

__all__ = ["AMOUNTS", "METHODS", "Effort", "Forgery", "Method", "celeb_swap"]
