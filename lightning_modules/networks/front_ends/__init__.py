from lightning_modules.networks.front_ends.fad import FAD
from lightning_modules.networks.front_ends.front_end import FrontEnd
from lightning_modules.networks.front_ends.lfs import LFS
from lightning_modules.networks.front_ends.phase import PhaseSpectrum
from lightning_modules.networks.front_ends.rgb import RGB
from lightning_modules.networks.front_ends.srm import SRM
from lightning_modules.registry import resolve

__all__ = ["FAD", "FRONT_ENDS", "LFS", "RGB", "SRM", "FrontEnd", "PhaseSpectrum"]

FRONT_ENDS: dict[str, type[FrontEnd]] = {
    "rgb": RGB,
    "fad": FAD,
    "lfs": LFS,
    "phase": PhaseSpectrum,
    "srm": SRM,
}


def create_front_end(name: str, image_size: int) -> FrontEnd:
    """Build a front-end by its short name or by the class path of a FrontEnd.

    Args:
        name: rgb, fad, lfs, phase, srm, or a class path.
        image_size: Side S of the images, in pixels.

    Raises:
        InputError: It does not exist.
    """
    return resolve("front-end", name, FRONT_ENDS, FrontEnd)(image_size)
