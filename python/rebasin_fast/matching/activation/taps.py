"""Taps: the modules at which a spec's units are read while a model runs, and the hooks that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rebasin_fast._models.inference import call, device_of
from rebasin_fast.errors import SpecError
from rebasin_fast.matching.activation.layer_reads import Read, layer_reads, output_tensor
from rebasin_fast.specs.layout import Block, blocks_of, length_of

if TYPE_CHECKING:
    from rebasin_fast.matching.activation.layer_reads import LayerRead
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Index

TapNames: TypeAlias = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Family:
    """Features of a tap that belong to the units of one chain of nested permutations.

    ``features[c, u]`` is the place of unit u (counted through the chain, outermost first) in its copy c: the
    positions of a flattened feature map are copies of one unit.
    """

    chain: tuple[str, ...]
    features: Index


@dataclass(frozen=True, eq=False)
class Tap:
    """Units at one place of a running model: along ``axis`` of the tensor that ``read`` finds at ``module``.

    ``axis`` is None where it is found by its ``length``. ``consumed`` taps read inputs of layers; the
    others stand in for permutations that no layer reads from outside.
    """

    module: str
    axis: int | None
    length: int
    read: Read
    families: tuple[Family, ...]
    consumed: bool

    def about(self, permutations: frozenset[str]) -> Tap:
        """The same tap for some permutations only: those families whose innermost one is among them."""
        kept = tuple(family for family in self.families if family.chain[-1] in permutations)
        return Tap(self.module, self.axis, self.length, self.read, kept, self.consumed)

    def rows(self, tensor: Any) -> Any:
        """``tensor`` as (rows, length), in memory of its own: layers further on may write into it."""
        tensor = tensor.detach()
        axis = self._axis_of(tuple(tensor.shape))
        rows = tensor.movedim(axis, -1).reshape(-1, self.length)
        return rows.clone() if rows.data_ptr() == tensor.data_ptr() else rows

    def _axis_of(self, shape: tuple[int, ...]) -> int:
        axis = self.axis
        if axis is None:
            fitting = [axis for axis in range(1, len(shape)) if shape[axis] == self.length]
            axis = (fitting or [1])[0 if len(shape) > 3 else -1]
        if axis >= len(shape) or shape[axis] != self.length:
            raise SpecError(
                f"at module {self.module!r} a tensor of shape {shape} passes; expected {self.length} units on axis "
                f"{axis}, for {[family.chain[-1] for family in self.families]}. Name other modules with taps="
            )
        return axis


def taps_of(
    spec: PermutationSpec, model: Any, sizes: Mapping[str, int], named: TapNames | None = None
) -> list[Tap]:
    """Every tap of ``spec`` in ``model``; for the permutations of ``named`` the outputs of those modules alone.

    Raises
    ------
    SpecError
        ``named`` holds a permutation that the spec lacks, or a module that the model lacks.
    """
    modules = dict(model.named_modules())
    taps = _named_taps(spec, modules, sizes, named or {})
    others = frozenset(sizes) - frozenset(named or ())
    own: dict[str, dict[str, Any]] = {}
    for parameter, entries in spec.axes_to_perm.items():
        owner, _, local = parameter.rpartition(".")
        own.setdefault(owner, {})[local] = entries
    for name in filter(modules.__contains__, own):
        found = [
            _tap_at(name, read, sizes).about(others) for read in layer_reads(modules[name], own[name], sizes)
        ]
        taps += [tap for tap in found if tap.families]
    return taps


def _tap_at(module: str, found: LayerRead, sizes: Mapping[str, int]) -> Tap:
    blocks = () if found.entry is None else blocks_of(found.entry, sizes)
    length = 0 if found.entry is None else length_of(found.entry, sizes)
    if found.part is not None and blocks:
        start, stop = found.part
        length = stop - start
        blocks = tuple(
            Block(block.dims, block.positions - start)
            for block in blocks
            if block.positions.min() >= start and block.positions.max() < stop
        )
    families = tuple(_family(block) for block in blocks)
    return Tap(module, found.axis, length, found.read, families, found.consumed)


def _family(block: Block) -> Family:
    moving = [axis for axis, dim in enumerate(block.dims) if dim is not None]
    last = range(len(block.dims) - len(moving), len(block.dims))
    copies = np.moveaxis(block.positions, moving, last)
    units = prod(block.positions.shape[axis] for axis in moving)
    return Family(block.permutations, np.ascontiguousarray(copies.reshape(-1, units)))


def _named_taps(
    spec: PermutationSpec, modules: Mapping[str, Any], sizes: Mapping[str, int], named: TapNames
) -> list[Tap]:
    taps = []
    for permutation, names in named.items():
        if permutation not in sizes:
            raise SpecError(f"taps names permutation {permutation!r}; the spec has {spec.permutations}")
        chain = (*spec.parents[permutation], permutation)
        units = prod(sizes[name] for name in chain)
        family = Family(chain, np.arange(units, dtype=np.int64)[None])
        for name in (names,) if isinstance(names, str) else names:
            if name not in modules:
                raise SpecError(
                    f"taps names module {name!r} for permutation {permutation!r}; the model has no such module"
                )
            taps.append(Tap(name, None, units, output_tensor, (family,), consumed=True))
    return taps


class TapReader:
    """Runs one model and hands over the tensors at its taps; a context manager that removes its hooks."""

    def __init__(self, model: Any, taps: Sequence[Tap]) -> None:
        self._model = model
        self._taps = taps
        self._device = device_of(model)
        self._handles: list[Any] = []
        self._sink: Callable[[Tap, Any], None] | None = None

    def __enter__(self) -> TapReader:
        by_module: dict[str, list[Tap]] = {}
        for tap in self._taps:
            by_module.setdefault(tap.module, []).append(tap)
        modules = dict(self._model.named_modules())
        missing = [name for name in by_module if name not in modules]
        if missing:
            raise SpecError(f"the two models differ: one has no module {missing[0]!r}")
        for name, taps in by_module.items():
            handle = modules[name].register_forward_hook(self._hook(taps), with_kwargs=True)
            self._handles.append(handle)
        return self

    def __exit__(self, *_exception: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def run(self, batch: Any, sink: Callable[[Tap, Any], None]) -> None:
        """Run the model once; ``sink`` gets every tensor at a tap, as the model computed it."""
        self._sink = sink
        try:
            call(self._model, batch, self._device)
        finally:
            self._sink = None

    def _hook(self, taps: list[Tap]) -> Any:
        def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            if self._sink is None:
                return  # the same model may stand on both sides
            for tap in taps:
                tensor = tap.read(module, args, kwargs, output)
                if tensor is not None:
                    self._sink(tap, tensor)

        return hook


def choose_taps(reader: TapReader, batch: Any) -> list[Tap]:
    """The taps that a run passes, each tensor once, and stand-ins only where they are needed."""
    kept_alive: list[Any] = []
    consumed: dict[Any, Tap] = {}
    given: dict[Tap, None] = {}

    def note(tap: Tap, tensor: Any) -> None:
        if not tap.consumed:
            given[tap] = None
            return
        kept_alive.append(tensor)  # a later tensor at its address would count as the same
        identity = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor._version, tap.axis)
        consumed.setdefault((identity, *(family.chain for family in tap.families)), tap)

    reader.run(batch, note)
    chosen = list(dict.fromkeys(consumed.values()))
    covered = frozenset(family.chain[-1] for tap in chosen for family in tap.families)
    for tap in given:
        rest = tap.about(frozenset(family.chain[-1] for family in tap.families) - covered)
        if rest.families:
            chosen.append(rest)
    return chosen
