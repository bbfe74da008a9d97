"""Base classes of the options' own types, for every click since 8.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

# ``click.ParamType`` takes a type argument since click 8.4 only; type checkers have seen none of the older ones.
if TYPE_CHECKING:
    CallableType = click.ParamType[Callable[..., Any]]
    IntegerType = click.ParamType[int]
else:
    CallableType = IntegerType = click.ParamType
