import torch
from torch import Tensor

from lightning_modules.networks.front_ends.front_end import FrontEnd, grey


class PhaseSpectrum(FrontEnd):
    """The phase spectrum of SPSL (Liu et al., CVPR 2021, section 3.2), as an image.

    Real part of the inverse FFT of the grey image's spectrum with every amplitude set to 1,
    `[B, 1, S, S]`: up-sampling leaves its traces in it. The orthonormal transform gives it unit
    energy a pixel. SPSL puts it beside the colours; here the colours are another branch's.
    """

    out_channels = 1

    def forward(self, x: Tensor) -> Tensor:
        """Map images in [0, 1] `[B, 3, S, S]` to `[B, 1, S, S]`."""
        # cuFFT takes half precision for powers of two only.
        spectrum = torch.fft.rfft2(grey(x).float(), norm="ortho")
        phase = torch.polar(torch.ones_like(spectrum.real), spectrum.angle())
        image: Tensor = torch.fft.irfft2(phase, s=x.shape[-2:], norm="ortho")
        return image.to(x.dtype)
