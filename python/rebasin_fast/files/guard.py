"""The border of the readers: any failure of theirs on the bytes of a file becomes a FileFormatError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import FileFormatError, RebasinError
from .mapped import DAMAGED

_LONGEST = 2000


@contextmanager
def reading(path: Path, what: str = "it") -> Iterator[None]:
    """Errors of this package, of the memory and of missing packages pass; all others are the file's.

    Raises
    ------
    FileFormatError
        Names the file, ``what`` of it was read, and the reason.
    """
    try:
        yield
    except FileFormatError as error:
        text = str(error) if path.name in str(error) else f"{path}: {error}"
        if len(text) > _LONGEST:  # names in it may have millions of characters
            text = f"{text[:_LONGEST]} …"
        if text == str(error):
            raise
        raise type(error)(text) from None
    except (RebasinError, MemoryError, ImportError):
        raise
    except OSError as error:
        raise FileFormatError(f"{path}: {what} cannot be read ({error.strerror or error}).") from error
    except Exception as error:  # hostile bytes can fail in every part of the decoding
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FileFormatError(f"{path}: {what} cannot be read ({reason}). {DAMAGED}") from error


def check_names(names: Iterator[str], path: Path) -> None:
    """FileFormatError for a name that no file can hold: one with half of a pair of surrogates."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise FileFormatError(
                f"{path}: the name {name[:80]!a} of a parameter is no text (half of a pair of surrogates). {DAMAGED}"
            ) from None
