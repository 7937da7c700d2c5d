import torch
from torch import Tensor

from lightning_modules.networks.front_ends.front_end import FrontEnd, grey


class PhaseSpectrum(FrontEnd):
    """The phase spectrum of SPSL (Liu et al., CVPR 2021, section 3.2), as an image.

    The real part of the inverse FFT of the grey image's spectrum with all amplitudes set to 1,
    `[B, 1, S, S]`, which shows traces of up-sampling. Its energy per pixel is 1. SPSL adds it to
    the colours as a fourth channel; here it is a branch of its own.
    """

    out_channels = 1

    def forward(self, x: Tensor) -> Tensor:
        """Compute the phase image of images in [0, 1], `[B, 3, S, S]`."""
        # cuFFT supports half precision for powers of two only.
        spectrum = torch.fft.rfft2(grey(x).float(), norm="ortho")
        phase = torch.polar(torch.ones_like(spectrum.real), spectrum.angle())
        return torch.fft.irfft2(phase, s=x.shape[-2:], norm="ortho").to(x.dtype)
