"""Formats of other programs that are not read here, and the command that converts a file of each."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import FileFormatError


@dataclass(frozen=True)
class Foreign:
    """A format that is not read: its names, its first bytes, its package, and a program that converts it."""

    name: str
    package: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    program: str  # of Python, given the input and the output as sys.argv[1:]


_GGUF = (
    "import sys, gguf, numpy as np; "
    "np.savez(sys.argv[2], **{t.name: gguf.dequantize(t.data, t.tensor_type) "
    "for t in gguf.GGUFReader(sys.argv[1]).tensors})"
)
_ONNX = (
    "import sys, onnx, numpy as np; from onnx import numpy_helper as h; "
    "np.savez(sys.argv[2], **{t.name: h.to_array(t) for t in onnx.load(sys.argv[1]).graph.initializer})"
)
_FLAX = (
    "import sys, msgpack, numpy as np; "
    "a = lambda s, t, b: np.frombuffer(b, t).reshape(s); "
    "h = lambda c, d: a(*msgpack.unpackb(d)) if c == 1 else None; "
    "f = lambda t, p='': {k: v for n, b in t.items() for k, v in "
    "(f(b, p + n + '/') if isinstance(b, dict) else {p + n: b}).items()}; "
    "np.savez(sys.argv[2], **f(msgpack.unpackb(open(sys.argv[1], 'rb').read(), ext_hook=h)))"
)

FOREIGN = (
    Foreign("GGUF", "gguf", (".gguf",), lambda head: head[:4] == b"GGUF", _GGUF),
    Foreign("ONNX", "onnx", (".onnx",), lambda head: False, _ONNX),
    Foreign("Flax (msgpack)", "msgpack", (".msgpack",), lambda head: False, _FLAX),
)


def refuse_foreign(path: Path, head: bytes) -> None:
    """FileFormatError, with the converting command, for a file of another program's format."""
    suffix = path.suffix.lower()
    for known in FOREIGN:
        if suffix in known.suffixes or known.begins(head):
            command = conversion(known, path, path.with_suffix(".npz"))
            raise FileFormatError(
                f"{path} is a file of {known.name}, which is not read here. Convert it (with pip install "
                f"{known.package}): {command}"
            )


def conversion(known: Foreign, path: Path, output: Path) -> str:
    """The command for a shell that writes the arrays of ``path`` as an .npz file."""
    return shlex.join(["python", "-c", known.program, str(path), str(output)])
