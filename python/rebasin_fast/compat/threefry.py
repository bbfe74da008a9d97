"""JAX's random permutations in NumPy, bit for bit, for the visiting order of the original program.

The generator is Threefry-2x32 with 20 rounds (Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC'11):
a keyed bijection of pairs of 32-bit words. A key is two words; its random bits are the images of counters.

JAX has two ways of counting, both reproduced here: since version 0.5 each position has a counter of its own
("partitionable"), before it the counters of an array were dealt out as two halves. They give different numbers.
"""

from __future__ import annotations

import os
import sys
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments

Key: TypeAlias = NDArray[np.uint32]  # (..., 2): everything here works on many keys at once
Words: TypeAlias = NDArray[np.uint32]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA  # of the key schedule, from Skein


def threefry2x32(key: Key, first: Words, second: Words) -> tuple[Words, Words]:
    """The images of the pairs (first[i], second[i]) under ``key``: (..., n) each. Arithmetic is modulo 2**32."""
    low, high = key[..., :1], key[..., 1:]
    schedule = [low, high, low ^ high ^ np.uint32(_PARITY)]
    x, y = first + schedule[0], second + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = ((y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))) ^ x
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x, y


def fold_in(key: Key, data: int | NDArray[np.integer]) -> Key:
    """``jax.random.fold_in``: a key for the number ``data``, of 32 bits; (n, 2) for n numbers."""
    second = np.atleast_1d(np.asarray(data) & 0xFFFFFFFF).astype(np.uint32)
    folded = np.stack(threefry2x32(key, np.zeros_like(second), second), axis=-1)
    return folded if np.ndim(data) else folded[0]


def split(key: Key, partitionable: bool) -> tuple[Key, Key]:
    """``jax.random.split`` into two keys."""
    if partitionable:
        x, y = threefry2x32(key, np.zeros(2, np.uint32), np.arange(2, dtype=np.uint32))
        return np.stack([x[..., 0], y[..., 0]], axis=-1), np.stack([x[..., 1], y[..., 1]], axis=-1)
    return threefry2x32(key, np.array([0, 1], np.uint32), np.array([2, 3], np.uint32))


def random_bits(key: Key, count: int, partitionable: bool) -> Words:
    """``jax.random.bits`` of 32 bits each: (..., count)."""
    if partitionable:
        x, y = threefry2x32(key, np.zeros(count, np.uint32), np.arange(count, dtype=np.uint32))
        return x ^ y
    half = (count + 1) // 2
    counters = np.zeros(2 * half, np.uint32)  # an odd count is filled up with a zero
    counters[:count] = np.arange(count)
    return np.concatenate(threefry2x32(key, counters[:half], counters[half:]), axis=-1)[..., :count]


def permutation(key: Key, count: int, partitionable: bool) -> NDArray[np.int64]:
    """``jax.random.permutation(key, count)``, (..., count): sorts by random words, repeated until ties are unlikely."""
    index = np.broadcast_to(np.arange(count, dtype=np.int64), (*key.shape[:-1], count))
    rounds = int(np.ceil(3 * np.log(max(1, count)) / np.log(np.iinfo(np.uint32).max)))
    for _ in range(rounds):
        key, subkey = split(key, partitionable)
        order = np.argsort(random_bits(subkey, count, partitionable), axis=-1, kind="stable")
        index = np.take_along_axis(index, order, axis=-1)
    return index


def visiting_orders(rng: object, sweeps: int, count: int) -> NDArray[np.int64]:
    """The order in which the original visits ``count`` permutations in each of its sweeps: (sweeps, count)."""
    keys = fold_in(key_of(rng), np.arange(sweeps))
    return permutation(keys, count, counts_are_partitionable())


def key_of(rng: object) -> Key:
    """The two words of a JAX key of either style, of a pair of uint32, or of ``jax.random.PRNGKey(rng)`` for an int.

    Raises
    ------
    TypeError
        ``rng`` is something else, or the key of another generator than Threefry.
    """
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        return np.array([0, int(rng) & 0xFFFFFFFF], dtype=np.uint32)
    jax = sys.modules.get("jax")
    if (
        jax is not None
        and isinstance(rng, jax.Array)
        and jax.dtypes.issubdtype(rng.dtype, jax.dtypes.prng_key)
    ):
        rng = jax.random.key_data(rng)
    words = _arguments.array("rng", rng, "a JAX key, the two uint32 of one, or an int")
    if words.shape != (2,) or words.dtype != np.uint32:
        raise TypeError(
            f"rng is a JAX key, the two uint32 of one, or an int for jax.random.PRNGKey; got {type(rng).__name__} "
            f"of shape {words.shape} and dtype {words.dtype}. Keys of other generators than threefry2x32 have "
            "another form: pass an int"
        )
    return words


def counts_are_partitionable() -> bool:
    """Whether JAX counts by position: its setting where it is loaded, else its environment variable or default."""
    jax = sys.modules.get("jax")
    if jax is not None:
        return bool(getattr(jax.config, "jax_threefry_partitionable", False))
    setting = os.environ.get("JAX_THREEFRY_PARTITIONABLE", "1")
    return setting.lower() in ("1", "true", "t", "yes", "y", "on")
