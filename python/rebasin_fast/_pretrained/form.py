"""The arrays of a file as parts of the parameters of a class: renamed, split by expert, or joined.

transformers keeps the experts of a layer in one tensor and writes one array an expert, and writes names of earlier
versions. How it does is not described in a form that could be read; here it writes a small model whose numbers are
their own addresses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from rebasin_fast._arrays.derived import DerivedParams
from rebasin_fast._pretrained.budget import silent
from rebasin_fast.errors import SpecError
from rebasin_fast.files import LoadedParams, load_params
from rebasin_fast.specs.renaming import Shapes
from rebasin_fast.typing import Array, Params

# Arrays of a result that are kept while the pieces of them are written.
_KEPT = 3


@dataclass(frozen=True)
class Piece:
    """A box of a parameter of the class, the axes of length one left out, perhaps transposed."""

    parameter: str
    box: tuple[tuple[int, int], ...]
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array that it is, where that has no axes of length one."""
        lengths = tuple(stop - start for start, stop in self.box if stop - start != 1)
        return lengths[::-1] if self.transposed else lengths

    @property
    def slices(self) -> tuple[slice, ...]:
        """The box as an index."""
        return tuple(slice(*span) for span in self.box)

    def scaled(self, narrow: Sequence[int], wide: Sequence[int]) -> Piece:
        """The same piece of a wider parameter; SpecError where it ends between two units."""
        box = []
        for span, short, long in zip(self.box, narrow, wide, strict=True):
            if short != long and any(end * long % short for end in span):
                raise SpecError(f"{self.parameter!r} is cut at places that do not scale with its width")
            box.append(span if short == long else (span[0] * long // short, span[1] * long // short))
        return Piece(self.parameter, tuple(box), self.transposed)


def whole_pieces(shapes: Shapes) -> dict[str, Piece]:
    """Every parameter under its own name."""
    return {name: Piece(name, tuple((0, n) for n in shape or ())) for name, shape in shapes.items()}


def written_pieces(model: Any, shapes: Shapes) -> dict[str, Piece]:
    """The piece for every array that ``model``, a small copy of one of ``shapes``, writes to its file.

    Raises
    ------
    SpecError
        An array is no box of one parameter.
    """
    import torch

    model = model.double()
    state = model.state_dict()
    starts, count = {}, 0
    for name, tensor in state.items():
        with torch.no_grad():
            tensor.copy_(
                torch.arange(count, count + tensor.numel(), dtype=torch.float64).reshape(tensor.shape)
            )
        starts[name] = count
        count += tensor.numel()
    with tempfile.TemporaryDirectory() as folder:
        with silent():
            model.save_pretrained(folder)
        written = load_params(folder, library="numpy")
        addresses = {name: np.array(written[name]) for name in written}
    # Tied tensors hold the same addresses; the first name stands for all.
    firsts = {int(state[name].reshape(-1)[0]): name for name in reversed(list(state)) if state[name].numel()}
    ordered = sorted(firsts)
    found = {}
    for name, numbers in addresses.items():
        address = numbers.reshape(-1)[0]
        start = ordered[int(np.searchsorted(ordered, address, side="right")) - 1]
        owner = firsts[start]
        narrow, wide = tuple(state[owner].shape), shapes.get(owner)
        if wide is None:
            raise SpecError(f"{owner!r} of the narrow copy is no parameter of the model")
        piece = _piece(owner, numbers.astype(np.int64) - start, narrow)
        if piece is None:
            raise SpecError(f"the array {name!r} of the file is no part of {owner!r} that can be followed")
        found[name] = piece.scaled(narrow, wide)
    return found


def _piece(owner: str, addresses: Any, shape: tuple[int, ...]) -> Piece | None:
    if addresses.min() < 0 or addresses.max() >= prod(shape):
        return None
    places = np.unravel_index(addresses.reshape(-1), shape)
    box = tuple((int(place.min()), int(place.max()) + 1) for place in places)
    inside = np.arange(prod(shape)).reshape(shape)[tuple(slice(*span) for span in box)].squeeze()
    if inside.shape == addresses.squeeze().shape and np.array_equal(inside, addresses.squeeze()):
        return Piece(owner, box)
    return Piece(owner, box, True) if np.array_equal(inside.T, addresses.squeeze()) else None


class ClassParams(Mapping[str, "Array"]):
    """The arrays of a file under the names, and in the shapes, of its model's class; read on access.

    Parameters
    ----------
    params : LoadedParams
        The file.
    pieces : mapping
        For arrays of the file, the parts of the class's parameters that they are. Others are left as they are.
    shapes : mapping
        Of the class's parameters.
    """

    def __init__(self, params: LoadedParams, pieces: Mapping[str, Piece], shapes: Shapes) -> None:
        self.params = params
        self.sources = (params,)
        self.pieces = dict(pieces)
        self.shapes = shapes
        self._arrays: dict[str, list[str]] = {}
        for name, piece in self.pieces.items():
            self._arrays.setdefault(piece.parameter, []).append(name)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a parameter, without reading it."""
        if name not in self._arrays:
            raise KeyError(name)
        return tuple(self.shapes[name] or ())

    def __getitem__(self, name: str) -> Array:
        members = self._arrays[name]
        first: Any = self.params[members[0]]
        shape = self.shape(name)
        if len(members) == 1 and not self.pieces[members[0]].transposed:
            return first if tuple(first.shape) == shape else first.reshape(shape)
        whole: Any = np.empty(shape, first.dtype) if isinstance(first, np.ndarray) else first.new_empty(shape)
        for member in members:
            piece, array = self.pieces[member], self.params[member]
            inside = whole[piece.slices]
            inside[...] = (array.T if piece.transposed else array).reshape(inside.shape)
        joined: Array = whole
        return joined

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def names(self) -> dict[str, str] | None:
        """The file's name of every parameter, where each is one array of the file in the same shape; else None."""
        alike = all(
            len(members) == 1
            and not self.pieces[members[0]].transposed
            and self.params.shape(members[0]) == self.shape(name)
            for name, members in self._arrays.items()
        )
        return {name: members[0] for name, members in self._arrays.items()} if alike else None

    def restored(self, result: Params) -> Params:
        """``result`` in the form of the file; arrays that the class does not have are unchanged."""
        kept: dict[str, Any] = {}

        def compute(name: str) -> Any:
            piece = self.pieces.get(name)
            if piece is None or piece.parameter not in result:
                return self.params[name]
            if piece.parameter not in kept:
                while len(kept) >= _KEPT:
                    del kept[next(iter(kept))]
                kept[piece.parameter] = result[piece.parameter]
            array = kept[piece.parameter][piece.slices]
            shape = self.params.shape(name)
            return array.reshape(shape[::-1]).T if piece.transposed else array.reshape(shape)

        return DerivedParams(self.params, compute, [self.params, result])
