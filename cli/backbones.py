import timm
import torch
from torch import nn

from errors import InputError, near, require_number
from lightning_modules.networks.backbone import Branch, BranchSpec, count_macs, count_parameters


def backbones(pattern: str = "*", /, image_size: int = 256, front_end: str = "rgb") -> None:
    """List timm's models with their cost as a branch or student, or why one cannot be used.

    Nothing is downloaded or computed. All models take some minutes.

    Args:
        pattern: Name of a model, or a pattern such as "vit_*"; default: all models.
        image_size: Side of the crops, in pixels.
        front_end: rgb, fad, lfs, phase, srm, or the class path of a FrontEnd.

    Raises:
        InputError: No model has such a name.
    """
    require_number("--image_size", image_size, least=1)
    names = timm.list_models(pattern)
    if not names:
        msg = f"no timm backbone is named {pattern}{near(pattern, timm.list_models())}"
        raise InputError(msg)
    print(f"{'backbone':44}{'input':>6}{'map':>16}{'parameters, M':>15}{'MACs, G':>10}")
    for name in names:
        try:
            columns = _measure(name, image_size, front_end)
        except InputError as error:
            columns = f"  not usable: {error}"
        print(f"{name:44}{columns}", flush=True)


def _measure(name: str, image_size: int, front_end: str) -> str:
    with torch.device("meta"):
        branch = Branch(BranchSpec(name, front_end=front_end), image_size).eval()
        seen = branch.front_end(torch.zeros(1, 3, image_size, image_size))
        shape = "x".join(str(side) for side in branch.backbone(seen).shape[1:])
        macs = count_macs(nn.Sequential(branch.front_end, branch.backbone), image_size)
    size = branch.backbone.input_size or seen.shape[-1]
    return f"{size:6}{shape:>16}{count_parameters(branch) / 1e6:15.2f}{macs / 1e9:10.2f}"
