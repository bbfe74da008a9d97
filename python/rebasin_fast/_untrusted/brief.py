"""Values in messages: short and fast, whatever a file holds."""

from __future__ import annotations

import reprlib
from itertools import islice
from typing import Any

_MAX_BITS = 128


class _Brief(reprlib.Repr):
    """Representations cut at three levels: a container that is shared at each of 25 has 2^25 parts in its own."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxtuple, self.maxlist, self.maxdict, self.maxset = 3, 4, 4, 4, 4
        self.maxstring = self.maxother = 60

    def repr_int(self, x: int, level: int) -> str:
        """Not the digits of a large number: there may be thousands, which Python refuses to write."""
        return repr(x) if x.bit_length() <= _MAX_BITS else f"an integer of {x.bit_length()} bits"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """The first items in their order; `reprlib` sorts them, which compares keys of every kind."""
        shown = [
            f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}"
            for k, v in islice(x.items(), self.maxdict)
        ]
        return "{" + ", ".join(shown + ["..."] * (len(x) > self.maxdict)) + "}" if level > 0 else "{...}"

    def repr_set(self, x: Any, level: int) -> str:
        """The number of members."""
        return f"a set of {len(x)}"

    repr_frozenset = repr_set

    def repr_float(self, x: float | None, level: int) -> str:
        """Numbers and None in full, in containers too."""
        return repr(x)

    repr_bool = repr_complex = repr_NoneType = repr_float  # noqa: N815 - the names that reprlib looks up

    def repr_instance(self, x: object, level: int) -> str:
        """The class of an object, without asking it."""
        return f"an object of {type(x).__qualname__}"


_BRIEF = _Brief()


def brief(value: object, most: int = 80) -> str:
    """A representation of at most ``most`` characters, in a bounded number of steps.

    Examples
    --------
    >>> from rebasin_fast._untrusted import brief
    >>> brief([1, [2, [3, [4]]]]), brief(10**5000)
    ('[1, [2, [3, [...]]]]', 'an integer of 16610 bits')
    """
    text = _BRIEF.repr(value) if not isinstance(value, bool | float | None) else repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"
