"""The examples of all families, in the order of the registry."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable

import pytest

from helpers.families.example import Example
from rebasin_fast.specs.ready.families import FAMILIES

EXAMPLES: list[Example] = [
    example
    for family in FAMILIES
    for example in importlib.import_module(f"helpers.families.{family}").EXAMPLES
]
BY_NAME = {example.name: example for example in EXAMPLES}


def parametrized(
    examples: Iterable[Example] = EXAMPLES, *, slow: Collection[str] = ()
) -> pytest.MarkDecorator:
    """One test an example; deep ones, whose layers shallow ones have too, and those named are marked slow."""

    def is_slow(example: Example) -> bool:
        return example.deep or not example.mutated or example.name in slow

    params = [
        pytest.param(example, marks=[pytest.mark.slow] if is_slow(example) else []) for example in examples
    ]
    return pytest.mark.parametrize("example", params, ids=str)
