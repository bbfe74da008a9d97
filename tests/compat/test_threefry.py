"""The NumPy Threefry against draws of JAX."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from rebasin_fast.compat import threefry

RECORD = json.loads((Path(__file__).parent / "recorded_by_jax.json").read_text())


@pytest.mark.parametrize(
    "row", RECORD["orders"], ids=lambda row: f"{row['partitionable']}-{row['seed']}-{row['sweep']}"
)
def test_permutations_are_those_of_jax(row: dict) -> None:
    key = threefry.fold_in(threefry.key_of(row["seed"]), row["sweep"])
    drawn = [threefry.permutation(key, count, row["partitionable"]) for count in RECORD["counts"]]
    assert [order.tolist() for order in drawn[:-1]] == row["small"]
    assert zlib.crc32(drawn[-1].tobytes()) == row["crc32_of_largest"]


def test_known_answer_of_the_generator() -> None:
    """The vector of zeros from the test suite of Random123, the reference implementation."""
    zero = np.zeros(1, np.uint32)
    x, y = threefry.threefry2x32(np.zeros(2, np.uint32), zero, zero)
    assert (int(x[0]), int(y[0])) == (0x6B200159, 0x99BA4EFE)


def test_a_key_of_two_words_is_taken_as_it_is() -> None:
    words = np.array([7, 9], dtype=np.uint32)
    assert threefry.key_of(words).tolist() == [7, 9]
    assert threefry.key_of(np.int64(3)).tolist() == [0, 3]


@pytest.mark.parametrize(
    "rng", [None, np.random.default_rng(0), np.zeros(4, np.uint32), np.zeros(2, np.int64), "0"]
)
def test_anything_else_is_refused(rng: object) -> None:
    with pytest.raises(TypeError, match="rng is a JAX key"):
        threefry.key_of(rng)


@pytest.mark.parametrize(
    ("setting", "expected"), [(None, True), ("0", False), ("false", False), ("True", True)]
)
def test_the_variable_of_jax_chooses_the_way_of_counting(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, expected: bool
) -> None:
    monkeypatch.delitem(__import__("sys").modules, "jax", raising=False)
    if setting is None:
        monkeypatch.delenv("JAX_THREEFRY_PARTITIONABLE", raising=False)
    else:
        monkeypatch.setenv("JAX_THREEFRY_PARTITIONABLE", setting)
    assert threefry.counts_are_partitionable() is expected
