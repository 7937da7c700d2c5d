from errors import look_up
from lightning_modules.networks.front_ends.fad import FAD
from lightning_modules.networks.front_ends.front_end import FrontEnd
from lightning_modules.networks.front_ends.lfs import LFS
from lightning_modules.networks.front_ends.phase import PhaseSpectrum
from lightning_modules.networks.front_ends.rgb import RGB
from lightning_modules.networks.front_ends.srm import SRM

__all__ = ["FAD", "FRONT_ENDS", "LFS", "RGB", "SRM", "FrontEnd", "PhaseSpectrum"]

FRONT_ENDS: dict[str, type[FrontEnd]] = {
    "rgb": RGB,
    "fad": FAD,
    "lfs": LFS,
    "phase": PhaseSpectrum,
    "srm": SRM,
}


def create_front_end(name: str, image_size: int) -> FrontEnd:
    """Make a front-end by its name, for images of side `image_size`, in pixels.

    Raises:
        InputError: There is no such front-end.
    """
    return look_up("front-end", name, FRONT_ENDS)(image_size)
