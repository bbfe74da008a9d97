"""Small files of strangers, which may be links to anything: of /proc, to a pipe, to the largest file there is."""

from __future__ import annotations

import stat
from pathlib import Path


def read_small_file(path: Path, most: int) -> bytes:
    """The bytes of a regular file.

    Raises
    ------
    OSError
        It cannot be read.
    ValueError
        It is no regular file, has more than ``most`` bytes, or has none: files of /proc say so, and may never end.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from rebasin_fast._untrusted import read_small_file
    >>> path = Path(tempfile.mkdtemp()) / "config.json"
    >>> path.write_bytes(b"{}")
    2
    >>> read_small_file(path, 1000)
    b'{}'
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is no regular file")
    if not 0 < found.st_size <= most:
        raise ValueError(f"it has {found.st_size:,} bytes, and 1 to {most:,} are expected")
    with open(path, "rb") as file:
        return file.read(found.st_size)
