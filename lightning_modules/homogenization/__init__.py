from lightning_modules.homogenization.homogenizer import GradientHomogenizer, HomogenizedGradients

__all__ = ["GradientHomogenizer", "HomogenizedGradients"]
