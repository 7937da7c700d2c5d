"""What the report's pictures are drawn of: class activation maps and spectra."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from evaluation.measurement.spectra import mean_spectra, radial_spectrum
from evaluation.report.gradcam import class_activation_maps
from lightning_modules.checkpoints import load_detector
from tests.support.ladder_on_disk import DrawnCrops, frame_scores


def test_grad_cam_of_a_pooled_linear_classifier_is_the_textbooks(tiny_student: Path) -> None:
    detector = load_detector(tiny_student / "checkpoints" / "best.ckpt")
    crops = [np.random.default_rng(i).integers(0, 256, (64, 64, 3), np.uint8) for i in range(4)]
    (heat,) = class_activation_maps(detector, crops).values()
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        _, maps = detector.network.features(images)
    # The logit is w · mean(maps), so its gradient in channel c is w_c / (h w) everywhere.
    weights = detector.network.classifier.weight[0] / maps[0, 0].numel()
    expected = torch.einsum("c,bchw->bhw", weights, maps).relu().detach()
    np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-5)


def test_each_branch_of_the_teacher_has_its_map(tiny_teacher: Path) -> None:
    detector = load_detector(tiny_teacher / "checkpoints" / "best.ckpt")
    detector.network.classifier.weight.data.abs_()  # evidence everywhere
    crops = [np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)]
    maps = class_activation_maps(detector, crops)
    assert list(maps) == ["spatial", "frequency"]
    assert not np.array_equal(*maps.values())


@pytest.mark.parametrize("cycles", [4, 17, 30])
def test_a_wave_has_its_power_at_its_frequency(cycles: int) -> None:
    wave = 127 + 100 * np.sin(2 * np.pi * cycles * np.arange(64) / 64)
    crop = np.broadcast_to(wave[None, :, None], (64, 64, 3)).astype(np.uint8)
    spectrum = radial_spectrum(crop)
    assert spectrum.shape == (33,)
    assert np.argmax(spectrum) == cycles


def test_mean_spectra_are_by_method_of_one_data_set_reals_first() -> None:
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
