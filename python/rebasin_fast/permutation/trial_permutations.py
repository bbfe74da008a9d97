"""The permutations of a proof by trial: few, and every mistake in an entry changes the outputs for some."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, islice

import numpy as np

from rebasin_fast.permutation.apply import identity_permutation, random_permutation
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Index


def generators(
    spec: PermutationSpec, sizes: Mapping[str, int], rng: np.random.Generator
) -> tuple[dict[str, Index], dict[str, Index]]:
    """A random cycle through all units of each permutation, and the swap of two neighbours on that cycle.

    The two generate every permutation: a function that both preserve is preserved by all. A single uniform draw proves
    less; it may be the identity on few units, or commute with a mistake.
    """
    orders = random_permutation(spec, sizes, rng)
    return (
        {name: _send(order, np.roll(order, 1, axis=-1)) for name, order in orders.items()},
        {name: _send(order, _first_two_swapped(order)) for name, order in orders.items()},
    )


def trials(
    spec: PermutationSpec, sizes: Mapping[str, int], drawn: tuple[dict[str, Index], dict[str, Index]]
) -> list[dict[str, Index]]:
    """About log2(k) + 2 choices for k permutations, in which each moves by its cycle and by its swap.

    Each name has a binary code with two ones or more. It moves in the trials where its code has a one, by its cycle
    and its swap in turn. Codes differ, so that of any two names one moves without the other in some trial: two
    permutations of few units may be drawn equal, which would hide an entry that names one in place of the other.
    """
    identity = identity_permutation(spec, sizes)
    codes = dict(zip(identity, binary_codes(len(identity)), strict=True))
    length = max((code.bit_length() for code in codes.values()), default=1)
    chosen: list[dict[str, Index]] = [dict(identity) for _ in range(length)]
    for name, code in codes.items():
        ones = [digit for digit in range(length) if code >> digit & 1]
        for turn, digit in enumerate(ones):
            chosen[digit][name] = drawn[turn % 2][name]
    return chosen


def binary_codes(number: int) -> list[int]:
    """The first ``number`` codes of two binary ones or more, ascending."""
    return list(islice((code for code in count(3) if code.bit_count() > 1), number))


def _send(order: Index, target: Index) -> Index:
    index = np.empty_like(order)
    np.put_along_axis(index, order, target, axis=-1)
    return index


def _first_two_swapped(order: Index) -> Index:
    swapped: Index = order.copy()
    swapped[..., :2] = order[..., 1::-1] if order.shape[-1] > 1 else order
    return swapped
