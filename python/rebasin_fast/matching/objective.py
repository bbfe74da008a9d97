"""The objective of weight matching at a given permutation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rebasin_fast.matching.weight.method import weight_matching

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params, Permutation


def objective_of(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    permutation: Permutation,
    *,
    strict: bool = True,
) -> float:
    """vec(A) . vec(permuted B) over the matched parameters, summed in float64 by the core.

    The value is that of a weight matching that starts at ``permutation`` and takes no step, to the last bit, so that
    objectives of all methods compare exactly.

    Raises
    ------
    SpecError, ParamsError, PermutationError
        As :func:`rebasin_fast.weight_matching`: the arguments do not fit together, or a matched weight is NaN or
        infinite.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.matching.objective import objective_of
    >>> spec = rf.specs.mlp(["fc1", "fc2"], bias=False)
    >>> a = {"fc1.weight": np.eye(2), "fc2.weight": np.eye(2)}
    >>> objective_of(spec, a, a, {"P0": [0, 1]}), objective_of(spec, a, a, {"P0": [1, 0]})
    (4.0, 0.0)
    """
    return weight_matching(spec, params_a, params_b, init=permutation, max_iter=0, strict=strict).objective
