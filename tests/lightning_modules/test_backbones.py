"""timm's families as branches: convolutions, tokens, channels-last maps, fixed input sizes."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from torch import nn

from cli.main import main
from errors import InputError
from lightning_modules.distill import DistillModule
from lightning_modules.export import export_onnx
from lightning_modules.networks.backbone import Backbone, Branch, BranchSpec, count_parameters
from lightning_modules.networks.timm_models import BackboneSpec, fit, without_pretrained_weights
from tests.conftest import CONFIGS
from tests.support.runs import refused

CONVOLUTIONAL = (
    "convnext_atto", "cs3darknet_focus_s", "cspnext_tiny", "densenet121", "dla46x_c", "dpn48b",
    "edgenext_xx_small", "efficientnet_lite0", "fasternet_t0", "ghostnet_050", "hardcorenas_b",
    "hgnetv2_b0", "hrnet_w18_small", "inception_next_atto", "legacy_xception", "mobilenetv2_050",
    "mobilenetv3_small_050", "nf_regnet_b0", "regnetx_002", "repghostnet_050", "repvgg_a0",
    "res2next50", "resnest14d", "resnet10t", "rexnet_100", "skresnet18", "starnet_s050", "vgg11",
)  # fmt: skip
NAMED = (
    "vit_tiny_patch16_224", "vit_xsmall_patch16_clip_224", "vit_small_patch14_dinov2",
    "eva02_tiny_patch14_224", "deit3_small_patch16_224", "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256", "maxvit_rmlp_pico_rw_256", "levit_128s", "coatnet_pico_rw_224",
    "mambaout_femto", "csatv2",
)  # fmt: skip


@pytest.mark.parametrize("name", [*CONVOLUTIONAL, *NAMED])
def test_a_family_of_timm_gives_maps(name: str) -> None:
    """`fit` runs the model on the meta device and refuses one that gives no maps."""
    assert fit(BackboneSpec(name), 3, (-1,), 256)[1] in (None, 224, 256, 266)


@pytest.mark.parametrize(
    ("name", "front_end", "size", "side"),
    [
        ("test_vit", "rgb", 64, 4),
        ("test_vit", "fad", 64, 4),
        ("test_vit", "lfs", 64, 2),
        ("test_vit", "rgb", 70, 5),  # 80 px: whole patches of 16
        ("swin_tiny_patch4_window7_224", "rgb", 64, 2),
        ("levit_128s", "rgb", 64, 1),
        ("efficientformer_l1", "rgb", 64, 7),  # built for 224 px
        ("test_mambaout", "rgb", 64, 2),
    ],
)
def test_transformers_are_branches(name: str, front_end: str, size: int, side: int) -> None:
    branch = Branch(BranchSpec(name, front_end=front_end), size)
    features = branch(torch.rand(2, 3, size, size))
    assert features.shape == (2, branch.out_channels, side, side)
    features.square().mean().backward()
    first = next(p for p in branch.backbone.parameters() if p.ndim == 4)
    assert first.grad is not None
    assert first.grad.abs().max() > 0


def test_the_last_map_of_a_transformer_has_its_final_norm() -> None:
    backbone = Backbone(BackboneSpec("test_vit"), size=64).eval()
    images = torch.rand(2, 3, 64, 64)
    whole = timm.create_model("test_vit", img_size=64).eval()
    whole.load_state_dict(backbone.model.model.state_dict(), strict=False)
    tokens = whole.forward_features(images)[:, whole.num_prefix_tokens :]
    torch.testing.assert_close(backbone(images).flatten(2).mT, tokens)


def test_position_embeddings_of_pretrained_weights_are_interpolated(tmp_path: Path) -> None:
    whole = timm.create_model("test_vit")
    save_file(whole.state_dict(), tmp_path / "weights.safetensors")
    overlay = {"file": str(tmp_path / "weights.safetensors")}
    spec = BackboneSpec("test_vit", pretrained=True, args={"pretrained_cfg_overlay": overlay})
    got = Backbone(spec, size=96).model.model.pos_embed
    prefix = whole.num_prefix_tokens
    torch.testing.assert_close(
        got, resample_abs_pos_embed(whole.pos_embed, (6, 6), num_prefix_tokens=prefix)
    )


def test_a_backbone_sees_its_own_resolution() -> None:
    branch = Branch(BranchSpec("resnet10t", input_size=96), 64).eval()
    images = torch.rand(1, 3, 64, 64)
    larger = torch.nn.functional.interpolate(images, (96, 96), mode="bilinear")
    plain = Branch(BranchSpec("resnet10t"), 96).eval()
    plain.load_state_dict(branch.state_dict())
    assert branch(images).shape[-1] == 3
    torch.testing.assert_close(branch(images), plain(larger), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_transformer_that_resizes_its_input_is_exported(tmp_path: Path) -> None:
    student = BranchSpec("test_vit", input_size=48)
    detector = DistillModule(student, targets=[], image_size=64).eval()
    export_onnx(detector, tmp_path / "student.onnx")
    images = torch.randint(256, (3, 3, 64, 64), dtype=torch.uint8)
    session = onnxruntime.InferenceSession(tmp_path / "student.onnx")
    exported = session.run(["probability"], {"images": images.numpy()})[0]
    with torch.inference_mode():
        np.testing.assert_allclose(exported, detector(images).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "channels", "size", "expected"),
    [
        (BackboneSpec("efficientformer_l1", input_size=96), 3, 64, "efficientformer_l1"),
        (BackboneSpec("inception_v3"), 3, 32, r"3 x 32 x 32 px .*: set input_size to its own, 299"),
        (BackboneSpec("csatv2"), 12, 64, "csatv2"),
        (BackboneSpec("test_vit", input_size=0), 3, 64, "input_size of test_vit is 0"),
    ],
)
def test_an_input_that_a_backbone_cannot_take_is_refused(
    spec: BackboneSpec, channels: int, size: int, expected: str
) -> None:
    with pytest.raises(InputError, match=expected) as refusal:
        Backbone(spec, channels, size=size)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["test_vit", "resnet10t", "convnext_atto"])
def test_tuning_the_norms_trains_their_weights_and_biases_only(name: str) -> None:
    branch = Branch(BranchSpec(name, tune="norm"), 32)
    branch(torch.rand(2, 3, 32, 32)).square().mean().backward()
    trained = {n for n, p in branch.named_parameters() if p.grad is not None}
    layers = dict(branch.named_modules())
    owners = {layers[n.rpartition(".")[0]] for n in trained}
    norms = (nn.LayerNorm, nn.BatchNorm2d)
    assert trained
    assert all(isinstance(owner, norms) for owner in owners)
    assert all(p.requires_grad == (n in trained) for n, p in branch.named_parameters())


def test_a_backbone_of_which_only_the_head_is_tuned_does_not_move() -> None:
    branch = Branch(BranchSpec("resnet10t", tune="head"), 32).train()
    before = {name: value.clone() for name, value in branch.state_dict().items()}
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(branch(images), branch(images))
    assert not branch(images).requires_grad
    assert all(torch.equal(value, before[name]) for name, value in branch.state_dict().items())


@pytest.mark.parametrize("config", ["clip", "pe-core"])
def test_norm_tuning_trains_few_parameters_of_a_large_teacher(config: str) -> None:
    """GenD trains about 0.03 % of the parameters."""
    text = (CONFIGS / "teacher" / f"{config}.yaml").read_text()
    spec = BranchSpec(**yaml.safe_load(text)["model"]["init_args"]["branches"]["spatial"])
    with torch.device("meta"), without_pretrained_weights():
        branch = Branch(spec, 256)
    trained = sum(p.numel() for p in branch.parameters() if p.requires_grad)
    assert 0.0002 < trained / count_parameters(branch) < 0.0005


def test_the_command_lists_cost_and_reasons(capsys) -> None:
    main(["backbones", "test_mambaout", "--image_size=64"])
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["backbone", "input", "map", "parameters,", "M", "MACs,", "G"]
    assert row.split()[:3] == ["test_mambaout", "64", "64x2x2"]
    main(["backbones", "csatv2", "--front_end=fad"])
    assert "not usable: backbone 'csatv2'" in capsys.readouterr().out
    assert "did you mean test_vit" in refused(["backbones", "test_vti"], capsys)
