import pytest
import torch

from errors import InputError
from lightning_modules.networks.backbone import Branch, BranchSpec
from lightning_modules.networks.multi_branch import MultiBranchNetwork

IMAGES = torch.rand(2, 3, 64, 64)


def tiny(front_end: str, name: str = "resnet10t", width: int = 16) -> BranchSpec:
    args = {"channels": [8, 8, 8, width], "stem_width": 8} if name == "resnet10t" else {}
    return BranchSpec(name, args=args, front_end=front_end)


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


def test_a_misspelt_fusion_suggests_near_ones() -> None:
    with pytest.raises(InputError, match="gated_sum"):
        MultiBranchNetwork({"spatial": tiny("rgb"), "frequency": tiny("fad")}, 64, "gatedsum")


@pytest.mark.parametrize(
    "name", ["resnet10t", "legacy_xception", "mobilenetv3_small_050", "levit_128s"]
)
@pytest.mark.parametrize("stage", [0, 2, -1])
def test_the_map_of_a_stage_is_the_same_in_student_and_teacher(name: str, stage: int) -> None:
    """The student continues to the last map, the teacher ends at the stage."""
    whole = Branch(tiny("rgb", name), 64, (stage, -1)).eval()
    maps = whole.maps(IMAGES)
    short = whole.truncated(stage).eval()
    torch.testing.assert_close(short(IMAGES), maps[0])
    assert short.out_channels == maps[0].shape[1] == whole.backbone.channels[0]
    torch.testing.assert_close(whole(IMAGES), maps[-1])
    if name == "resnet10t" and stage == 0:
        assert len(short.backbone.state_dict()) < len(whole.backbone.state_dict())


def test_a_stage_that_does_not_exist_names_the_range() -> None:
    with pytest.raises(InputError, match=r"stage 9 is out of range for resnet10t \(0-4\)"):
        Branch(tiny("rgb"), 64, (9, -1))
