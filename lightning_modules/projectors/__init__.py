from lightning_modules.projectors.attention_pooling import AttentionPooling
from lightning_modules.projectors.batch_norm import BatchNorm
from lightning_modules.projectors.bottleneck import Bottleneck
from lightning_modules.projectors.convolution import Convolution
from lightning_modules.projectors.ensemble import Ensemble
from lightning_modules.projectors.identity import Identity
from lightning_modules.projectors.linear import Linear
from lightning_modules.projectors.mlp import MLP
from lightning_modules.projectors.orthogonal import Orthogonal
from lightning_modules.projectors.projector import Projector, ProjectorFactory

__all__ = [
    "MLP",
    "AttentionPooling",
    "BatchNorm",
    "Bottleneck",
    "Convolution",
    "Ensemble",
    "Identity",
    "Linear",
    "Orthogonal",
    "Projector",
    "ProjectorFactory",
]
