from lightning_modules.homogenization.fan_out import HomogenizedGradients
from lightning_modules.homogenization.homogenizer import GradientHomogenizer

__all__ = ["GradientHomogenizer", "HomogenizedGradients"]
