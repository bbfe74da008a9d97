"""The normal form of parameters under the symmetries of a spec."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._arrays import check_arrays, find_ties
from rebasin_fast.permutation.apply import check_names_known
from rebasin_fast.permutation.normal.linear import balance_linear
from rebasin_fast.permutation.normal.norms import absorb, centre
from rebasin_fast.permutation.normal.result import Normalised, Step
from rebasin_fast.permutation.normal.rotations import balance_rotations
from rebasin_fast.permutation.normal.scales import balance_scales
from rebasin_fast.permutation.normal.working import Working
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.transforms.draw import identity_transform
from rebasin_fast.permutation.transforms.rotations import as_pairs
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.symmetry import Norm, Symmetry
from rebasin_fast.typing import Array, Floats, Params

_CONVERGED = 1e-10
_MOST_ROUNDS = 100


@_arguments.checked()
def normalise(spec: PermutationSpec, params: Params, *, balance: bool = True) -> Normalised:
    """The same function in normal form, in which only orders, signs and rotations of units are left open.

    Gains of norms are multiplied into the axes that read the norm and become 1; their biases are added through these,
    where each has a bias, and become 0, or are divided by the gain and move with the units. Axes that write under a
    LayerNorm are centred. Scales are balanced: the incoming and outgoing norm of each unit, and of each rotated pair
    within units, are equal. Units between linear maps are balanced by the singular values of the product. Of all
    parameters on the orbit these have the least sum of squares.

    Parameters
    ----------
    spec : PermutationSpec
        With symmetries, as :func:`rebasin_fast.trace_spec` finds them.
    params : Mapping[str, array]
        NumPy, torch, JAX or CuPy arrays. Not changed.
    balance : bool
        Without it gains, biases and means alone are moved: enough for rotations to act.

    Returns
    -------
    Normalised
        ``params`` for the same model class, ``transform``, ``steps``, and what was ``kept``.

    Raises
    ------
    SpecError
        The spec does not fit the parameters.
    ParamsError
        An array on which a symmetry acts is not of finite floating-point numbers.

    Notes
    -----
    Computed in float64, in memory for two copies of the parameters. The gains and biases under one permutation move
    together or stay together: they stay where the reader is tied to another parameter, as an output layer to the
    embedding, or where a reader has no bias, and a gain of 0 that of the norm cannot be divided by; ``kept`` then holds
    the reason, and the permutation has orders only. Rank-deficient products are balanced to 1e-6 of their largest
    singular value.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.specs.symmetry import Role, Symmetry
    >>> scales = Symmetry("P", "scales", (Role("up", 0, (1,)), Role("down", 1, (-1,))))
    >>> spec = rf.PermutationSpec({"up": ("P", None), "down": (None, "P")}, symmetries=[scales])
    >>> found = rf.normalise(spec, {"up": np.array([[9.0], [1.0]]), "down": np.array([[1.0, 4.0]])})
    >>> found.params["up"].ravel(), found.params["down"].ravel()
    (array([3., 2.]), array([3., 2.]))
    >>> found
    Normalised(2 parameters)
      P: scales balanced by factors from 0.333 to 2, iterations: 2
    """
    if not isinstance(spec, PermutationSpec):
        raise TypeError(f"spec is a PermutationSpec, got {type(spec).__qualname__}")
    check_arrays(params, "the parameters")
    check_names_known(spec, params)
    balance = _arguments.flag("balance", balance)
    known = {n: f for n, f in getattr(spec, "ties", {}).items() if n in params and f in params}
    working = Working(spec, params, {**known, **find_ties(params)})
    acting = [symmetry for symmetry in spec.symmetries if symmetry.permutation in working.sizes]
    steps, refused = _without_gains(working, acting)
    kept = {name: next(iter(reasons.values())) for name, reasons in refused.items()}
    transform, balanced, iterations = _balanced(working, acting if balance else [])
    left = tuple(s for s in acting if s.group != "orthogonal" or s.permutation not in kept)
    return Normalised(working.results(), transform, (*steps, *balanced), kept, left, iterations)


def without_gains(
    spec: PermutationSpec, params: Params, ties: Mapping[str, str]
) -> tuple[dict[str, Array], dict[str, dict[Norm, str]]]:
    """The parameters with gains and biases moved and writers centred, not balanced; the norms kept, and why."""
    working = Working(spec, params, ties)
    acting = [symmetry for symmetry in spec.symmetries if symmetry.permutation in working.sizes]
    _, kept = _without_gains(working, acting)
    return working.results(), kept


def _without_gains(working: Working, acting: list[Symmetry]) -> tuple[list[Step], dict[str, dict[Norm, str]]]:
    steps: list[Step] = []
    kept: dict[str, dict[Norm, str]] = {}
    for symmetry in acting:
        if symmetry.group != "orthogonal":
            continue
        done, refused = absorb(working, symmetry)
        if not refused:
            steps += [*done, *centre(working, symmetry)]
            continue
        kept[symmetry.permutation] = refused
        names = tuple(dict.fromkeys(n for norm in symmetry.norms for n in (norm.gain, norm.bias) if n))
        reason = next(iter(refused.values()))
        text = f"gains and biases of its norms stay, and its units are not rotated: {reason}"
        steps.append(Step("kept", symmetry.permutation, names, text))
    return steps, kept


def _balanced(working: Working, acting: list[Symmetry]) -> tuple[Transform, list[Step], int]:
    """Balance scales and linear groups in turn until neither changes."""
    spec = working.spec
    identity = identity_transform(spec, working.sizes)
    linear = {symmetry.permutation: symmetry for symmetry in acting if symmetry.group == "linear"}
    turned = [symmetry for symmetry in acting if symmetry.group == "rotations"]
    scaled = [s for s in acting if s.group == "scales" and s.permutation not in linear and working.places(s)]
    scales = {s.permutation: np.ones(identity.permutation[s.permutation].shape) for s in scaled}
    pairs = {
        s.permutation: np.ones((*identity.permutation[s.permutation].shape, s.rotations)) for s in turned
    }
    matrices: dict[str, Floats] = {}
    deficient: set[str] = set()
    iterations, change, rounds = 0, np.inf, 0
    while change > _CONVERGED and rounds < _MOST_ROUNDS:
        balance = balance_scales(working, scaled)
        iterations, rounds = iterations + balance.steps, rounds + 1
        change = 0.0
        for name, factors in balance.factors.items():
            scales[name] = scales[name] * factors.reshape(scales[name].shape)
            change = max(change, float(np.abs(np.log(factors)).max(initial=0.0)) if rounds > 1 else 0.0)
        for symmetry in turned:
            factors = balance_rotations(working, symmetry)
            pairs[symmetry.permutation] *= factors.reshape(pairs[symmetry.permutation].shape)
            change = max(change, float(np.abs(np.log(factors)).max(initial=0.0)))
        for name, symmetry in linear.items():
            found = None if name in deficient else balance_linear(working, symmetry)
            if found is None or found.matrices is None:
                continue
            if found.is_deficient:
                deficient.add(name)
            shape = (*identity.permutation[name].shape, found.matrices.shape[-1])
            own = found.matrices.reshape(shape)
            matrices[name] = own @ matrices[name] if name in matrices else own
            change = max(change, found.change)
    ending = "" if change <= _CONVERGED else f"; not converged after {rounds} rounds"
    steps = [_scaled_step(s, scales[s.permutation], f"iterations: {iterations}{ending}") for s in scaled]
    steps += [_scaled_step(s, pairs[s.permutation], f"one a pair{ending}") for s in turned]
    steps += [_linear_step(linear[name], name in deficient, ending) for name in matrices]
    pairs = {name: factors for name, factors in pairs.items() if (factors != 1.0).any()}
    moved = {name: factors for name, factors in scales.items() if (factors != 1.0).any()}
    return (
        Transform(
            identity.permutation,
            {},
            moved,
            matrices,
            {name: as_pairs(own.astype(np.complex128)) for name, own in pairs.items()},
        ),
        [step for step in steps if step is not None],
        iterations,
    )


def _scaled_step(symmetry: Symmetry, factors: Floats, ending: str) -> Step | None:
    if not (np.abs(np.log(factors)) > _CONVERGED).any():
        return None
    text = f"scales balanced by factors from {factors.min():.3g} to {factors.max():.3g}, {ending}"
    return Step("scales", symmetry.permutation, _acted_on(symmetry), text)


def _linear_step(symmetry: Symmetry, is_deficient: bool, ending: str) -> Step:
    text = "linear maps balanced by the singular values of their product"
    if is_deficient:
        text += ", to 1e-6 of the largest, since some are smaller or 0"
    return Step("linear", symmetry.permutation, _acted_on(symmetry), text + ending)


def _acted_on(symmetry: Symmetry) -> tuple[str, ...]:
    return tuple(dict.fromkeys(role.parameter for role in symmetry.roles if any(role.exponents)))
