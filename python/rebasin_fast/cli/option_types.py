"""Types of options: ``module:factory``, code of the user's own that is imported; a number of bytes."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

# ``click.ParamType`` takes a type argument since click 8.4 only; type checkers take none of the older ones.
if TYPE_CHECKING:
    CallableType = click.ParamType[Callable[..., Any]]
    IntegerType = click.ParamType[int]
else:
    CallableType = IntegerType = click.ParamType


class FactoryType(CallableType):
    """A callable named as ``module:name``; modules in the current folder are found."""

    name = "module:name"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Callable[..., Any]:
        """Import it; a usage error names the missing part."""
        if not isinstance(value, str):
            return cast(Callable[..., Any], value)
        module_name, separator, attribute = value.partition(":")
        if not separator or not module_name or not attribute:
            self.fail(f"{value!r} is not of the form module:name, such as mymodels:resnet20", param, ctx)
        if module_name.endswith(".py"):
            hint = module_name.removesuffix(".py").replace("/", ".")
            self.fail(f"{module_name!r} is a file; name its module: {hint}:{attribute}", param, ctx)
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.insert(0, here)
        try:
            found = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            self.fail(f"module {module_name!r} cannot be imported from here ({error})", param, ctx)
        for part in attribute.split("."):
            if not hasattr(found, part):
                self.fail(f"module {module_name!r} has no {attribute!r}", param, ctx)
            found = getattr(found, part)
        if not callable(found):
            self.fail(f"{value!r} is not callable", param, ctx)
        return cast(Callable[..., Any], found)


FACTORY = FactoryType()


class OutputName(click.Path):
    """The name of an output; an empty one is a usage error, as of a variable that is not set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if value == "":
            self.fail("the name is empty; give that of a file or folder", param, ctx)
        return super().convert(value, param, ctx)


class ByteCount(IntegerType):
    """A number of bytes: digits, perhaps with K, M, G or T (powers of 1000) behind them."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; a usage error where it is none."""
        if isinstance(value, int):
            return value
        parts = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", str(value).strip(), re.IGNORECASE)
        if parts is None:
            self.fail(f"{value!r} is no number of bytes; write 800M, 1.5G or digits alone", param, ctx)
        return int(float(parts[1]) * 1000 ** " KMGT".index(parts[2].upper() or " "))


def made_model(factory: Callable[[], Any]) -> Any:
    """The torch model that a factory of ``--model`` makes, or the first of the (model, inputs) of ``--trace``."""
    made = factory()
    model = made[0] if isinstance(made, tuple) and made else made
    if not callable(getattr(model, "named_parameters", None)):
        raise click.UsageError(
            f"--model: the factory gave {type(made).__qualname__}; expected a torch.nn.Module"
        )
    return model
