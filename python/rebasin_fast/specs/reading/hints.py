"""Numbers of an architecture that shapes do not determine, given by the caller, and errors for missing ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rebasin_fast.errors import SpecError

NormKind: TypeAlias = Literal["batch", "layer"]


@dataclass(frozen=True, slots=True)
class Hints:
    """Arguments of :func:`rebasin_fast.specs.for_params` that names and shapes do not determine; None is unknown."""

    heads: int | None = None
    norm_groups: int | None = None
    layers: tuple[str, ...] | None = None


NO_HINTS = Hints()


class HintNeededError(SpecError):
    """The family is recognised, and a number that its spec needs was not given."""


class AmbiguousError(SpecError):
    """Names and shapes allow several readings, of which none is proven."""


def needed_heads(hints: Hints, described: str) -> int:
    """The number of attention heads; HintNeededError names the network, as ``described``, when it was not given."""
    if hints.heads is None:
        raise HintNeededError(
            f"these are the parameters of {described}, and their shapes do not determine the number of attention "
            "heads: pass heads=… (it stands in the model's configuration)"
        )
    return hints.heads


def needed_norm(hints: Hints, statistics: bool, described: str, norm: str) -> tuple[NormKind, int]:
    """Kind and groups of norms with or without running statistics; HintNeededError where groups are not given.

    A LayerNorm, a GroupNorm of one group and one of 32 have the same parameters, and a spec for one changes the
    function of the other.
    """
    if statistics:
        return "batch", 1
    if hints.norm_groups is None:
        raise HintNeededError(
            f"these are the parameters of {described} whose norms, as {norm!r}, keep no running statistics: pass "
            "norm_groups=1 for LayerNorm, GroupNorm of one group, or BatchNorm without statistics; "
            "norm_groups=g for GroupNorm of g groups"
        )
    return "layer", hints.norm_groups
