"""The packages that published models come from: whether they are installed, and their import."""

from __future__ import annotations

from importlib.util import find_spec
from types import ModuleType

PACKAGES = ("torch", "torchvision", "timm", "transformers", "diffusers")


def require_models() -> None:
    """Skip a module of tests where a package is missing; called before the models are imported."""
    import pytest  # benchmarks import this module without it

    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (extra test-models)", allow_module_level=True)


def import_torchvision() -> ModuleType:
    """Import torchvision beside a torch that its wheel was not built for: its models use no compiled operator.

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
