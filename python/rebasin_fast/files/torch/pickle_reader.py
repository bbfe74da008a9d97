"""What a pickle says, without doing it.

A pickle is a program for a stack machine. This reads it as data: calling a function, building an object or
naming a class only makes a `Call` or a `Global` that records the wish. Nothing is imported and nothing is
called, so no file can make it act; sizes are bounded by the bytes that are there. `pickletools.genops` does
the decoding.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, cast

from ...errors import FileFormatError
from ..mapped import DAMAGED

_MAX_LINE = 4096


@dataclass(frozen=True)
class Global:
    """A name that the pickle asks for."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Call:
    """An object that the pickle wants to be made by calling something."""

    function: Any
    args: tuple[Any, ...]
    state: Any = None
    items: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Pickled:
    """What a pickle describes, and every name that it asks for on the way."""

    value: Any
    globals: tuple[Global, ...]


class ByteReader:
    """What `pickletools` needs of a file, over bytes or a mapped one, never copying more than asked."""

    def __init__(self, data: Any, position: int, end: int) -> None:
        self.data, self.position, self.end = data, position, end

    def read(self, count: int) -> bytes:
        """Read the next `count` bytes, or an error."""
        if not 0 <= count <= self.end - self.position:
            raise ValueError("it ends in the middle")
        self.position += count
        return bytes(self.data[self.position - count : self.position])

    def readline(self) -> bytes:
        """Read the next line, which must be short."""
        line = bytes(self.data[self.position : min(self.end, self.position + _MAX_LINE)])
        length = line.find(b"\n") + 1
        if length == 0:
            raise ValueError("a line has no end")
        self.position += length
        return line[:length]

    def tell(self) -> int:
        """Tell the position, for messages."""
        return self.position


_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Any] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
# fmt: off
_LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING",
    "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
}
# fmt: on


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
    machine = _Machine(persistent or _nothing_outside)
    try:
        for opcode, argument, _ in pickletools.genops(cast(IO[bytes], reader)):
            machine.step(opcode.name, argument)
        return Pickled(machine.stack.pop(), tuple(machine.globals))
    except FileFormatError:
        raise
    except Exception as error:  # hostile bytes can fail in every part of the decoding
        text = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FileFormatError(f"{where} cannot be read ({text}). {DAMAGED}") from error


def _nothing_outside(identifier: Any) -> Any:
    raise ValueError(f"it refers to {identifier!r:.80}, which is not there")


class _Machine:
    def __init__(self, persistent: Callable[[Any], Any]) -> None:
        self.persistent = persistent
        self.globals: list[Global] = []
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        stack = self.stack
        if opcode in _LITERALS:
            stack.append(argument)
        elif opcode in _CONSTANTS:
            stack.append(_CONSTANTS[opcode])
        elif opcode in _EMPTY:
            stack.append(_EMPTY[opcode]())
        elif opcode in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif opcode in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        else:
            handler = getattr(self, f"_{opcode.lower()}", None)
            if handler is None:
                raise ValueError(f"instruction {opcode} does not occur in checkpoints")
            handler(argument)

    def _since_mark(self) -> list[Any]:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise ValueError("a mark is missing")

    def _proto(self, _: Any) -> None: ...
    def _frame(self, _: Any) -> None: ...
    def _stop(self, _: Any) -> None: ...

    def _mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _pop(self, _: Any) -> None:
        self.stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._since_mark()

    def _dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _tuple1(self, _: Any) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def _tuple2(self, _: Any) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def _tuple3(self, _: Any) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def _list(self, _: Any) -> None:
        self.stack.append(self._since_mark())

    def _dict(self, _: Any) -> None:
        items = self._since_mark()
        self.stack.append(dict(zip(items[::2], items[1::2], strict=True)))

    def _append(self, _: Any) -> None:
        item = self.stack.pop()
        self._extend(self.stack[-1], [item])

    def _appends(self, _: Any) -> None:
        items = self._since_mark()
        self._extend(self.stack[-1], items)

    def _additems(self, _: Any) -> None:
        self.stack[-1].update(self._since_mark())

    def _frozenset(self, _: Any) -> None:
        self.stack.append(frozenset(self._since_mark()))

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set(self.stack[-1], [(key, value)])

    def _setitems(self, _: Any) -> None:
        items = self._since_mark()
        self._set(self.stack[-1], list(zip(items[::2], items[1::2], strict=True)))

    @staticmethod
    def _extend(target: Any, items: list[Any]) -> None:
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Call):
            raise ValueError("items are added to something that is no list")

    @staticmethod
    def _set(target: Any, items: list[tuple[Any, Any]]) -> None:
        if isinstance(target, Call):
            target.items.extend(items)
        elif isinstance(target, dict):
            target.update(items)
        else:
            raise ValueError("items are set in something that is no dictionary")

    def _global(self, argument: str) -> None:
        self.stack.append(self._named(argument))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(self._named(f"{module} {name}"))

    def _named(self, argument: str) -> Global:
        module, _, name = argument.partition(" ")
        self.globals.append(Global(module, name))
        return self.globals[-1]

    def _reduce(self, _: Any) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        self.stack.append(Call(function, tuple(args)))

    _newobj = _reduce

    def _newobj_ex(self, _: Any) -> None:
        _kwargs, args, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(Call(function, tuple(args)))

    def _obj(self, _: Any) -> None:
        function, *args = self._since_mark()
        self.stack.append(Call(function, tuple(args)))

    def _inst(self, argument: str) -> None:
        self.stack.append(Call(self._named(argument), tuple(self._since_mark())))

    def _build(self, _: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Call):
            self.stack[-1].state = state

    def _binpersid(self, _: Any) -> None:
        self.stack.append(self.persistent(self.stack.pop()))

    def _persid(self, argument: str) -> None:
        self.stack.append(self.persistent(argument))
