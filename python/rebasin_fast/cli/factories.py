"""``module:factory`` on the command line: code of the user's own, imported and called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click

from rebasin_fast.cli.click_types import CallableType


class FactoryType(CallableType):
    """A callable named as ``module:name``; modules in the current folder are found."""

    name = "module:name"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Callable[..., Any]:
        """Import it, or fail with what is missing."""
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


def made_model(factory: Callable[[], Any]) -> Any:
    """What a factory of ``--model`` makes: a torch model, or the first of the (model, inputs) of ``--trace``."""
    made = factory()
    model = made[0] if isinstance(made, tuple) and made else made
    if not callable(getattr(model, "named_parameters", None)):
        raise click.UsageError(
            f"--model: the factory gave {type(made).__qualname__}; expected a torch.nn.Module"
        )
    return model
