from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from errors import InputError
from lightning_modules.networks.backbone import (
    Backbone,
    Branch,
    BranchSpec,
    count_macs,
)
from lightning_modules.networks.multi_branch import MultiBranchNetwork
from lightning_modules.networks.optimization import decay_groups
from lightning_modules.networks.student import StudentNetwork
from lightning_modules.networks.timm_models import BackboneSpec
from lightning_modules.score_table import ScoreTable, detection_metrics

TINY_ARGS: dict[str, Any] = {"channels": [8, 8, 8, 16], "stem_width": 8}
TINY = BranchSpec("resnet10t", args=TINY_ARGS)
TINY_FAD = BranchSpec("resnet10t", args=TINY_ARGS, front_end="fad")


def test_an_unknown_backbone_suggests_near_ones() -> None:
    with pytest.raises(InputError, match=r"did you mean .*resnet10t"):
        Backbone(BackboneSpec("resnet10"))


def test_arguments_that_timm_refuses_are_named() -> None:
    with pytest.raises(InputError, match=r"cannot be built with args.*width"):
        Backbone(BackboneSpec("resnet10t", args={"width": 3}))


def test_pretrained_weights_that_cannot_be_fetched_name_the_switch(monkeypatch, tmp_path) -> None:
    # A proxy that nobody answers: the real fetch fails as it does without a network.
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match="pretrained: false"):
        Backbone(BackboneSpec("legacy_xception", pretrained=True))


@pytest.mark.parametrize("content", [None, b"", b"half a file", "another model's"])
def test_a_file_without_these_weights_is_named(content: bytes | str | None, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    if content == "another model's":
        save_file(timm.create_model("resnet18").state_dict(), weights)
    elif isinstance(content, bytes):
        weights.write_bytes(content)
    args = {"pretrained_cfg_overlay": {"file": str(weights)}}
    with pytest.raises(InputError, match=r"weights\.safetensors: not weights of timm's resnet10t"):
        Backbone(BackboneSpec("resnet10t", pretrained=True, args=args))


@pytest.mark.parametrize("name", ["legacy_xception", "mobilenetv3_small_050", "convnext_atto"])
def test_any_timm_backbone_serves_either_branch(name: str) -> None:
    branches = {"spatial": BranchSpec(name), "frequency": TINY_FAD}
    network = MultiBranchNetwork(branches, 64).eval()
    features = network.features(torch.rand(1, 3, 64, 64))
    assert features["spatial"].shape[1] == network.widths["spatial"]
    logits = network.classify(features)
    assert {head: x.shape for head, x in logits.items()} == dict.fromkeys(
        ("fused", "spatial", "frequency"), (1,)
    )


def test_macs_are_those_of_the_layers() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.Flatten())
    assert count_macs(network, 10) == 3 * 4 * 9 * 100


def test_the_student_classifies_its_last_map() -> None:
    student = StudentNetwork(TINY, 64).eval()
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(student(images), student.classify(student.features(images)[0]))


def test_video_auc_is_over_videos_and_frame_auc_over_frames() -> None:
    table = ScoreTable()
    # Two frames a video; the frames overlap, the means do not. Batches come in any order.
    table.update(
        torch.tensor([3, 2, 1]), torch.tensor([9, 9, 4]), torch.tensor([1, 1, 0]),
        torch.tensor([[0.9], [0.3], [0.4]]),
    )  # fmt: skip
    table.update(
        torch.tensor([0]), torch.tensor([4]), torch.tensor([0]), torch.tensor([[0.2]])
    )  # fmt: skip
    columns = table.compute()
    assert columns["rows"].tolist() == [0, 1, 2, 3]
    metrics = detection_metrics(columns)
    assert metrics["video_auc"] == 1
    assert metrics["frame_auc"] == 0.75


def test_one_class_has_no_auc() -> None:
    table = ScoreTable()
    ones = torch.ones(2, dtype=torch.long)
    table.update(torch.arange(2), torch.arange(2), ones, torch.rand(2, 1))
    assert detection_metrics(table.compute())["video_auc"].isnan()


def test_norms_biases_and_masks_are_not_decayed() -> None:
    branch = Branch(TINY_FAD, 32)
    decayed, free = (group["params"] for group in decay_groups(branch))
    assert all(p.ndim > 1 for p in decayed)
    assert any(p is branch.front_end.mask_weights for p in free)
    assert {id(p) for p in decayed} | {id(p) for p in free} == {id(p) for p in branch.parameters()}
