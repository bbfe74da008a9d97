"""The members of zip archives, unpacked piece by piece.

`zipfile` unpacks as much as a read of compressed bytes gives, whatever was asked for: 4 KiB of bzip2 can hold
gigabytes. Here no piece is larger than it may be, and a member ends at the size that its archive announces.
"""

from __future__ import annotations

import bz2
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...errors import FileFormatError
from ..archive import Member
from ..mapped import DAMAGED, MappedFile

PIECE = 1 << 20
_READ = 1 << 16
_LARGEST_DICTIONARY = 1 << 26  # of the strongest preset


def unpack(file: MappedFile, member: Member, most: int = PIECE) -> Iterator[bytes]:
    """The bytes of a member, those of a compressed one in pieces of at most ``most``.

    Raises
    ------
    FileFormatError
        It is damaged, of an unknown compression, or of another size or checksum than announced.
    """
    left, checksum = member.size, 0
    try:
        if member.info.compress_type not in _UNPACKERS:
            raise ValueError(f"compression {member.info.compress_type} is unknown")
        for piece in _UNPACKERS[member.info.compress_type](_packed(file, member), most):
            left -= len(piece)
            if left < 0:
                raise ValueError("it unpacks to more than announced")
            checksum = zlib.crc32(piece, checksum)
            yield piece
        if left:
            raise ValueError("it unpacks to less than announced")
        if checksum != member.info.CRC:
            raise ValueError("its checksum differs")
    except Exception as error:  # zlib, lzma and bz2 each have errors of their own
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FileFormatError(
            f"{file.path}: member {member.name!r} cannot be unpacked ({reason}). {DAMAGED}"
        ) from error


def unpacked_head(file: MappedFile, member: Member, most: int) -> bytes:
    """The first bytes of a compressed member, at most ``most``."""
    head = b""
    for piece in unpack(file, member, most):
        head += piece
        if len(head) >= most:
            break
    return head[:most]


def unpack_into(target: memoryview, file: MappedFile, member: Member) -> None:
    """Fill ``target`` with the end of a member: it is the only copy."""
    position = len(target) - member.size
    for piece in unpack(file, member):
        wanted = memoryview(piece)[max(0, -position) :]
        start = max(0, position)
        target[start : start + len(wanted)] = wanted
        position += len(piece)


def _packed(file: MappedFile, member: Member) -> Iterator[bytes]:
    end = member.start + member.info.compress_size
    for start in range(member.start, end, _READ):
        yield bytes(file.map[start : min(start + _READ, end)])


def _deflated(packed: Iterable[bytes], most: int) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    for rest in packed:
        piece, more = b"", rest
        while not unpacker.eof and (more or len(piece) == most):
            piece = unpacker.decompress(more, most)
            more = unpacker.unconsumed_tail
            yield piece


def _streamed(unpacker: Any, packed: Iterable[bytes], most: int) -> Iterator[bytes]:
    for rest in packed:
        more = rest
        while not unpacker.eof:
            yield unpacker.decompress(more, most)
            more = b""
            if unpacker.needs_input:
                break


def _bzipped(packed: Iterable[bytes], most: int) -> Iterator[bytes]:
    return _streamed(bz2.BZ2Decompressor(), packed, most)


def _lzma(packed: Iterator[bytes], most: int) -> Iterator[bytes]:
    """LZMA as in zip archives: a version, the size of the properties, the properties, and the raw stream."""
    first = next(packed, b"")
    if len(first) < 9 or first[2:4] != b"\x05\x00" or first[4] >= 9 * 5 * 5:
        raise ValueError("it has no properties of LZMA")
    positions, contexts = divmod(first[4], 9)
    dictionary = int.from_bytes(first[5:9], "little")
    if dictionary > _LARGEST_DICTIONARY:
        raise ValueError(f"it asks for a dictionary of {dictionary:,} bytes")
    options = {"id": lzma.FILTER_LZMA1, "dict_size": max(dictionary, 4096), "lc": contexts}
    options |= {"pb": positions // 5, "lp": positions % 5}
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options])
    yield from _streamed(unpacker, (piece for part in ([first[9:]], packed) for piece in part), most)


_UNPACKERS: dict[int, Callable[[Iterator[bytes], int], Iterator[bytes]]] = {
    zipfile.ZIP_STORED: lambda packed, most: packed,
    zipfile.ZIP_DEFLATED: _deflated,
    zipfile.ZIP_BZIP2: _bzipped,
    zipfile.ZIP_LZMA: _lzma,
}
