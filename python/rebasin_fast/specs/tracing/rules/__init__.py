"""What each operation does to the axes of its tensors: one concept a file, found by the operation's name."""

from rebasin_fast.specs.tracing.rules import (
    attention,
    convolution,
    creation,
    elementwise,
    experts,
    indexing,
    linear_algebra,
    normalisation,
    patches,
    pooling,
    recurrent,
    reductions,
    shapes,
)

__all__ = [
    "attention",
    "convolution",
    "creation",
    "elementwise",
    "experts",
    "indexing",
    "linear_algebra",
    "normalisation",
    "patches",
    "pooling",
    "recurrent",
    "reductions",
    "shapes",
]
