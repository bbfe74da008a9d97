"""Values from files that have to look like values of this process."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rebasin_fast._untrusted.schema import (
    MEASURED,
    AnyOf,
    Anything,
    Fields,
    Flag,
    Number,
    Optional,
    SchemaError,
    Text,
)

_SIMPLE = Optional(AnyOf((MEASURED, Flag(), Text())))


def alike(template: Any, found: Any, where: str, *, only_numbers: bool) -> Any:
    """``found`` of a file in the containers of ``template``: tuples, and keys that are no text, come back.

    Names and lengths are those of the template, numbers of its sign stand where it has numbers. With
    ``only_numbers`` all else is equal to it; without, a flag stands for a flag, a text for a text, and any simple value
    for None.

    Raises
    ------
    ValueError
        The first difference: where, the value found, the value expected.

    Examples
    --------
    >>> from rebasin_fast._untrusted.alike import alike
    >>> alike({"betas": (0.9, 0.999), 3: True}, {"betas": [0.8, 0.99], "3": True}, "group", only_numbers=True)
    {'betas': (0.8, 0.99), 3: True}
    """
    if isinstance(template, Mapping):
        keys = {str(key): key for key in template}
        Fields(dict.fromkeys(keys, Anything())).check(found, where, {})
        items = {
            key: alike(template[key], found[name], f"{where}.{name}", only_numbers=only_numbers)
            for name, key in keys.items()
        }
        return Counter(items) if isinstance(template, Counter) else items
    if isinstance(template, list | tuple):
        if not isinstance(found, list) or len(found) != len(template):
            raise SchemaError(where, found, f"a list of {len(template)}")
        listed = [
            alike(one, other, f"{where}[{number}]", only_numbers=only_numbers)
            for number, (one, other) in enumerate(zip(template, found, strict=True))
        ]
        return tuple(listed) if isinstance(template, tuple) else listed
    _check_simple(template, found, where, only_numbers=only_numbers)
    return found


def _check_simple(template: Any, found: Any, where: str, *, only_numbers: bool) -> None:
    if isinstance(template, int | float) and not isinstance(template, bool):
        least = 0.0 if template >= 0 else -math.inf
        Number(least, infinite=math.isinf(template)).check(found, where, {})
    elif only_numbers:
        if type(found) is not type(template) or found != template:
            raise SchemaError(where, found, repr(template))
    else:
        kind = Flag() if isinstance(template, bool) else Text() if isinstance(template, str) else _SIMPLE
        kind.check(found, where, {})
