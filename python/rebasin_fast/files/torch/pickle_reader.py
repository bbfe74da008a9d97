"""Pickles read as data, never executed.

A pickle is a program for a stack machine. Here a call of a function, the building of an object or the name of a
class only becomes a `Call` or a `Global` in the result. Nothing is imported and nothing is called, so that no file
can run code; sizes are bounded by the bytes that are there. `pickletools` decodes the arguments.

The machine is our own, because no library has one that executes nothing. An unpickler with its dangerous methods
replaced executes each instruction that was overlooked, while a table refuses it; and torch's restricted unpickler needs
torch, reads all storages, and refuses a checkpoint for one unknown class.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..._untrusted import brief
from ...errors import FileFormatError
from ..mapped import DAMAGED

_MAX_LINE = 4096
_MAX_NAME = 1000
_MAX_KEY_PARTS = 1000
# Instructions of a description: its objects take a byte each at least in the file, and sixty in memory.
FREE_INSTRUCTIONS = 1_000_000
BYTES_PER_INSTRUCTION = 4
MOST_INSTRUCTIONS = 10_000_000


@dataclass(frozen=True)
class Global:
    """The name of a class or function."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Work:
    """The parts that may be copied out of the objects of one pickle: a list can stand in each of a thousand calls."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, parts: int) -> None:
        """FileFormatError once more parts were taken than the file has instructions for."""
        self.left -= parts
        if self.left < 0:
            raise FileFormatError(
                "the objects of this file are nested or shared without end: it is damaged or hostile."
            )


@dataclass(eq=False)
class Call:
    """An object as the call that would make it, with its state and the items set in it."""

    function: Any
    args: tuple[Any, ...]
    state: Any = None
    items: list[tuple[Any, Any]] = field(default_factory=list)
    work: Work = field(default_factory=lambda: Work(FREE_INSTRUCTIONS))
    # Made of the rest once, however many others refer to the object.
    mapping: dict[Any, Any] | None = None
    state_dict: dict[str, Any] | None = None
    data: bytes | None = None

    def __repr__(self) -> str:
        """Without the arguments, which calls may share without end."""
        return f"a call of {self.function if isinstance(self.function, Global) else 'a call'}"


@dataclass(frozen=True)
class Pickled:
    """The object of a pickle, and every `Global` named on the way."""

    value: Any
    globals: tuple[Global, ...]


class ByteReader:
    """A file for `pickletools`, over bytes or a mapped file; copies no more than is read."""

    def __init__(self, data: Any, position: int, end: int) -> None:
        self.data, self.position, self.end = data, position, end

    def read(self, count: int) -> bytes:
        """Read the next `count` bytes, or an error."""
        if not 0 <= count <= self.end - self.position:
            raise ValueError("it ends in the middle")
        self.position += count
        return bytes(self.data[self.position - count : self.position])

    def read_byte(self) -> int:
        """Read the next byte as a number."""
        if self.position >= self.end:
            raise ValueError("it ends in the middle")
        self.position += 1
        return int(self.data[self.position - 1])

    def readline(self) -> bytes:
        """Read the next line, which must be short."""
        line = bytes(self.data[self.position : min(self.end, self.position + _MAX_LINE)])
        length = line.find(b"\n") + 1
        if length == 0:
            raise ValueError("a line has no end")
        self.position += length
        return line[:length]

    def tell(self) -> int:
        """The position, for messages."""
        return self.position


def read_pickle(reader: ByteReader, where: str, persistent: Callable[[Any], Any] | None = None) -> Pickled:
    """Build the object that a pickle describes, made of plain containers, `Call` and `Global`.

    Parameters
    ----------
    reader : ByteReader
        Stands behind the pickle afterwards.
    where : str
        Begins the messages.
    persistent : function
        Gives the object for an identifier of something that lies outside of the pickle (torch: a storage).

    Raises
    ------
    FileFormatError
        It is no complete pickle.
    """
    allowed = FREE_INSTRUCTIONS + (reader.end - reader.position) // BYTES_PER_INSTRUCTION
    allowed = min(allowed, MOST_INSTRUCTIONS)
    machine = _Machine(persistent or _nothing_outside, Work(allowed))
    try:
        for _ in range(allowed):
            if not machine.step(reader):
                return Pickled(machine.stack.pop(), tuple(machine.globals))
        raise ValueError(f"it has more than {allowed:,} instructions")
    except FileFormatError:
        raise
    except Exception as error:  # hostile bytes can fail in every part of the decoding
        text = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FileFormatError(f"{where} cannot be read ({text}). {DAMAGED}") from error


def _nothing_outside(identifier: Any) -> Any:
    raise ValueError(f"it refers to {brief(identifier)}, which is not there")


_MARK = object()


class _Machine:
    """The stack and the memo of the machine, with the operations that instructions are made of."""

    def __init__(self, persistent: Callable[[Any], Any], work: Work) -> None:
        self.persistent, self.work = persistent, work
        self.globals: list[Global] = []
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, reader: ByteReader) -> bool:
        """Carry out the next instruction; False after the last."""
        code = reader.read_byte()
        name, instruction, argument = _DECODED.get(code, (f"{code:#x}", None, None))
        if instruction is None:
            raise ValueError(f"instruction {name} does not occur in checkpoints")
        instruction(self, argument(reader) if argument else None)
        return code != _STOP

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def put(self, key: int) -> None:
        self.memo[key] = self.stack[-1]

    def pop(self, count: int) -> list[Any]:
        return [self.stack.pop() for _ in range(count)][::-1]

    def since_mark(self) -> list[Any]:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise ValueError("a mark is missing")

    def pairs_since_mark(self) -> list[tuple[Any, Any]]:
        items = self.since_mark()
        return [(checked_key(key), value) for key, value in zip(items[::2], items[1::2], strict=True)]

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Call):
            raise ValueError("items are added to something that is no list")

    def add(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], set):
            raise ValueError("members are added to something that is no set")
        self.stack[-1].update(map(checked_key, items))

    def set_one(self, key: Any, value: Any) -> None:
        self.set([(checked_key(key), value)])

    def set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Call):
            target.items.extend(items)
        elif isinstance(target, dict):
            target.update(items)
        else:
            raise ValueError("items are set in something that is no dictionary")

    def name(self, module: Any, name: Any) -> Global:
        if not (isinstance(module, str) and isinstance(name, str) and len(module) + len(name) <= _MAX_NAME):
            raise ValueError(f"{brief((module, name))} is no name of a class or function")
        self.globals.append(Global(module, name))
        return self.globals[-1]

    def call(self, function: Any, args: Any) -> None:
        if not isinstance(function, Global | Call):
            raise ValueError(f"{brief(function)} is called, which is no function")
        # A list that calls share would be copied for each.
        if not isinstance(args, tuple):
            raise ValueError(f"{brief(args)} are no arguments of a call")
        self.push(Call(function, args, work=self.work))

    def make(self, function: Any, *args: Any) -> None:
        self.call(function, args)

    def build(self, state: Any) -> None:
        if isinstance(self.stack[-1], Call):
            self.stack[-1].state = state


def checked_key(key: Any) -> Any:
    """A key of a dictionary or a member of a set, if its hash takes a bounded number of steps.

    A tuple has no stored hash: one that is shared at each of 25 levels is hashed 2^25 times.
    """
    parts, seen = [key], 0
    while parts:
        part = parts.pop()
        seen += 1
        if isinstance(part, tuple | frozenset) and seen + len(parts) + len(part) <= _MAX_KEY_PARTS:
            parts.extend(part)
        elif isinstance(part, tuple | frozenset | list | dict | set | bytearray):
            raise ValueError(f"{brief(key)} is no key of a dictionary")
    return key


_Instruction = Callable[[_Machine, Any], object]
# fmt: off
_LITERALS = [
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8",
]
# fmt: on


def _same(opcodes: list[str], instruction: _Instruction) -> dict[str, _Instruction]:
    return dict.fromkeys(opcodes, instruction)


_INSTRUCTIONS: dict[str, _Instruction] = {
    **_same(_LITERALS, lambda m, value: m.push(value)),
    **_same(["PUT", "BINPUT", "LONG_BINPUT"], lambda m, key: m.put(key)),
    **_same(["GET", "BINGET", "LONG_BINGET"], lambda m, key: m.push(m.memo[key])),
    **_same(["PROTO", "FRAME", "STOP"], lambda m, _: None),
    **_same(["REDUCE", "NEWOBJ"], lambda m, _: m.call(*m.pop(2))),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_SET": lambda m, _: m.push(set()),
    "MARK": lambda m, _: m.push(_MARK),
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    "POP": lambda m, _: m.pop(1),
    "POP_MARK": lambda m, _: m.since_mark(),
    "DUP": lambda m, _: m.push(m.stack[-1]),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.push(tuple(m.pop(1))),
    "TUPLE2": lambda m, _: m.push(tuple(m.pop(2))),
    "TUPLE3": lambda m, _: m.push(tuple(m.pop(3))),
    "LIST": lambda m, _: m.push(m.since_mark()),
    "DICT": lambda m, _: m.push(dict(m.pairs_since_mark())),
    "FROZENSET": lambda m, _: m.push(frozenset(map(checked_key, m.since_mark()))),
    "APPEND": lambda m, _: m.append(m.pop(1)),
    "APPENDS": lambda m, _: m.append(m.since_mark()),
    "ADDITEMS": lambda m, _: m.add(m.since_mark()),
    "SETITEM": lambda m, _: m.set_one(*m.pop(2)),
    "SETITEMS": lambda m, _: m.set(m.pairs_since_mark()),
    "GLOBAL": lambda m, names: m.push(m.name(*names.split(" ", 1))),
    "STACK_GLOBAL": lambda m, _: m.push(m.name(*m.pop(2))),
    "NEWOBJ_EX": lambda m, _: m.call(*m.pop(3)[:2]),
    "OBJ": lambda m, _: m.make(*m.since_mark()),
    "INST": lambda m, names: m.make(m.name(*names.split(" ", 1)), *m.since_mark()),
    "BUILD": lambda m, _: m.build(*m.pop(1)),
    "BINPERSID": lambda m, _: m.push(m.persistent(*m.pop(1))),
    "PERSID": lambda m, identifier: m.push(m.persistent(identifier)),
}

_STOP = ord(".")
_DECODED: dict[int, tuple[str, _Instruction | None, Callable[[Any], Any] | None]] = {
    ord(opcode.code): (opcode.name, _INSTRUCTIONS.get(opcode.name), opcode.arg.reader if opcode.arg else None)
    for opcode in pickletools.opcodes
}
