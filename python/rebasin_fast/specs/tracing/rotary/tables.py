"""Numbers for the entries of tables, such as cosines of angles: equal numbers, equal entries at every open index."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.rotary.movement import LARGEST, Numbers, moved
from rebasin_fast.specs.tracing.symmetries.handlers import packet

if TYPE_CHECKING:
    from rebasin_fast.specs.tracing.record import Executed

ONE = 1
_ENTRYWISE = {"cos", "sin", "exp", "mul", "add", "sub", "div", "pow", "reciprocal", "real", "imag", "polar",
              "complex"}  # fmt: skip
_CAST = {"to", "_to_copy", "double", "float", "half", "bfloat16", "type_as"}
_DEEPEST = 100  # operations between a table and what it is computed from


class Tables:
    """Value numbering of entries, on demand. A negative number is the entry of the positive one, negated."""

    def __init__(self, executed: Sequence[Executed]) -> None:
        self._known: dict[Hashable, int] = {}
        self._arrays: dict[int, Numbers] = {}
        self._last = ONE
        self._made: dict[int, tuple[Executed, int]] = {}
        self._written: set[int] = set()
        for one in executed:
            for position, result in enumerate(one.results):
                if all(result.value is not argument.value for argument in one.arguments):
                    self._made[id(result.value)] = one, position
            if changes_in_place(one):
                self._written |= {id(snapshot.value) for snapshot in (*one.arguments, *one.results)}

    def numbers(self, value: Value, depth: int = 0) -> Numbers:
        """The numbers of the entries of a tensor."""
        if id(value) in self._written:
            return self._fresh(value)
        if id(value) not in self._arrays:
            found = self._computed(value, depth) if depth < _DEEPEST else None
            self._arrays[id(value)] = self._fresh(value) if found is None else found
        return self._arrays[id(value)]

    def product(self, a: Numbers, b: Numbers) -> Numbers:
        """Of entries, sign by sign."""
        a, b = np.broadcast_arrays(a, b)
        low, high = np.sort(np.abs([a, b]), axis=0)
        numbers = self._joined("product", [low, high], lambda key: key[1] if key[0] == ONE else None)
        signed: Numbers = numbers * np.sign(a) * np.sign(b)
        return signed

    def of_columns(self, numbers: Numbers, axes: Iterable[int]) -> Numbers:
        """One number for all entries along ``axes`` together, which become open."""
        chosen = tuple(axes)
        if all(numbers.shape[axis] == 1 for axis in chosen):
            return numbers
        front = np.moveaxis(numbers, chosen, range(len(chosen)))
        rest = front.shape[len(chosen) :]
        columns = front.reshape(-1, int(np.prod(rest))).T
        found = [self._number(("column", column.tobytes())) for column in np.ascontiguousarray(columns)]
        shape = [1 if axis in chosen else n for axis, n in enumerate(numbers.shape)]
        return np.array(found, dtype=np.int64).reshape(shape)

    def function(self, key: Hashable, *arrays: Numbers) -> Numbers:
        """Of entries, by the name of the function."""
        return self._joined(key, list(np.broadcast_arrays(*arrays)))

    def _computed(self, value: Value, depth: int) -> Numbers | None:
        executed, position = self._made.get(id(value), (None, 0))
        if executed is None or executed.stale or not executed.arguments:
            return None
        name, call = packet(executed.call.operation), executed.call
        if name in ("cat", "concat", "concatenate", "stack"):
            parts = [self.numbers(part.value, depth + 1) for part in executed.arguments]
            return joined(name, call["dim"] or 0, parts, [part.value.shape for part in executed.arguments])
        if name in _ENTRYWISE:
            arrays = [self.numbers(argument.value, depth + 1) for argument in executed.arguments]
            rank = len(value.shape)
            arrays = [array.reshape((1,) * (rank - array.ndim) + array.shape) for array in arrays]
            plain = tuple(
                (key, argument) for key, argument in call.arguments.items() if not isinstance(argument, Value)
            )
            order = tuple(key for key, argument in call.arguments.items() if isinstance(argument, Value))
            return self.function((call.operation, repr(plain), order), *arrays)
        if name in _CAST:  # to another type, which is a function of entries
            number = self.numbers(executed.arguments[0].value, depth + 1)
            return self.function((name, repr(call["dtype"])), number)
        if len(executed.arguments) == 1:
            found = moved(executed, self.numbers(executed.arguments[0].value, depth + 1))
            return None if found is None or len(found) <= position else found[position]
        return None

    def _fresh(self, value: Value) -> Numbers:
        shape = value.shape if np.prod(value.shape) <= LARGEST else (1,) * len(value.shape)
        count = int(np.prod(shape))
        first, self._last = self._last + 1, self._last + count
        return np.arange(first, first + count).reshape(shape)

    def _joined(
        self, key: Hashable, arrays: list[Numbers], known: Callable[[Numbers], int | None] = lambda _key: None
    ) -> Numbers:
        columns, places = np.unique(
            np.stack([array.ravel() for array in arrays]), axis=1, return_inverse=True
        )
        found = []
        for column in columns.T:
            given = known(column)
            found.append(self._number((key, tuple(column.tolist()))) if given is None else given)
        numbers: Numbers = np.array(found, dtype=np.int64)[places.ravel()].reshape(arrays[0].shape)
        return numbers

    def _number(self, key: Hashable) -> int:
        if key not in self._known:
            self._last += 1
            self._known[key] = self._last
        return self._known[key]


def changes_in_place(executed: Executed) -> bool:
    """Whether a tensor that the operation takes or gives is written to."""
    return bool(executed.call["written"]) or packet(executed.call.operation).endswith("_")


def joined(name: str, axis: int, parts: Sequence[Numbers], shapes: Sequence[Sequence[int]]) -> Numbers | None:
    """Arrays side by side, or stacked; None where the axis is open."""
    if name == "stack":
        axis %= parts[0].ndim + 1
        parts = [np.expand_dims(part, axis) for part in parts]
    else:
        axis %= parts[0].ndim
        if any(part.shape[axis] != shape[axis] for part, shape in zip(parts, shapes, strict=True)):
            return None
    rest = np.broadcast_shapes(*((*part.shape[:axis], *part.shape[axis + 1 :]) for part in parts))
    widened = [np.broadcast_to(part, (*rest[:axis], part.shape[axis], *rest[axis:])) for part in parts]
    return np.concatenate(widened, axis)
