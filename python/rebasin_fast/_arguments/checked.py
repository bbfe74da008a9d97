"""The arguments of a call, checked by the annotations of its function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from rebasin_fast._arguments.annotations import Check, check_of

Function = TypeVar("Function", bound=Callable[..., Any])
_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def checked(**least: int | None) -> Callable[[Function], Function]:
    """A decorator: each argument is what its annotation says, or an error names it before the function runs.

    The annotations are the texts of ``from __future__ import annotations``; a parameter with a part that
    ``annotations.py`` does not know is left to the function. None passes where the annotation has it, and where it
    is the default.

    Parameters
    ----------
    **least
        The smallest value of a parameter that is a whole number, where that is not 0; None leaves a parameter to the
        function. A number whose default is infinite may be so.

    Raises
    ------
    TypeError, ValueError
        From the decorated function: an argument is of another type, or no such value.

    Examples
    --------
    >>> @checked(width=1)
    ... def mean_width(width: "int", layers: "int") -> "float":
    ...     return width / layers
    >>> mean_width(True, layers=2)
    Traceback (most recent call last):
        ...
    TypeError: width is a whole number, 1 or more; got True
    """

    def decorate(function: Function) -> Function:
        names = [name for name, p in inspect.signature(function).parameters.items() if p.kind in _BY_PLACE]
        checks: dict[str, Check] = {}
        ready: list[bool] = []

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not ready:  # at the first call, when all names of the function's module are there
                checks.update(_checks_of(function, least))
                ready.append(True)
            for name, value in (*zip(names, args), *kwargs.items()):  # noqa: B905 - too many are Python's own error
                if name in checks:
                    checks[name](name, value)
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def check_fields(instance: Any, **least: int) -> None:
    """As :func:`checked`, for the fields of a dataclass: to be called in its ``__post_init__``."""
    annotated: Callable[..., Any] = type(instance).__init__
    checks = _of_class(annotated, tuple(sorted(least.items())))
    for field in fields(instance):
        if field.name in checks:
            checks[field.name](field.name, getattr(instance, field.name))


@functools.lru_cache(64)
def _of_class(function: Callable[..., Any], least: tuple[tuple[str, int], ...]) -> Mapping[str, Check]:
    return _checks_of(function, dict(least))


def _checks_of(function: Callable[..., Any], least: Mapping[str, int | None]) -> dict[str, Check]:
    checks = {}
    for name, parameter in inspect.signature(function).parameters.items():
        smallest = least.get(name, 0)
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or smallest is None:
            continue
        check = check_of(
            str(parameter.annotation),
            inspect.unwrap(function).__globals__,
            default=parameter.default,
            least=smallest,
        )
        if check is not None:
            checks[name] = check
    return checks
