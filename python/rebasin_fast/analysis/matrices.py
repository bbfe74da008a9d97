"""The weight matrices of a spec, and their singular value decompositions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import find_ties, wide_on_host
from rebasin_fast._arrays.derived import described_by
from rebasin_fast.errors import ParamsError
from rebasin_fast.merging.same_names import is_interpolated

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Array, Params


@dataclass(frozen=True)
class Decomposition:
    """``left`` (m, k) times ``values`` (k,) times ``right`` (k, n), without the singular values that are zero."""

    left: NDArray[Any]
    values: NDArray[np.float64]
    right: NDArray[Any]


def weight_matrices(spec: PermutationSpec, params: Params) -> list[str]:
    """Names of the spec's floating-point parameters of two or more axes, in its order.

    Of tied parameters the first; none of ``spec.unmatched``.
    """
    described = described_by(params)
    found = {
        name: described[name]
        for name in spec.axes_to_perm
        if name in described and name not in spec.unmatched and len(described[name].shape) >= 2
    }
    ties = find_ties(found)
    return [name for name, array in found.items() if name not in ties and is_interpolated(array)]


def as_matrix(name: str, array: Array, which: str) -> NDArray[Any]:
    """``array`` in float64 with one row an output, the other axes flattened into columns.

    Outputs stand on the first axis, in the kernels of Flax and Keras on the last. ParamsError, naming the model
    ``which``, where an entry is not finite.
    """
    wide = wide_on_host(array)
    if wide.ndim > 2 and re.split("[./]", name)[-1] == "kernel":
        wide = np.moveaxis(wide, -1, 0)
    if not np.isfinite(wide).all():
        raise ParamsError(
            f"parameter {name!r} of {which} has entries that are not finite, and so no singular values; load a "
            "checkpoint from before training diverged, or leave the parameter out of the spec"
        )
    return wide.reshape(len(wide), -1)


def decomposed(matrix: NDArray[Any]) -> Decomposition:
    """Singular vectors and values, largest first; values that rounding cannot tell from zero are left out.

    The vectors of zero are an arbitrary basis, which would make noise of any sum over them.
    """
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    kept = values > values.max(initial=0.0) * max(matrix.shape) * np.finfo(np.float64).eps
    return Decomposition(left[:, kept], values[kept], right[kept])


def singular_values(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """All min(m, n) of them, largest first."""
    values: NDArray[np.float64] = np.linalg.svd(matrix, compute_uv=False)
    return values
