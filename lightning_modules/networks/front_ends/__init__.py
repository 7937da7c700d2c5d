from lightning_modules.networks.front_ends.fad import FAD
from lightning_modules.networks.front_ends.front_end import RGB, FrontEnd
from lightning_modules.networks.front_ends.lfs import LFS
from lightning_modules.networks.front_ends.phase import PhaseSpectrum
from lightning_modules.networks.front_ends.srm import SRM

__all__ = ["FAD", "FRONT_ENDS", "LFS", "RGB", "SRM", "FrontEnd", "PhaseSpectrum"]

FRONT_ENDS: dict[str, type[FrontEnd]] = {
    "rgb": RGB,
    "fad": FAD,
    "lfs": LFS,
    "phase": PhaseSpectrum,
    "srm": SRM,
}
