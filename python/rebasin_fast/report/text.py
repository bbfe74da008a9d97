"""Numbers and names as short text: the filters of the templates."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

_LONGEST_LABEL = 60


def abridged(name: str) -> str:
    """``name``, its middle left out where it is long."""
    if len(name) <= _LONGEST_LABEL:
        return name
    return f"{name[: _LONGEST_LABEL // 2 - 1]}…{name[-_LONGEST_LABEL // 2 :]}"


def shared_prefix(names: Iterable[str]) -> str:
    """The beginning of all names, up to a dot or a slash: ``module.`` and the like."""
    ordered = sorted(names) or [""]
    equal = takewhile(lambda pair: pair[0] == pair[1], zip(ordered[0], ordered[-1], strict=False))
    common = "".join(character for character, _ in equal)
    return common[: max(common.rfind("."), common.rfind("/")) + 1]


def number(value: float) -> str:
    """Six significant digits, as the command line prints them."""
    return f"{value:.6g}"


def cosine(value: float) -> str:
    """Three decimals, and no minus before a zero."""
    return f"{value:.3f}".replace("-0.000", "0.000")


def share(part: float, whole: float) -> str:
    """``part`` of ``whole`` in percent."""
    return f"{100.0 * part / whole:.0f} %" if whole else "0 %"


def count(items: int, singular: str, plural: str = "") -> str:
    """``3 sweeps``, ``1 sweep``."""
    return f"{items:,} {singular if items == 1 else plural or singular + 's'}"


def thousands(value: int) -> str:
    """Digits in groups of three."""
    return f"{value:,}"


def change_to(before: float, after: float) -> str:
    """``12.5 % closer`` or ``further``."""
    change = 100.0 * (after - before) / before
    return f"{abs(change):.1f} % {'closer' if change <= 0.0 else 'further'}"


def percent(share_of_width: float) -> str:
    """A horizontal position of SVG."""
    return f"{100.0 * share_of_width:.2f}%"


def px(pixels: float) -> str:
    """A vertical position of SVG."""
    return f"{pixels:.1f}"


FILTERS = (abridged, number, cosine, share, count, thousands, change_to, percent, px)
