"""The examples of all families, in the order of the registry."""

from __future__ import annotations

import importlib

from helpers.families.example import Example
from rebasin_fast.specs.ready.families import FAMILIES

EXAMPLES: list[Example] = [
    example
    for family in FAMILIES
    for example in importlib.import_module(f"helpers.families.{family}").EXAMPLES
]
BY_NAME = {example.name: example for example in EXAMPLES}
