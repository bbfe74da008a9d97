"""The directory of a zip archive, checked: where each member's bytes lie and how many there can be."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from io import RawIOBase
from typing import Any

from ..errors import FileFormatError
from .mapped import DAMAGED, MappedFile

# Deflate reaches 1032 to 1 at best, and weights far less than the limit here.
MAX_RATIO = 200
MAX_FREE_INFLATION = 1 << 28


@dataclass(frozen=True)
class Member:
    """One member: its name, unpacked size, the position of its bytes in the file, and its line of the directory."""

    name: str
    size: int
    start: int
    info: zipfile.ZipInfo

    @property
    def offset(self) -> int | None:
        """The position of its bytes where they are not compressed."""
        return self.start if self.info.compress_type == zipfile.ZIP_STORED else None

    @property
    def end(self) -> int:
        """The position after its bytes."""
        return self.start + self.info.compress_size


class MappedReader(RawIOBase):
    """What `zipfile` needs of a file, over a mapped one: the same file, also where its name is another's by now."""

    def __init__(self, file: MappedFile) -> None:
        self._file, self._position = file, 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It has positions."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, from the beginning, from here, or from the end."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._file.size}[whence]
        if start + offset < 0:
            raise ValueError("a position before the beginning")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def readinto(self, target: Any) -> int:
        """Fill ``target`` from here, as far as the file goes."""
        piece = self._file.map[self._position : self._position + len(target)]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def read_members(file: MappedFile) -> dict[str, Member]:
    """List the members of the archive by name.

    Raises
    ------
    FileFormatError
        No zip archive, truncated, encrypted, a name twice, a member outside of the file or within another, or sizes
        that only a zip bomb has.
    """
    try:
        with zipfile.ZipFile(MappedReader(file)) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, UnicodeDecodeError) as error:
        raise FileFormatError(
            f"{file.path} cannot be read as a zip archive ({error}): it is truncated or damaged. Fetch it again."
        ) from error
    members: dict[str, Member] = {}
    for info in infos:
        if info.filename in members:
            raise FileFormatError(f"{file.path}: the member {info.filename!r} occurs twice. {DAMAGED}")
        members[info.filename] = _checked(file, info)
    _refuse_overlap(file, members)
    _refuse_bomb(file, infos)
    return members


def _checked(file: MappedFile, info: zipfile.ZipInfo) -> Member:
    where = f"{file.path}: member {info.filename!r}"
    if info.flag_bits & 1:
        raise FileFormatError(f"{where} is encrypted. Unpack it and save it without a password.")
    head = file.map[info.header_offset : info.header_offset + 30] if info.header_offset >= 0 else b""
    if len(head) < 30 or head[:4] != b"PK\x03\x04":
        raise FileFormatError(f"{where} does not begin where the directory says. {DAMAGED}")
    offset = (
        info.header_offset
        + 30
        + int.from_bytes(head[26:28], "little")
        + int.from_bytes(head[28:30], "little")
    )
    if offset + info.compress_size > file.size:
        raise FileFormatError(f"{where} ends after the end of the file: it is truncated. Fetch it again.")
    stored = info.compress_type == zipfile.ZIP_STORED
    if stored and info.compress_size != info.file_size:
        raise FileFormatError(f"{where} is stored without compression, but its two sizes differ. {DAMAGED}")
    return Member(info.filename, info.file_size, offset, info)


def _refuse_overlap(file: MappedFile, members: dict[str, Member]) -> None:
    """Members that share bytes: each costs the work of all, and takes a line of the directory in the file."""
    end = 0
    for member in sorted(members.values(), key=lambda member: member.info.header_offset):
        if member.info.header_offset < end:
            raise FileFormatError(f"{file.path}: member {member.name!r} lies within another. {DAMAGED}")
        end = member.end


def _refuse_bomb(file: MappedFile, infos: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(info.file_size for info in infos)
    if unpacked > max(MAX_FREE_INFLATION, MAX_RATIO * file.size):
        raise FileFormatError(
            f"{file.path}: {file.size:,} bytes claim to unpack to {unpacked:,}. That is a zip bomb, not "
            "weights, and is not unpacked. If you made it yourself, save it uncompressed (numpy.savez)."
        )
