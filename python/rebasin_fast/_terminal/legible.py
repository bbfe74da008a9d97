"""Names from files as one line of harmless text."""

from __future__ import annotations

import unicodedata


def legible(text: object, keep: str = "") -> str:
    """``text`` with control characters, those that change direction, and lone surrogates spelled out.

    A name comes from a file that anyone may have written: it must neither steer a terminal, nor reorder or break
    the text around it, nor hold what UTF-8 cannot write. Characters in ``keep`` stay as they are.
    """
    return "".join(c if c in keep else _spelled_out(c) for c in str(text))


def _spelled_out(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:04x}}}"
