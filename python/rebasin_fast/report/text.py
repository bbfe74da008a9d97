"""Text that is safe to put on a page: escaped, legible, and short enough."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from rebasin_fast.files.legible import legible

_LONGEST_LABEL = 60


def safe(text: object) -> str:
    """``text`` for HTML and for attributes; control and direction-changing characters are spelled out.

    A name comes from a file that anyone may have written: it must neither become markup, nor reorder the text
    around it, nor hold a lone surrogate, which UTF-8 cannot write.
    """
    return escape(legible(text), quote=True)


def label(name: str, prefix: str = "") -> str:
    """``name`` without ``prefix``, escaped, its middle left out where it is long; the whole is in its title."""
    short = name.removeprefix(prefix)
    if len(short) > _LONGEST_LABEL:
        short = f"{short[: _LONGEST_LABEL // 2 - 1]}…{short[-_LONGEST_LABEL // 2 :]}"
    return f'<span class="name" title="{safe(name)}">{safe(short)}</span>'


def shared_prefix(names: Iterable[str]) -> str:
    """What all names begin with, up to a dot or a slash: ``module.`` and the like."""
    ordered = sorted(names)
    if not ordered:
        return ""
    first, last = ordered[0], ordered[-1]
    same = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    common = first[:same]
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
