"""Orders in which sweeps visit the permutations: drawn, or given by the caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from rebasin_fast._untrusted import brief
from rebasin_fast.errors import SpecError

# The visits of every sweep, or of each sweep in turn.
Order: TypeAlias = Sequence[str] | Sequence[Sequence[str]]


def orders_of(
    order: Order | None, permutations: tuple[str, ...], max_iter: int, rng: np.random.Generator
) -> Callable[[int], list[int] | None]:
    """The visits of sweep 0, 1, 2, … as numbers of ``permutations``, and None after the last sweep.

    Raises
    ------
    SpecError
        ``order`` names a permutation that is not in ``permutations``.
    """
    if order is None:
        return lambda sweep: rng.permutation(len(permutations)).tolist() if sweep < max_iter else None
    numbers = {name: number for number, name in enumerate(permutations)}
    check_order(order)
    same_every_sweep, count = _is_one_sweep(order), most_sweeps(order, max_iter)
    sweeps: Sequence[Any] = [order] if same_every_sweep else order[:max_iter]
    try:
        numbered = [[numbers[name] for name in sweep] for sweep in sweeps]
    except KeyError as error:
        raise SpecError(
            f"order names permutation {error}, which the spec lacks; it has {permutations}"
        ) from None
    return lambda sweep: numbered[0 if same_every_sweep else sweep] if sweep < count else None


def check_order(order: object) -> None:
    """TypeError unless it is a sequence of names, or one of such sequences."""
    sweeps: list[Any] = list(order) if _is_list(order) else [None]
    named = all(isinstance(sweep, str) for sweep in sweeps)
    nested = all(_is_list(sweep) and all(isinstance(name, str) for name in sweep) for sweep in sweeps)
    if not named and not nested:
        raise TypeError(
            f"order is a list of names of permutations, or one such list a sweep; got {brief(order)}"
        )


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def most_sweeps(order: Order | None, max_iter: int) -> int:
    """The number of sweeps at most: those listed, or ``max_iter``."""
    return max_iter if order is None or _is_one_sweep(order) else min(max_iter, len(order))


def _is_one_sweep(order: Order) -> bool:
    return len(order) > 0 and all(isinstance(name, str) for name in order)
