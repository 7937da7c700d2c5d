from lightning_modules.projectors.linear import Linear
from lightning_modules.projectors.mlp import MLP
from lightning_modules.projectors.projector import Projector, ProjectorFactory

__all__ = ["MLP", "Linear", "Projector", "ProjectorFactory"]
