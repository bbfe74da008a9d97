"""Zip archives whose headers and directory lie: sizes, positions, methods, names, and members within one another."""

from __future__ import annotations

import bz2
import io
import lzma
import random
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace

import numpy as np

from .bytes_changed import changed
from .case import Case, read_params

_SIZES = (0, 1, 7, 64, 2**16, 2**31, 2**32 - 2, 2**32 - 1)
_DTYPES = ("<f4", ">f4", "<f8", "|b1", "|V2", "<i8", "|O", "<U3", "<c16", "<f16", "|V0", "('<f4', (3,))")
_SHAPES = ("()", "(0,)", "(3,)", "(2, 3)", "(-1,)", "(2**40,)", "(1099511627776,)", "(1,)*70", "(3", "None", "(True,)",
           "(4294967296, 4294967296)", "(0, 9223372036854775807)", "'abc'", "(" + "9" * 5000 + ",)")  # fmt: skip


def stored(members: dict[str, bytes]) -> bytes:
    """A right archive without compression."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


@dataclass(frozen=True)
class Line:
    """What a header says of a member, in the file or in the directory."""

    name: bytes
    method: int
    flags: int
    checksum: int
    packed: int
    size: int
    extra: bytes = b""

    def fields(self) -> bytes:
        """The fields that both headers share."""
        numbers = (
            20,
            self.flags,
            self.method,
            0,
            33,
            self.checksum,
            self.packed & 0xFFFFFFFF,
            self.size & 0xFFFFFFFF,
        )
        return struct.pack("<HHHHHIII", *numbers) + struct.pack("<HH", len(self.name), len(self.extra))


def _packed(draw: random.Random, content: bytes) -> tuple[int, bytes]:
    method = draw.choice((0, 0, 0, 8, 8, 12, 14, 93))
    if method == 8:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return 8, packer.compress(content) + packer.flush()
    if method == 12:
        return 12, bz2.compress(content, 1)
    if method == 14:
        body = lzma.compress(
            content, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}]
        )
        size = draw.choice((1 << 16, 1 << 16, 1 << 16, 0, 2**32 - 1))
        return 14, b"\x09\x04\x05\x00\x5d" + struct.pack("<I", size) + body
    return method, content


def _lying(draw: random.Random, line: Line) -> Line:
    match draw.randrange(6):
        case 0:
            return replace(line, size=draw.choice((*_SIZES, line.size + 1)))
        case 1:
            return replace(line, packed=draw.choice((*_SIZES, line.packed - 1)) % 2**32)
        case 2:
            return replace(line, method=draw.choice((0, 8, 9, 12, 14, 99)))
        case 3:
            return replace(line, flags=draw.choice((1, 8, 0x20, 0x40, 0x800, 0x2000)))
        case 4:
            return replace(
                line, name=draw.choice((b"", b"../w.npy", b"\xff.npy", b"w.npy\0", b"d/", line.name * 30))
            )
        case _:
            return replace(
                line,
                extra=draw.choice((b"\x01\0\x08\0" + b"\xff" * 8, b"\x01\0\xff\xff", b"x", b"ab\x04\0abcd")),
            )


def archive(draw: random.Random, members: list[tuple[str, bytes]]) -> bytes:
    """An archive of these members, mostly a right one."""
    body, directory = draw.choice((b"", b"", b"", b"#!prefix\n")), b""
    for name, content in members:
        method, packed = _packed(draw, content)
        line = Line(name.encode(), method, 0, zlib.crc32(content), len(packed), len(content))
        local, listed = (_lying(draw, line) if draw.random() < 0.08 else line for _ in range(2))
        start = len(body) if draw.random() < 0.95 else draw.choice((0, len(body) // 2, 2**31))
        body += b"PK\3\4" + local.fields() + local.name + local.extra + packed
        at = struct.pack("<HHHII", 0, 0, 0, 0, start)
        copies = 1 if draw.random() < 0.95 else draw.choice((2, 300))
        entry = b"PK\1\2\x14\0" + listed.fields() + at + listed.name + listed.extra
        directory += entry * copies
    count = len(members) if draw.random() < 0.9 else draw.choice((0, 1, 65535))
    size, start = len(directory), len(body)
    if draw.random() < 0.05:
        size, start = draw.choice(_SIZES), draw.choice(_SIZES)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, size, start, 0)
    return body + directory + end


def npy(draw: random.Random) -> bytes:
    """A member of an .npz file, whose header is wrong in every second."""
    if draw.random() < 0.5:
        out = io.BytesIO()
        rng = np.random.default_rng(draw.randrange(1 << 30))
        array = rng.integers(0, 2, draw.choice(((), (0,), (3,), (2, 3)))).astype(draw.choice(_DTYPES[:6]))
        np.lib.format.write_array(out, np.asfortranarray(array) if draw.random() < 0.3 else array)
        return out.getvalue()
    shape, dtype = draw.choice(_SHAPES), draw.choice(_DTYPES)
    described = dtype if dtype.startswith("(") else repr(dtype)
    head = f"{{'descr': {described}, 'fortran_order': {draw.choice(('False', 'True', '1'))}, 'shape': {shape}, }}"
    head = draw.choice(
        (head, head, head, "(" * 200 + head, "[" * 9000, "{" * 50 + "}" * 50, "__import__('os')")
    )
    body = head.encode() + b"\n"
    version = draw.choice(((1, 0), (2, 0), (3, 0), (9, 9)))
    length = struct.pack("<H" if version == (1, 0) else "<I", len(body) if draw.random() < 0.9 else 60000)
    return b"\x93NUMPY" + bytes(version) + length + body + bytes(draw.choice((0, 8, 12, 24, 48)))


def case(draw: random.Random) -> Case:
    """An archive named as one of NumPy, torch, Stable-Baselines3 or Keras."""
    suffix = draw.choice((".npz", ".npz", ".npz", ".pt", ".zip"))
    names = {
        ".npz": ["w.npy", "b/c.npy", "é.npy", "notes.txt", ".npy"],
        ".pt": [
            "archive/data.pkl",
            "archive/data/0",
            "archive/version",
            "archive/byteorder",
            "archive/constants.pkl",
        ],
        ".zip": ["policy.pth", "data", "pytorch_variables.pth"],
    }[suffix]
    members = [(name, npy(draw)) for name in draw.sample(names, draw.randint(1, len(names)))]
    if suffix != ".npz":
        from .pickles import description

        inner = description(draw)
        members = [(n, inner if n.endswith(("data.pkl", ".pth")) else bytes(64)) for n, _ in members]
    content = archive(draw, members)
    name = f"archive{suffix}"
    return Case({name: changed(draw, content, 2) if draw.random() < 0.1 else content}, name, read_params)
