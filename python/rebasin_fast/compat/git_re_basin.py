"""Drop-in names and signatures of git-re-basin's ``weight_matching.py`` (Ainsworth et al. 2022).

A script written for the original runs with one import changed, on NumPy, torch or JAX arrays under flattened Flax
names (``Dense_0/kernel``) or any others:

    from rebasin_fast.compat.git_re_basin import apply_permutation, mlp_permutation_spec, weight_matching

With a JAX key, or an int for ``jax.random.PRNGKey``, the permutations are visited in the original's order and every
assignment is taken, as the original does, so that the results agree where float32 products do. Differences:

- a permutation none of whose neighbours moved since its last visit is not solved again;
- a step counts as progress where it raises the float64 objective by 1e-12 of its magnitude; the original requires
  1e-12 in float32, whose rounding may make a sweep more or less at the end;
- ``init_perm`` is not changed; the original overwrites it in place;
- where several assignments are equally good (dead units), the two may choose differently.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments, _core
from rebasin_fast._arrays import library_of
from rebasin_fast._native.blas import gemm_address
from rebasin_fast.compat import threefry
from rebasin_fast.compat.published_specs import (
    PermutationSpec,
    cnn_permutation_spec,
    mlp_permutation_spec,
    permutation_spec_from_axes_to_perm,
    resnet20_permutation_spec,
    resnet50_permutation_spec,
    vgg16_permutation_spec,
)
from rebasin_fast.errors import ParamsError, PermutationError, SpecError
from rebasin_fast.matching.compilation import compile_problem
from rebasin_fast.matching.objective import objective_of
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.permutation import check_permutation, identity_permutation
from rebasin_fast.specs.spec import PermutationSpec as FullSpec
from rebasin_fast.typing import Array, Params

__all__ = [
    "PermutationSpec",
    "apply_permutation",
    "cnn_permutation_spec",
    "get_permuted_param",
    "mlp_permutation_spec",
    "permutation_spec_from_axes_to_perm",
    "resnet20_permutation_spec",
    "resnet50_permutation_spec",
    "vgg16_permutation_spec",
    "weight_matching",
]

# The original's 1e-12, as a share of the objective's magnitude.
_PROGRESS = 1e-12


@_arguments.checked()
def get_permuted_param(
    ps: PermutationSpec, perm: Mapping[str, Array], k: str, params: Params, except_axis: int | None = None
) -> Array:
    """Parameter ``k`` of ``params`` with the permutations applied to all its axes, or all but ``except_axis``.

    Returns an array of the same library, dtype and device; a copy unless nothing moves. SpecError where the spec lacks
    ``k``.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.compat.git_re_basin import get_permuted_param, mlp_permutation_spec
    >>> params = {"Dense_0/bias": np.array([1.0, 2.0, 3.0])}
    >>> get_permuted_param(mlp_permutation_spec(1), {"P_0": [2, 0, 1]}, "Dense_0/bias", params)
    array([3., 1., 2.])
    """
    if k not in ps.axes_to_perm:
        raise SpecError(f"parameter {k!r} is not in the spec, which has {len(ps.axes_to_perm)} parameters")
    if k not in params:
        raise ParamsError(f"params lack {k!r}; they have {len(params)} parameters")
    w = params[k]
    library = library_of(w)
    for axis, p in enumerate(ps.axes_to_perm[k]):
        if p is not None and axis != except_axis:
            if p not in perm:
                raise PermutationError(
                    f"perm lacks {p!r}, which moves axis {axis} of {k!r}; it has {[*perm][:8]}"
                )
            w = library.take(w, np.asarray(perm[p]).astype(np.int64), axis)
    return w


@_arguments.checked()
def apply_permutation(ps: PermutationSpec, perm: Mapping[str, Array], params: Params) -> dict[str, Array]:
    """``params`` with ``perm`` applied: slot i of permutation p is filled by unit ``perm[p][i]``.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.compat.git_re_basin import apply_permutation, mlp_permutation_spec
    >>> apply_permutation(mlp_permutation_spec(1), {"P_0": [1, 0]}, {"Dense_0/bias": np.array([1.0, 2.0])})
    {'Dense_0/bias': array([2., 1.])}
    """
    return {k: get_permuted_param(ps, perm, k, params) for k in params}


@_arguments.checked()
def weight_matching(
    rng: Any,
    ps: PermutationSpec,
    params_a: Params,
    params_b: Params,
    max_iter: int = 100,
    init_perm: Mapping[str, Array] | None = None,
    silent: bool = False,
) -> dict[str, Array]:
    """Find a permutation of ``params_b`` to make them match ``params_a``.

    Parameters
    ----------
    rng : JAX key, pair of uint32, or int
        Orders the visits of each sweep as ``jax.random.permutation(jax.random.fold_in(rng, sweep), count)``.
        JAX is not needed for it. Where it is not loaded, numbers are those of JAX 0.5 and later;
        JAX_THREEFRY_PARTITIONABLE=0 in the environment gives those of earlier versions.
    ps : PermutationSpec
        Of this module, or anything with ``axes_to_perm`` and ``perm_to_axes``.
    params_a, params_b : Mapping[str, array]
        NumPy, torch or JAX arrays. Names that ``ps`` does not have are ignored.
    max_iter : int
        Most sweeps.
    init_perm : Mapping[str, array of int], optional
        Where to start; the identity by default. Its order of names is the one that ``rng`` permutes.
    silent : bool
        False prints ``sweep/permutation: gain`` after every visit, as the original does.

    Returns
    -------
    dict[str, array of int]
        In the library of ``params_a`` (JAX, torch, else NumPy).

    Raises
    ------
    ParamsError, SpecError, PermutationError
        The arguments do not fit together; see :func:`rebasin_fast.weight_matching`.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.compat.git_re_basin import mlp_permutation_spec, weight_matching
    >>> a = {"Dense_0/kernel": np.eye(3), "Dense_0/bias": np.zeros(3), "Dense_1/kernel": np.eye(3)}
    >>> a["Dense_1/bias"] = np.zeros(3)
    >>> shuffled = np.eye(3)[[2, 0, 1]]
    >>> b = {**a, "Dense_0/kernel": shuffled.T, "Dense_1/kernel": shuffled}
    >>> weight_matching(0, mlp_permutation_spec(1), a, b, silent=True)
    {'P_0': array([1, 2, 0])}
    """
    spec = _matched_spec(ps, params_a, params_b)
    sizes = spec.sizes(params_a)
    start = identity_permutation(spec, sizes)
    names = list(ps.perm_to_axes)
    if init_perm is not None:
        start = check_permutation(spec, init_perm, sizes)
        names = list(init_perm)
    problem = compile_problem(check_pair(spec, params_a, params_b, strict=False))
    numbers = {name: number for number, name in enumerate(problem.permutations)}
    numbered = np.array([numbers[name] for name in names], dtype=np.int64)
    orders = numbered[threefry.visiting_orders(rng, max_iter, len(names))].tolist()
    options = _core.DescentOptions()
    options.next_order = lambda sweep: orders[sweep] if sweep < len(orders) else None
    options.tolerance = _PROGRESS
    options.overwrite = True
    if not silent:
        first = objective_of(spec, params_a, params_b, start, strict=False)
        options.on_visit = _printer(problem.permutations, first)
    found = _core.coordinate_descent(
        problem.native,
        [start[name] for name in problem.permutations],
        options,
        double_products=problem.double_products,
        gemm=gemm_address("dgemm" if problem.double_products else "sgemm"),
    )
    by_name = dict(zip(problem.permutations, found.permutations, strict=True))
    example = next(iter(params_a.values()))
    return {name: _like(example, by_name[name]) for name in names}


def _matched_spec(ps: PermutationSpec, params_a: Params, params_b: Params) -> FullSpec:
    spec = FullSpec(ps.axes_to_perm)
    for name in spec.axes_to_perm:
        for model, params in (("A", params_a), ("B", params_b)):
            if name not in params:
                raise ParamsError(
                    f"the spec names parameter {name!r}, which the parameters of {model} lack; they are expected flat, "
                    f"as flatten_params gives them, and have {', '.join(map(repr, list(params)[:3]))}, …"
                )
    return spec


def _printer(permutations: tuple[str, ...], first: float) -> Callable[[_core.DescentEvent], None]:
    before = first

    def on_visit(event: _core.DescentEvent) -> None:
        nonlocal before
        gain, before = event.objective - before, event.objective
        # The output of the original without `silent`.
        print(f"{event.sweep}/{permutations[event.permutation]}: {gain}")  # noqa: T201

    return on_visit


def _like(example: Array, index: NDArray[np.int64]) -> Array:
    """``index`` in the library of ``example``."""
    root = type(example).__module__.partition(".")[0]
    if root in ("jax", "jaxlib"):
        return sys.modules["jax"].numpy.asarray(index)
    if root == "torch":
        return sys.modules["torch"].from_numpy(index).to(example.device)
    return index
