"""Proof by trial that the symmetries of a spec leave a model's function as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rebasin_fast.errors import SpecError
from rebasin_fast.permutation.normal.method import without_gains
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.transforms.apply import apply_transform
from rebasin_fast.permutation.transforms.check import GROUPS_OF, symmetry_of
from rebasin_fast.permutation.transforms.draw import identity_transform, random_transform
from rebasin_fast.permutation.trial import TOLERANCE, Trial
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.symmetry import Norm, Symmetry, UnshownSymmetryError
from rebasin_fast.typing import Array, Floats, Params


def verify_symmetries(spec: PermutationSpec, trial: Trial) -> None:
    """SpecError, naming permutation, group and parameters, unless the symmetries change none of the outputs."""
    drawn = random_transform(spec, spec.sizes(trial.params), trial.rng)
    choices = drawn, _opposite(spec, drawn, random_transform(spec, spec.sizes(trial.params), trial.rng))
    start = trial.params
    fault = _fault(spec, trial, start, choices)
    if fault is not None:
        trial.rebase(start)
        if trial.take_given_inputs():
            fault = _fault(spec, trial, start, choices)
        if fault is not None:
            raise SpecError(fault)


def _fault(
    spec: PermutationSpec, trial: Trial, start: Params, choices: tuple[Transform, Transform]
) -> str | None:
    """What is wrong with a symmetry; None where outputs stay as they are."""
    fault = _fault_of_norms(spec, trial, start)
    if fault is not None:
        return fault
    symmetries = _that_act(spec)
    _check_shown(trial, () if trial.is_influenced else symmetries)

    def change(chosen: Iterable[tuple[Symmetry, Transform]], start: Transform | None = None) -> float:
        transform = start or identity_transform(spec, spec.sizes(trial.params))
        for symmetry, choice in chosen:
            transform = _with(transform, symmetry, choice)
        return trial.change_with(apply_transform(spec, transform, trial.params))

    reordered = Transform(choices[0].permutation)
    changes = [change(chosen, reordered) for chosen in _trials(symmetries, choices)]
    if max(changes, default=0.0) <= TOLERANCE:
        return None
    alone = {s: max(change([(s, choice)]) for choice in choices) for s in symmetries}
    worst = max(alone, key=lambda symmetry: alone[symmetry])
    if alone[worst] > TOLERANCE:
        return _describe(
            worst, alone[worst], [s for s in symmetries if s is not worst and alone[s] > TOLERANCE]
        )
    return (
        f"the symmetries of the spec change the function of the model: its outputs move by {max(changes):.2g} of their "
        f"magnitude (allowed {TOLERANCE:g}) when several act together, though each alone preserves them"
    )


def _check_shown(trial: Trial, symmetries: Iterable[Symmetry]) -> None:
    """UnshownSymmetryError for symmetries whose parameters have no part in the outputs."""
    acted = {symmetry: _acted_on(symmetry, trial.params) for symmetry in symmetries}
    unshown = [symmetry for symmetry, names in acted.items() if names and not trial.depends_on(names)]
    if unshown:
        names = ", ".join(map(repr, acted[unshown[0]]))
        raise UnshownSymmetryError(
            f"the outputs of the model do not depend on {names}, on which the {unshown[0].group!r} symmetry of "
            f"{unshown[0].permutation!r} acts, so that they prove nothing: give inputs that reach these layers",
            unshown,
        )


def _fault_of_norms(spec: PermutationSpec, trial: Trial, start: Params) -> str | None:
    """Move gains and biases into readers, and go on from there; what is wrong with that.

    Where a bias cannot be moved it is set to 0 for the trial, and where a gain still cannot, to 1.
    """
    if not any(symmetry.norms for symmetry in spec.symmetries):
        return None
    trial.rebase(start)
    moved, kept = without_gains(spec, start, trial.ties)
    for plain in (_without_bias, _without_gain):
        if kept:
            norms = [norm for refused in kept.values() for norm in refused]
            trial.rebase({**trial.params, **plain(norms, trial.params)})
            moved, kept = without_gains(spec, trial.params, trial.ties)
    change = trial.change_with(moved)
    if change > TOLERANCE:
        of = ", ".join(repr(symmetry.permutation) for symmetry in spec.symmetries if symmetry.norms)
        names = ", ".join(repr(name) for name in moved if moved[name] is not trial.params[name])
        return (
            f"the norms of the 'orthogonal' symmetry of {of} change the function of the model: its outputs move by "
            f"{change:.2g} of their magnitude (allowed {TOLERANCE:g}) when gains and biases are moved into the readers "
            f"and writers are centred, in {names}: a reader is wrong or missing, or the norm is of another kind"
        )
    trial.rebase(moved)
    return None


def _without_bias(norms: Sequence[Norm], params: Params) -> dict[str, Array]:
    names = {norm.bias for norm in norms if norm.bias is not None}
    return {name: params[name] * 0.0 for name in names if name in params}


def _without_gain(norms: Sequence[Norm], params: Params) -> dict[str, Array]:
    names = {norm.gain for norm in norms if norm.gain is not None}
    return {name: params[name] * 0.0 + 1.0 for name in names if name in params}


def _that_act(spec: PermutationSpec) -> list[Symmetry]:
    """The symmetries by which transforms act: a linear group holds an orthogonal one of the same permutation."""
    return [s for s in spec.symmetries if symmetry_of(spec, s.permutation, _kind_of(s)) is s]


def _kind_of(symmetry: Symmetry) -> str:
    return next(kind for kind, groups in GROUPS_OF.items() if symmetry.group in groups)


def _acted_on(symmetry: Symmetry, params: Params) -> list[str]:
    names = dict.fromkeys(role.parameter for role in symmetry.roles if any(role.exponents))
    return [name for name in names if name in params and params[name].is_floating_point()]


def _opposite(spec: PermutationSpec, first: Transform, second: Transform) -> Transform:
    """``second`` with the signs that ``first`` has not, and its scales inverted: one of the two moves each unit."""
    layered = {s.permutation for s in spec.symmetries if any(norm.kind == "layer" for norm in s.norms)}
    matrices: dict[str, Floats] = {
        name: values if name in layered else -first.matrices[name] @ values
        for name, values in second.matrices.items()
    }
    return Transform(
        second.permutation,
        {name: -values for name, values in first.signs.items()},
        {name: 1.0 / values for name, values in first.scales.items()},
        matrices,
        second.rotations,
    )


def _with(transform: Transform, symmetry: Symmetry, choice: Transform) -> Transform:
    kind = _kind_of(symmetry)
    chosen: Mapping[str, Floats] = getattr(choice, kind)
    if symmetry.permutation not in chosen:
        return transform
    return replace(
        transform,
        **{kind: {**getattr(transform, kind), symmetry.permutation: chosen[symmetry.permutation]}},
    )


def _trials(
    symmetries: Sequence[Symmetry], choices: tuple[Transform, Transform]
) -> list[list[tuple[Symmetry, Transform]]]:
    """About log2(k) + 2 choices for k symmetries: in the first all act; of any two one acts without the other.

    Each has an odd binary code with two ones or more, as in ``trial_permutations.trials``, and acts in both ways.
    """
    codes = list(range(3, 3 + 2 * len(symmetries), 2))
    chosen: list[list[tuple[Symmetry, Transform]]] = [[] for _ in range(max(codes, default=1).bit_length())]
    for symmetry, code in zip(symmetries, codes, strict=True):
        ones = [digit for digit in range(len(chosen)) if code >> digit & 1]
        for turn, digit in enumerate(ones):
            chosen[digit].append((symmetry, choices[turn % 2]))
    return chosen


def _describe(symmetry: Symmetry, change: float, others: Sequence[Symmetry]) -> str:
    places = ", ".join(
        f"{role.parameter} axis {role.axis} ({', '.join(map(str, role.exponents))})"
        for role in symmetry.roles
        if any(role.exponents)
    )
    also = ", ".join(f"{other.group!r} of {other.permutation!r}" for other in others)
    return (
        f"the {symmetry.group!r} symmetry of {symmetry.permutation!r} changes the function of the model: its outputs "
        f"move by {change:.2g} of their magnitude (allowed {TOLERANCE:g}). It acts on {places}: the group is too large "
        "for the operations between these, an exponent is wrong, or an axis that carries the same units is missing"
        + (f". Also at fault: {also}" if also else "")
    )
