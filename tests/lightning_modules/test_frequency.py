import pytest
import scipy.fft
import torch

from lightning_modules.networks.frequency import FrequencyAwareDecomposition, dct_matrix


def test_dct_equals_scipy() -> None:
    image = torch.rand(16, 16, dtype=torch.float64)
    dct = dct_matrix(16)
    expected = scipy.fft.dctn(image.numpy(), norm="ortho")
    torch.testing.assert_close(dct @ image @ dct.T, torch.from_numpy(expected))


@pytest.fixture
def decomposition() -> FrequencyAwareDecomposition:
    """FAD without its learnable part: 2σ(0) - 1 = 0."""
    fad = FrequencyAwareDecomposition(32)
    torch.nn.init.zeros_(fad.mask_weights)
    return fad


def test_bands_tile_the_spectrum(decomposition: FrequencyAwareDecomposition) -> None:
    image = torch.rand(2, 3, 32, 32) + 0.5  # a mean far from zero, so a lost DC would show
    bands = decomposition(image).unflatten(1, (4, 3))
    torch.testing.assert_close(bands[:, :3].sum(1), image)
    torch.testing.assert_close(bands[:, 3], image)


def test_bands_cover_the_shares_of_the_area_that_the_paper_names(
    decomposition: FrequencyAwareDecomposition,
) -> None:
    share = decomposition.bands[:3].mean(dim=(1, 2))
    torch.testing.assert_close(share, torch.tensor([1 / 16, 1 / 16, 7 / 8]), atol=0.02, rtol=0)


def test_a_constant_image_is_in_the_low_band(decomposition: FrequencyAwareDecomposition) -> None:
    bands = decomposition(torch.ones(1, 3, 32, 32)).unflatten(1, (4, 3))
    torch.testing.assert_close(bands[:, 0], torch.ones(1, 3, 32, 32))
    assert bands[:, 1:3].abs().max() < 1e-5


def test_another_size_is_refused(decomposition: FrequencyAwareDecomposition) -> None:
    with pytest.raises(ValueError, match="32x32"):
        decomposition(torch.zeros(1, 3, 16, 16))
