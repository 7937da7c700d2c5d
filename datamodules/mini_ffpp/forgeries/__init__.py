from collections.abc import Callable

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.amounts import AMOUNTS, Effort
from datamodules.mini_ffpp.forgeries.celeb_swap import celeb_swap
from datamodules.mini_ffpp.forgeries.deepfakes import deepfakes
from datamodules.mini_ffpp.forgeries.face2face import face2face
from datamodules.mini_ffpp.forgeries.faceswap import faceswap
from datamodules.mini_ffpp.forgeries.forgery import Forgery
from datamodules.mini_ffpp.forgeries.neural_textures import neural_textures

Method = Callable[[Clip, Clip, Effort], Forgery]

METHODS: dict[str, Method] = {
    "Deepfakes": deepfakes,
    "Face2Face": face2face,
    "FaceSwap": faceswap,
    "NeuralTextures": neural_textures,
}

__all__ = ["AMOUNTS", "METHODS", "Effort", "Forgery", "Method", "celeb_swap"]
