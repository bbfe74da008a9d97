"""Checkpoints of torch whose pickles are assembled from instructions: shared, nested, called, built, and wrong."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from .archives import stored
from .bytes_changed import changed
from .case import Case, read_params

_GLOBALS = (
    "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v3",
    "torch._utils _rebuild_parameter", "torch._tensor _rebuild_from_type_v2", "collections OrderedDict", "torch Size",
    "torch FloatStorage", "torch HalfStorage", "torch LongStorage", "torch UntypedStorage", "torch float8_e4m3fn",
    "numpy dtype", "numpy._core.numeric _frombuffer", "numpy._core.multiarray _reconstruct", "numpy ndarray",
    "_codecs encode", "builtins set", "__builtin__ bytes", "argparse Namespace", "os system", "a b",
)  # fmt: skip
_STORAGES = {"0": 64, "1": 8}
_TEXTS = ("w", "state_dict", "model", "_parameters", "_buffers", "_modules", "language_model", "storage", "0", "1",
          "cpu", "latin1", "<f4", ">i8", "f4", "|O", "C", "F", "conj", "neg", "", "é", "x" * 300,
          "a" * 5000)  # fmt: skip


def text(word: str) -> bytes:
    """An instruction that pushes a text; half of a pair of surrogates is left as it is."""
    encoded = word.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def _global(name: str) -> bytes:
    module, _, attribute = name.partition(" ")
    return f"c{module}\n{attribute}\n".encode()


class Assembler:
    """Instructions drawn at random; every method returns those that leave one object on the stack."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.memo = 0

    def value(self, depth: int = 0) -> bytes:
        """Any object: new, or one that was made before."""
        if self.memo and self.draw.random() < 0.2:
            return b"h" + bytes([self.draw.randrange(self.memo)])
        made = self.draw.choice(_LEAVES if depth > 5 else _LEAVES + _NODES * 2)(self, depth + 1)
        if self.memo < 250 and self.draw.random() < 0.25:
            made += b"q" + bytes([self.memo])
            self.memo += 1
        return made

    def number(self) -> bytes:
        """An integer of any size, in any of its spellings."""
        d = self.draw
        return d.choice((
            b"K" + bytes([d.randrange(6)]), b"M\x00\x01", b"J" + struct.pack("<i", d.choice((-1, 0, 7, -(2**31)))),
            b"I%d\n" % d.choice((0, 1, 10**30)), b"L%dL\n" % d.choice((3, -1, 2**62, 10**40)),
            b"\x8a\x08" + b"\x7f" * 8,
            b"\x8b" + struct.pack("<i", 3000) + b"\x01" * 3000, b"\x88", b"\x89", b"G?\xf0\0\0\0\0\0\0", b"F1e400\n",
        ))  # fmt: skip

    def word(self) -> bytes:
        """A text or bytes."""
        word = self.draw.choice(_TEXTS)
        spellings = (text(word), text(word), text("\ud800"), b"C\x04abcd", b"U\x02hi", b"V%s\n" % word[:9].encode(),
                     b"B" + struct.pack("<I", 16) + bytes(16))  # fmt: skip
        return self.draw.choice(spellings)

    def several(self, depth: int, most: int = 4) -> bytes:
        """Some objects one after the other."""
        return b"".join(self.value(depth) for _ in range(self.draw.randint(0, most)))

    def storage(self, depth: int) -> bytes:
        """A storage by its persistent identifier, mostly a right one."""
        key = self.draw.choice(("0", "0", "0", "1", "9"))
        count = b"K" + bytes([_STORAGES.get(key, 4) // 4]) if self.draw.random() < 0.9 else self.number()
        kind = _global("torch FloatStorage") if self.draw.random() < 0.9 else self.value(depth)
        return b"(" + text("storage") + kind + text(key) + text("cpu") + count + b"tQ"

    def tensor(self, depth: int) -> bytes:
        """A tensor, each of whose parts is wrong now and then."""

        def part(right: bytes) -> bytes:
            return right if self.draw.random() < 0.93 else self.value(depth)

        parts = (
            self.storage(depth),
            b"K\x00",
            b"K\x02K\x03\x86",
            b"K\x03K\x01\x86",
            b"\x89",
            _global(_GLOBALS[5]) + b")R",
        )
        return (
            _global(_GLOBALS[0])
            + b"("
            + b"".join(map(part, parts))
            + b"t"
            + self.draw.choice((b"R", b"R", b"R", b"\x81"))
        )

    def array(self, depth: int) -> bytes:
        """An array of NumPy whose bytes stand in the pickle."""
        dtype = (
            _global("numpy dtype")
            + self.word()
            + b"\x85R(K\x03"
            + self.word()
            + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        )
        shape = self.draw.choice((b"K\x04\x85", b"K\x02K\x02\x86", self.value(depth)))
        return (
            _global(_GLOBALS[13])
            + b"(B"
            + struct.pack("<I", 16)
            + bytes(16)
            + dtype
            + shape
            + text("C")
            + b"tR"
        )

    def module(self, depth: int) -> bytes:
        """A module of torch: an object whose state has its three dictionaries."""
        parts = b"".join(text(name) + self.mapping(depth) for name in ("_parameters", "_buffers", "_modules"))
        return (
            _global("argparse Namespace")
            + b")\x81}("
            + parts
            + text("_non_persistent_buffers_set")
            + self.value(depth)
            + b"ub"
        )

    def mapping(self, depth: int) -> bytes:
        """A dictionary of tensors and other objects."""
        inner = (self.tensor, self.tensor, self.tensor, self.array, self.module, self.value)
        pairs = b"".join(
            self.key(depth) + self.draw.choice(inner)(depth + 1) for _ in range(self.draw.randint(0, 3))
        )
        return self.draw.choice(
            (b"}(" + pairs + b"u", b"(" + pairs + b"d", _global(_GLOBALS[5]) + b")R(" + pairs + b"u")
        )

    def key(self, depth: int) -> bytes:
        """A key, mostly a text."""
        return self.word() if self.draw.random() < 0.95 else self.value(depth)


_Part = Callable[[Assembler, int], bytes]
_LEAVES: tuple[_Part, ...] = (
    lambda a, _: a.number(), lambda a, _: a.word(), lambda a, _: b"N", lambda a, _: b")",
    lambda a, _: _global(a.draw.choice(_GLOBALS)), lambda a, _: a.draw.randbytes(1),
)  # fmt: skip
_NODES: tuple[_Part, ...] = (
    lambda a, d: a.value(d) + b"2\x86" * a.draw.choice((1, 3, 30)),
    lambda a, d: b"(" + a.several(d) + b"t",
    lambda a, d: b"](" + a.several(d) + b"e",
    lambda a, d: b"(" + a.several(d) + b"l",
    lambda a, d: b"\x8f(" + a.several(d) + b"\x90",
    lambda a, d: b"(" + a.several(d) + b"\x91",
    lambda a, d: _global(a.draw.choice(_GLOBALS)) + b"(" + a.several(d) + b"t" + a.draw.choice((b"R", b"\x81")),
    lambda a, d: a.value(d) + a.value(d) + b"R",
    lambda a, d: a.value(d) + a.value(d) + b"b",
    lambda a, d: a.value(d) + b"Q",
    lambda a, d: b"P%s\n" % a.draw.choice(_TEXTS)[:5].encode(),
    lambda a, d: text("torch") + a.word() + b"\x93",
    lambda a, d: b"(" + a.several(d) + a.draw.choice((b"o", b"iargparse\nNamespace\n")),
    lambda a, d: a.value(d) + a.value(d) + b"}" + b"\x92",
    Assembler.storage, Assembler.tensor, Assembler.array, Assembler.module, Assembler.mapping,
)  # fmt: skip


def description(draw: random.Random) -> bytes:
    """A pickle of a dictionary, of any protocol; some of its bytes are changed in every fourth."""
    assembler = Assembler(draw)
    body = assembler.mapping(0) if draw.random() < 0.9 else assembler.value()
    pickled = b"\x80" + bytes([draw.choice((0, 1, 2, 2, 3, 4, 5))]) + body + b"."
    return changed(draw, pickled, 2) if draw.random() < 0.25 else pickled


def case(draw: random.Random) -> Case:
    """The description within an archive, or within the older stream of pickles."""
    described = description(draw)
    if draw.random() < 0.7:
        members = {"archive/data.pkl": described, "archive/version": b"3\n"}
        members |= {f"archive/data/{key}": bytes(size) for key, size in _STORAGES.items()}
        return Case({"assembled.pt": stored(members)}, "assembled.pt", read_params)
    head = (
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}"
        + text("little_endian")
        + b"\x88s."
    )
    keys = [key for key in _STORAGES if text(key) + text("cpu") in described]
    listed = b"\x80\x02](" + b"".join(map(text, keys)) + b"e."
    data = b"".join(struct.pack("<q", _STORAGES[key] // 4) + bytes(_STORAGES[key]) for key in keys)
    return Case({"stream.pt": head + described + listed + data}, "stream.pt", read_params)
