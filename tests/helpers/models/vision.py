"""The list of image models: torchvision's, timm's, and a plain U-Net."""

from __future__ import annotations

from . import (
    timm_attention,
    timm_convolutional,
    torchvision_attention,
    torchvision_dense,
    torchvision_mobile,
    torchvision_plain,
    torchvision_residual,
    torchvision_segmentation,
)
from .registry import Model

_FILES = (
    torchvision_plain,
    torchvision_dense,
    torchvision_residual,
    torchvision_mobile,
    torchvision_attention,
    torchvision_segmentation,
    timm_convolutional,
    timm_attention,
)

MODELS: list[Model] = [model for file in _FILES for model in file.MODELS]
