"""Builders of image models, and the small images that they are traced with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def image_model(
    make: Callable[..., nn.Module], size: int, **options: Any
) -> Callable[[], tuple[nn.Module, Any]]:
    """A function that gives ``make(**options)`` in eval mode, and two images of ``size`` pixels a side."""

    def build() -> tuple[nn.Module, Any]:
        torch.manual_seed(0)
        return make(**options).eval(), (torch.randn(2, 3, size, size),)

    return build
