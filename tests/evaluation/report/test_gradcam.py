from pathlib import Path

import numpy as np
import pandas as pd
import torch

from datamodules.crops.store import CropStore
from evaluation.comparison.run import read_run
from evaluation.report.gradcam import class_activation_maps, gradcam_examples
from lightning_modules.checkpoints import load_detector


def test_grad_cam_of_a_pooled_linear_classifier_equals_the_closed_form(tiny_student: Path) -> None:
    detector = load_detector(tiny_student / "checkpoints" / "best.ckpt")
    detector.network.classifier.weight.data.abs_()  # evidence everywhere
    crops = [np.random.default_rng(i).integers(0, 256, (64, 64, 3), np.uint8) for i in range(4)]
    (heat,) = class_activation_maps(detector, crops).values()
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        _, maps = detector.network.features(images)
    # The logit is w · mean(maps), so its gradient in channel c is w_c / (h w) everywhere.
    weights = detector.network.classifier.weight[0] / maps[0, 0].numel()
    expected = torch.einsum("c,bchw->bhw", weights, maps).relu().detach()
    np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-5)


def test_each_branch_of_the_teacher_has_a_map(tiny_teacher: Path) -> None:
    detector = load_detector(tiny_teacher / "checkpoints" / "best.ckpt")
    detector.network.classifier.weight.data.abs_()  # evidence everywhere
    crops = [np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)]
    maps = class_activation_maps(detector, crops)
    assert list(maps) == ["spatial", "frequency"]
    assert not np.array_equal(*maps.values())


def test_examples_show_the_person_whose_crops_were_scored(
    tiny_student: Path, tiny_crops: Path
) -> None:
    detector = load_detector(tiny_student / "checkpoints" / "best.ckpt")
    shown = [(read_run(tiny_student), detector)]
    alone, both = CropStore(tiny_crops), CropStore(tiny_crops)
    others = both.manifest.assign(track=1)
    both.manifest = pd.concat([both.manifest, others], ignore_index=True)
    assert gradcam_examples(shown, both) == gradcam_examples(shown, alone)
