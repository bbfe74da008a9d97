"""What shapes do not tell about an architecture, and the caller can."""

from __future__ import annotations

from dataclasses import dataclass

from rebasin_fast.errors import SpecError


@dataclass(frozen=True, slots=True)
class Hints:
    """Answers to what :func:`rebasin_fast.specs.for_params` cannot read off names and shapes; None is unknown."""

    heads: int | None = None
    norm_groups: int | None = None
    layers: tuple[str, ...] | None = None


NO_HINTS = Hints()


class HintNeededError(SpecError):
    """The family is recognised, and a number that its spec needs is not in the shapes."""


class AmbiguousError(SpecError):
    """Names and shapes allow several readings, of which none is proven."""


def needed_heads(hints: Hints, seen: str) -> int:
    """The number of attention heads; HintNeededError names what was ``seen`` when it was not given."""
    if hints.heads is None:
        raise HintNeededError(
            f"these are the parameters of {seen}, and their shapes do not tell the number of attention heads: "
            "pass heads=… (it stands in the model's configuration)"
        )
    return hints.heads


def needed_groups(hints: Hints, seen: str, norm: str) -> int:
    """The number of groups of norms without statistics; HintNeededError when it was not given.

    A LayerNorm, a GroupNorm of one group and one of 32 have the same parameters, and a spec for one changes the
    function of the other.
    """
    if hints.norm_groups is None:
        raise HintNeededError(
            f"these are the parameters of {seen} whose norms, as {norm!r}, keep no running statistics: pass "
            "norm_groups=1 for LayerNorm, GroupNorm of one group, or BatchNorm without statistics; "
            "norm_groups=g for GroupNorm of g groups"
        )
    return hints.norm_groups
