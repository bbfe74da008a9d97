"""torchvision beside a torch that its wheel was not built for."""

from __future__ import annotations

from types import ModuleType


def import_torchvision() -> ModuleType:
    """Import torchvision, whose compiled operators may be missing: its models use none of them.

    At import it registers shape functions for ``nms`` and ``qnms``, which fails where the operators are not defined.
    """
    import torch

    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(
                f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
    import torchvision

    return torchvision


def import_timm() -> ModuleType:
    """Import timm, which imports torchvision."""
    import_torchvision()
    import timm

    return timm
