import pytest
import torch

from errors import InputError
from lightning_modules.networks.branch import BranchSpec
from lightning_modules.networks.multi_branch import MultiBranchNetwork

IMAGES = torch.rand(2, 3, 64, 64)


def tiny(front_end: str, name: str = "resnet10t", width: int = 16) -> BranchSpec:
    args = {"channels": [8, 8, 8, width], "stem_width": 8} if name == "resnet10t" else {}
    return BranchSpec(name, args=args, front_end=front_end)


def pair(**specs: BranchSpec) -> dict[str, BranchSpec]:
    return {"spatial": tiny("rgb"), "frequency": tiny("fad")} | specs


@pytest.mark.parametrize("fusion", ["concatenation", "gated_sum"])
def test_any_number_of_branches_is_fused(fusion: str) -> None:
    branches = {
        "spatial": tiny("rgb"),
        "frequency": tiny("fad", width=24),
        "noise": tiny("srm"),
        "phase": tiny("phase"),
    }
    network = MultiBranchNetwork(branches, 64, fusion)
    logits = network.classify(network.features(IMAGES))
    assert list(logits) == ["fused", *branches]
    logits["fused"].sum().backward()
    for branch in network.branches.values():
        first = next(p for p in branch.parameters() if p.ndim == 4)
        assert first.grad is not None
        assert first.grad.abs().max() > 0


@pytest.mark.parametrize("stages", [(0,), (1, 3), (0, 1, 2)])
def test_mix_blocks_start_as_nothing_and_then_join_the_branches(stages: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = MultiBranchNetwork(pair(), 64, mix_stages=stages).eval()
    torch.manual_seed(0)
    alone = {name: branch(IMAGES) for name, branch in network.branches.items()}
    mixed = network.features(IMAGES)
    for name, features in alone.items():
        torch.testing.assert_close(mixed[name], features)
    for block in network.mix_blocks.values():
        torch.nn.init.constant_(block.gammas, 2.0)  # type: ignore[arg-type]
    mixed = network.features(IMAGES)
    for name, features in alone.items():
        assert not torch.allclose(mixed[name], features)


def test_f3nets_own_backbone_is_mixed_where_it_does() -> None:
    """Xception's layers 7 and 12 are no feature maps of timm's: they are named."""
    xceptions = {
        name: BranchSpec("legacy_xception", front_end=front_end)
        for name, front_end in (("spatial", "fad"), ("frequency", "lfs"))
    }
    network = MultiBranchNetwork(xceptions, 64, mix_stages=("block7", "block12"))
    assert {x.shape[1] for x in network.features(IMAGES).values()} == {2048}


def test_branches_of_unlike_sizes_are_mixed() -> None:
    """F3-Net's own pair: LFS halves the image."""
    network = MultiBranchNetwork(pair(spatial=tiny("lfs")), 64, mix_stages=(1, 2))
    features = network.features(IMAGES)
    assert features["frequency"].shape[-1] == 2 * features["spatial"].shape[-1]


def test_mixing_gets_gradients_through() -> None:
    network = MultiBranchNetwork(pair(), 64, mix_stages=(1,))
    torch.nn.init.constant_(network.mix_blocks["1"].gammas, 0.5)  # type: ignore[arg-type]
    network(IMAGES).sum().backward()
    assert all(p.grad is not None for p in network.mix_blocks.parameters())


@pytest.mark.parametrize(
    ("branches", "stages", "expected"),
    [
        (pair(noise=tiny("srm")), (1,), "two branches, there are 3"),
        (pair(frequency=tiny("fad", "mobilenetv3_small_050")), (1,), "does not end a layer"),
        (pair(frequency=tiny("fad", "hrnet_w18_small")), (1,), "cannot be cut"),
        (pair(frequency=tiny("fad", "convnext_atto")), (1,), "8 and 80 channels"),
        (pair(), (9,), "stage 9 of resnet10t: there are 0 to 4"),
        (pair(), ("layer9",), "layer4 do"),
    ],
)
def test_branches_that_cannot_be_mixed_are_told(
    branches: dict[str, BranchSpec], stages: tuple[int, ...], expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        MultiBranchNetwork(branches, 64, mix_stages=stages)


def test_a_misspelt_fusion_suggests_near_ones() -> None:
    with pytest.raises(InputError, match="gated_sum"):
        MultiBranchNetwork(pair(), 64, "gatedsum")


@pytest.mark.parametrize("mix_stages", [(), (1,), (2,), (1, 3)])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_the_maps_of_a_stage_are_those_on_the_way(mix_stages: tuple[int, ...], stage: int) -> None:
    network = MultiBranchNetwork(pair(), 64, mix_stages=mix_stages).eval()
    for block in network.mix_blocks.values():
        torch.nn.init.constant_(block.gammas, 1.0)  # type: ignore[arg-type]
    maps = network.features(IMAGES, stage)
    assert {name: x.shape[1] for name, x in maps.items()} == network.widths_at(stage)
    if not mix_stages:
        backbone = network.branches["spatial"].backbone
        rest = backbone.segments([stage])[1]  # type: ignore[operator, union-attr]
        torch.testing.assert_close(rest(maps["spatial"]), network.features(IMAGES)["spatial"])


@pytest.mark.parametrize("stage", [None, 2])
@pytest.mark.parametrize("mix_stages", [(), (1,)])
def test_a_branch_that_is_not_asked_for_is_run_where_others_need_it(
    mix_stages: tuple[int, ...], stage: int | None
) -> None:
    network = MultiBranchNetwork(pair(), 64, mix_stages=mix_stages).eval()
    for block in network.mix_blocks.values():
        torch.nn.init.constant_(block.gammas, 1.0)  # type: ignore[arg-type]
    ran = []
    for name, branch in network.branches.items():
        branch.front_end.register_forward_hook(lambda *_, name=name: ran.append(name))  # type: ignore[union-attr]
    maps = network.features(IMAGES, stage, ["spatial"])
    assert ran == (["spatial", "frequency"] if mix_stages else ["spatial"])
    torch.testing.assert_close(maps["spatial"], network.features(IMAGES, stage)["spatial"])
