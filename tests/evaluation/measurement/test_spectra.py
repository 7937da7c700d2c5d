import numpy as np
import pandas as pd
import pytest

from evaluation.measurement.spectra import mean_spectra, radial_spectrum
from tests.support.ladder_on_disk import DrawnCrops, frame_scores


@pytest.mark.parametrize("cycles", [4, 17, 30])
def test_the_spectrum_of_a_wave_peaks_at_its_frequency(cycles: int) -> None:
    wave = 127 + 100 * np.sin(2 * np.pi * cycles * np.arange(64) / 64)
    crop = np.broadcast_to(wave[None, :, None], (64, 64, 3)).astype(np.uint8)
    spectrum = radial_spectrum(crop)
    assert spectrum.shape == (33,)
    assert np.argmax(spectrum) == cycles


def test_mean_spectra_are_per_method_of_one_data_set_reals_first() -> None:
    scores = frame_scores(1.0, 0)
    source = DrawnCrops(pd.concat([scores, scores.assign(compression="c40")]))
    spectra = mean_spectra(source, "mini-FaceForensics++", "c23")
    assert [mean.fake for mean in spectra] == [False, True, True, True, True]
    assert spectra[0].method == "original"
    manifest = source.manifest
    rows = manifest.index[(manifest["method"] == "FaceSwap") & (manifest["compression"] == "c23")]
    expected = np.mean([radial_spectrum(source.crop(row)) for row in rows], axis=0)
    swapped = next(mean for mean in spectra if mean.method == "FaceSwap")
    np.testing.assert_allclose(swapped.decibel, expected, atol=1e-9)


def test_other_people_of_a_video_are_in_no_spectrum() -> None:
    source = DrawnCrops(frame_scores(1.0, 0))
    alone = mean_spectra(source, "mini-FaceForensics++", "c23")
    source.add_other_people()
    for one, other in zip(alone, mean_spectra(source, "mini-FaceForensics++", "c23"), strict=True):
        np.testing.assert_array_equal(one.decibel, other.decibel)
