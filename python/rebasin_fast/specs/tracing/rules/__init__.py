"""Rules of ATen operations: how each ties the axes of its tensors. One concept a file, registered on import."""

from rebasin_fast.specs.tracing.rules import (  # noqa: F401
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
