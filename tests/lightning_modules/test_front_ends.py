import math
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import timm
import torch
from torchvision.transforms.functional import normalize

from errors import InputError
from lightning_modules.networks.backbone import Backbone, Branch, BranchSpec
from lightning_modules.networks.front_ends import FAD, FRONT_ENDS, LFS, SRM, PhaseSpectrum
from lightning_modules.networks.front_ends.front_end import RGB, dct_matrix
from lightning_modules.networks.front_ends.lfs import FLOOR
from lightning_modules.networks.timm_models import BackboneSpec


def test_dct_equals_scipy() -> None:
    image = torch.rand(16, 16, dtype=torch.float64)
    dct = dct_matrix(16)
    expected = scipy.fft.dctn(image.numpy(), norm="ortho")
    torch.testing.assert_close(dct @ image @ dct.T, torch.from_numpy(expected))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_rgb_equals_torchvision_in_every_layout(layout: torch.memory_format) -> None:
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    rgb, images = RGB(32), torch.rand(2, 3, 16, 24).contiguous(memory_format=layout)
    rgb.normalize_by(mean, std)
    assert torch.equal(rgb(images), normalize(images, mean, std))


@pytest.fixture
def decomposition() -> FAD:
    """FAD without its learnable part: 2σ(0) - 1 = 0."""
    fad = FAD(32)
    torch.nn.init.zeros_(fad.mask_weights)
    return fad


def test_bands_tile_the_spectrum(decomposition: FAD) -> None:
    image = 0.9 * torch.rand(2, 3, 32, 32)  # a mean away from zero, so a lost DC would show
    bands = decomposition(image).unflatten(1, (4, 3))
    image = 2 * image - 1  # what FAD decomposes is signed
    torch.testing.assert_close(bands[:, :3].sum(1), image)
    torch.testing.assert_close(bands[:, 3], image)


def test_bands_cover_the_shares_of_the_area_that_the_paper_names(
    decomposition: FAD,
) -> None:
    share = decomposition.bands[:3].mean(dim=(1, 2))
    torch.testing.assert_close(share, torch.tensor([1 / 16, 1 / 16, 7 / 8]), atol=0.02, rtol=0)


def test_a_constant_image_is_in_the_low_band(decomposition: FAD) -> None:
    bands = decomposition(torch.ones(1, 3, 32, 32)).unflatten(1, (4, 3))
    torch.testing.assert_close(bands[:, 0], torch.ones(1, 3, 32, 32))
    assert bands[:, 1:3].abs().max() < 1e-5


def test_another_size_is_refused(decomposition: FAD) -> None:
    with pytest.raises(ValueError, match="32x32"):
        decomposition(torch.zeros(1, 3, 16, 16))


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_every_front_end_feeds_a_backbone(name: str) -> None:
    spec = BranchSpec(
        "resnet10t", args={"channels": [8, 8, 8, 16], "stem_width": 8}, front_end=name
    )
    branch = Branch(spec, 64)
    seen = branch.front_end(torch.rand(2, 3, 64, 64))
    assert seen.shape[:2] == (2, branch.front_end.out_channels)
    assert seen.isfinite().all()
    branch(torch.rand(2, 3, 64, 64)).mean().backward()
    assert all(p.grad is not None for p in branch.parameters())


def test_a_misspelt_front_end_suggests_near_ones() -> None:
    with pytest.raises(InputError, match="did you mean phase"):
        Branch(BranchSpec("resnet10t", front_end="phaze"), 64)


def test_lfs_is_the_log_of_the_energy_of_each_window() -> None:
    lfs = LFS(24)
    torch.nn.init.zeros_(lfs.mask_weights)
    image = torch.rand(1, 3, 24, 24)
    got = lfs(image)[0]
    grey = 2 * (image[0] * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0) - 1
    padded = np.pad(grey.numpy(), 4, mode="reflect")
    row, column = 3, 5
    window = padded[2 * row : 2 * row + 10, 2 * column : 2 * column + 10]
    spectrum = np.abs(scipy.fft.dctn(window, norm="ortho"))
    order = np.add.outer(np.arange(10), np.arange(10))
    expected = [np.log10(spectrum[order * 6 // 19 == band].sum()) for band in range(6)]
    np.testing.assert_allclose(got[:, row, column].detach(), expected, rtol=1e-4)


def test_lfs_bands_tile_the_window() -> None:
    assert torch.equal(LFS(16).bands.sum(0).flatten(), torch.ones(100))


def test_the_phase_image_has_the_phases_and_no_amplitudes() -> None:
    image = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    grey = (image[0] * torch.tensor([0.299, 0.587, 0.114]).double()[:, None, None]).sum(0)
    phase = PhaseSpectrum(32)(image)[0, 0].double()
    expected, got = np.fft.fft2(grey.numpy()), np.fft.fft2(phase.numpy(), norm="ortho")
    np.testing.assert_allclose(np.abs(got), 1, atol=1e-4)
    np.testing.assert_allclose(got, expected / np.abs(expected), atol=1e-4)


def test_srm_is_blind_to_planes_and_clips_edges() -> None:
    ramp = torch.linspace(0.2, 0.8, 32).expand(1, 3, 32, 32)
    assert SRM(32)(ramp)[..., 2:-2].abs().max() < 1e-3
    edge = torch.zeros(1, 3, 32, 32)
    edge[..., 16:] = 1
    assert SRM(32)(edge).abs().max() == 1


def test_pretrained_weights_are_repeated_over_the_bands_and_divided(tmp_path: Path) -> None:
    """The adaptation of F3-Net; the pretrained file is a local one."""
    rgb = Backbone(BackboneSpec("resnet10t"))
    weights = {k.removeprefix("model."): v for k, v in rgb.state_dict().items()}
    # A pretrained file holds the whole classifier, of which this is the part before the head.
    whole = timm.create_model("resnet10t").state_dict()
    weights = {name: weights.get(name, value) for name, value in whole.items()}
    torch.save(weights, tmp_path / "weights.pth")
    overlay = {"file": str(tmp_path / "weights.pth")}
    spec = BackboneSpec("resnet10t", pretrained=True, args={"pretrained_cfg_overlay": overlay})
    adapted = Backbone(spec, in_channels=12).state_dict()["model.conv1.0.weight"]
    torch.testing.assert_close(adapted, weights["conv1.0.weight"].repeat(1, 4, 1, 1) / 4)


def test_local_frequency_statistics_have_gradients_everywhere() -> None:
    """A signed sum of magnitudes would be negative for many masks, and its logarithm the floor."""
    lfs = LFS(64)
    small = torch.rand(2, 3, 6, 6)  # smooth images, as faces are: their high bands are weak
    image = torch.nn.functional.interpolate(small, 64, mode="bicubic").clamp(0, 1)
    statistics = lfs(image)
    assert (statistics <= math.log10(FLOOR)).float().mean() < 0.01
    gradient = torch.autograd.grad(statistics.sum(), lfs.mask_weights)[0]
    assert (gradient != 0).all()
