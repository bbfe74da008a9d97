"""Two models and a spec, checked against one another before any matching begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rebasin_fast._arrays import check_arrays
from rebasin_fast._arrays.derived import described_by
from rebasin_fast.errors import ParamsError, SpecError
from rebasin_fast.matching.matched import matched_parameters, moved_parameters, refuse_complex_beside_real
from rebasin_fast.merging.meanings import refuse_codes
from rebasin_fast.permutation import check_permutation, identity_permutation
from rebasin_fast.specs.renaming import change_of_names, names_like, shapes_of
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.typing import Array, Index, Params, Permutation


@dataclass(frozen=True)
class CheckedPair:
    """A spec and two models that fit together; ``left_in_place`` are parameters that they do not share, and why."""

    spec: PermutationSpec
    models: tuple[Params, Params]
    sizes: dict[str, int]
    left_in_place: dict[str, str]

    @cached_property
    def matched(self) -> list[tuple[str, Array, Array]]:
        """The parameters of the objective: name, A's array and B's, each read once and kept.

        ParamsError where one of them is complex in one model only.
        """
        a, b = self.models
        found = [(name, a[name], b[name]) for name in matched_parameters(self.spec, self.models)]
        for parameter in found:
            refuse_complex_beside_real(*parameter)
        return found


def check_pair(spec: PermutationSpec, params_a: Params, params_b: Params, *, strict: bool) -> CheckedPair:
    """Check that ``spec`` fits both models.

    Raises
    ------
    TypeError
        An argument is of another type than its place takes.
    SpecError, ParamsError
        The spec does not fit, or the models differ in shapes; with ``strict`` also any parameter that the
        spec or one of the models lacks.
    """
    _check_types(spec, params_a, params_b)
    if not params_a.keys() & params_b.keys():
        names = names_like(shapes_of(params_b), shapes_of(params_a))
        if names is not None:
            raise ParamsError(
                f"A and B are of one architecture under different names ({change_of_names(names)}): rename B's "
                "parameters (rebasin_fast.specs.renaming.RenamedParams(params_b, names_like(…))), or use the command "
                "line, which does"
            )
        raise ParamsError(
            f"A and B share no parameter, so they are not of one architecture: A has {_few(params_a)}, "
            f"B has {_few(params_b)}"
        )
    left = _left_in_place(spec, params_a, params_b)
    movable = {
        name: reason for name, reason in left.items() if not _is_scalar(name, spec, params_a, params_b)
    }
    if movable and strict:
        _refuse_incomplete(spec, params_a, params_b, movable)
    described_a, described_b = described_by(params_a), described_by(params_b)
    for name in described_a:
        if name in described_b and tuple(described_a[name].shape) != tuple(described_b[name].shape):
            raise ParamsError(
                f"parameter {name!r} has shape {tuple(described_a[name].shape)} in A and "
                f"{tuple(described_b[name].shape)} in B; the two models must have the same architecture and width"
            )
    shared = [name for name in spec.axes_to_perm if name in params_a and name in params_b]
    if not shared:
        raise SpecError(
            f"the spec and the two models share no parameter: the spec has {_few(spec.axes_to_perm)}, "
            f"A has {_few(params_a)}, B has {_few(params_b)}"
        )
    refuse_codes([name for name in moved_parameters(spec) if name in params_a], params_a)
    sizes = spec.sizes({**described_b, **described_a})
    return CheckedPair(spec, (params_a, params_b), sizes, movable)


def start_of(spec: PermutationSpec, sizes: Mapping[str, int], init: Permutation | None) -> dict[str, Index]:
    """``init`` (a ``Matching`` stands for its permutation) checked, or the identity.

    For every name whose size is known, names outside the parameters that both models have included.
    """
    if init is None:
        return identity_permutation(spec, sizes)
    return check_permutation(spec, getattr(init, "permutation", init), sizes)


def _check_types(spec: object, params_a: object, params_b: object) -> None:
    if not isinstance(spec, PermutationSpec):
        raise TypeError(
            f"the first argument is the PermutationSpec, then A's and B's parameters; got {type(spec).__qualname__}"
        )
    for model, params in (("A", params_a), ("B", params_b)):
        check_arrays(params, f"the parameters of {model}")


def _left_in_place(spec: PermutationSpec, params_a: Params, params_b: Params) -> dict[str, str]:
    left: dict[str, str] = {}
    axes = spec.axes_to_perm
    ties = {**getattr(spec, "ties", {})}
    ties |= {first: name for name, first in ties.items()}
    if axes.keys() == params_a.keys() == params_b.keys():
        return left
    for name in dict.fromkeys([*axes, *params_a, *params_b]):
        if any(name not in params and ties.get(name) in params for params in (params_a, params_b)):
            continue  # held once, under the other name
        if name not in params_a and name not in params_b:
            left[name] = "in the spec, and in neither model"
        elif name not in params_a or name not in params_b:
            left[name] = f"in model {'A' if name in params_a else 'B'} only"
        elif name not in axes:
            left[name] = "not in the spec"
    return left


def _is_scalar(name: str, spec: PermutationSpec, params_a: Params, params_b: Params) -> bool:
    """Counters such as num_batches_tracked: they have no axis to move, so either model may lack them."""
    for params in (params_a, params_b):
        if name in params:
            return len(params[name].shape) == 0
    return not spec.axes_to_perm[name]


def _refuse_incomplete(
    spec: PermutationSpec, params_a: Params, params_b: Params, left: dict[str, str]
) -> None:
    name, reason = next(iter(left.items()))
    cure = "strict=False (--no-strict) leaves such parameters in place and reports them"
    for model, params in (("A", params_a), ("B", params_b)):
        try:
            spec.validate(params)
        except SpecError as error:
            raise SpecError(f"model {model}: {error} ({len(left)} such parameters in all; {cure})") from None
    raise ParamsError(f"parameter {name!r} is {reason} ({len(left)} such parameters in all); {cure}")


def _few(names: Mapping[str, object]) -> str:
    listed = list(names)
    if not listed:
        return "none"
    return ", ".join(map(repr, listed[:3])) + (f", … ({len(listed)} names)" if len(listed) > 3 else "")
