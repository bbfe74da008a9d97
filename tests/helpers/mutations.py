"""The one source of wrong specs: each entry altered in turn, and the trial that must notice every alteration."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

import rebasin_fast as rf
from helpers.families.example import Example
from rebasin_fast.axis import Concat, Entry, Fixed, Joined, Product, Slice
from rebasin_fast.permutation.trial import TOLERANCE, Trial
from rebasin_fast.specs.layout import length_of

FRESH = "a permutation of its own"


class MutationTrial:
    """A model whose units are permuted by its spec, into which single parameters are put back as a mutant would."""

    def __init__(self, example: Example) -> None:
        self._trial = Trial(example.build(), example.inputs(), np.random.default_rng(1))
        self.spec = example.spec()
        self.params = self._trial.params
        self.sizes = self.spec.sizes(self.params)
        self._drawn = moving_permutation(self.spec, self.sizes)
        assert self._trial.change_under(self.spec, self._drawn) <= TOLERANCE  # and loads them
        self._moved = rf.apply_permutation(self.spec, self._drawn, self.params)
        self._tensors = self._trial._model.state_dict()  # shares memory with the model

    def notices(self, mutant: rf.PermutationSpec | None, name: str) -> bool:
        """Whether ``mutant``, which alters an entry of ``name``, contradicts itself or changes the function."""
        if mutant is None:
            return True
        try:
            mutant.validate(self.params)
        except rf.SpecError:
            return True
        # Two permutations of few units may be drawn alike once.
        return any(self._is_changed(mutant, name, seed) for seed in range(4))

    def _is_changed(self, mutant: rf.PermutationSpec, name: str, seed: int) -> bool:
        drawn = moving_permutation(mutant, mutant.sizes(self.params), seed)
        if any(not np.array_equal(index, drawn.get(p)) for p, index in self._drawn.items()):
            change = self._trial.change_under(mutant, drawn)
            self._trial._model.load_state_dict(self._moved)
            return change > TOLERANCE
        sized = rf.PermutationSpec(mutant.axes_to_perm, sizes=mutant.sizes(self.params))
        alone = rf.apply_permutation(sized, drawn, {name: self.params[name]})
        self._tensors[name].copy_(alone[name])
        change = self._trial._relative_change(self._trial._outputs())
        self._tensors[name].copy_(self._moved[name])
        return change > TOLERANCE


def moving_permutation(
    spec: rf.PermutationSpec, sizes: dict[str, int], seed: int = 0
) -> dict[str, np.ndarray]:
    """One random cycle through all units: none stays, as a random permutation of a few units would have it."""
    drawn = {}
    for name in spec.permutations:
        shape = (*(sizes[parent] for parent in spec.parents[name]), sizes[name])
        rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
        cycle = rng.permuted(np.broadcast_to(np.arange(sizes[name]), shape), axis=-1)
        drawn[name] = np.empty_like(cycle)
        np.put_along_axis(drawn[name], cycle, np.roll(cycle, 1, axis=-1), axis=-1)
    return drawn


def mutants(trial: MutationTrial, example: Example) -> Iterator[tuple[rf.PermutationSpec | None, str, str]]:
    """Each entry dropped and altered in each of its parts: (the mutant, its parameter, the alteration in words)."""
    axes = trial.spec.axes_to_perm
    for name, entries in axes.items():
        if not entries:
            continue  # scalars cannot move, and a spec need not name them
        if len(axes) <= 80:  # each costs a search for the nearest name
            yield _remade(trial.spec, {n: e for n, e in axes.items() if n != name}), name, f"{name} dropped"
        for axis, entry in enumerate(entries):
            length = trial.params[name].shape[axis]
            if length == 1 or name in example.silent:
                continue
            for altered in _alterations(entry, length, trial.sizes, example.thorough):
                if name in example.silent_keys and _differ_in_key_alone(entry, altered):
                    continue
                changed = (*entries[:axis], altered, *entries[axis + 1 :])
                words = f"{name} axis {axis}: {entry!r} -> {altered!r}"
                yield _remade(trial.spec, {**axes, name: changed}), name, words


def _differ_in_key_alone(entry: Entry, altered: Entry) -> bool:
    assert isinstance(entry, Concat)
    assert isinstance(altered, Concat)
    return entry.pieces[0] == altered.pieces[0] and entry.pieces[2] == altered.pieces[2]


def _alterations(entry: Entry, length: int, sizes: dict[str, int], thorough: bool) -> Iterator[Entry]:
    """The entry held still in each of its parts, or moving where none should; ``thorough``: misplaced, too."""
    if entry is None:
        yield FRESH
    elif isinstance(entry, Concat):
        for i, piece in enumerate(entry.pieces):
            for altered in _alterations(piece, length_of(piece, sizes), sizes, thorough):
                yield Concat(*entry.pieces[:i], altered, *entry.pieces[i + 1 :])
        if thorough and isinstance(entry.pieces[0], Slice):
            yield from _misplaced_cuts(entry)
    elif isinstance(entry, Product):
        for altered in _alterations(entry.outer, length_of(entry.outer, sizes), sizes, thorough):
            yield Product(altered, entry.inner)
        for altered in _alterations(entry.inner, length_of(entry.inner, sizes), sizes, thorough):
            yield Product(entry.outer, altered)
        if thorough:
            yield Product(entry.inner, entry.outer)
    elif isinstance(entry, Joined):
        yield from (Joined(altered) for altered in _alterations(entry.inner, length, sizes, thorough))
    elif isinstance(entry, Fixed):
        if entry.length > 1:
            yield FRESH
    elif isinstance(entry, Slice) or sizes[entry] > 1:
        yield Fixed(length)
        if thorough and isinstance(entry, str):
            yield FRESH
            yield from [name for name, size in sizes.items() if size == length and name != entry][:2]


def _misplaced_cuts(entry: Concat) -> Iterator[Entry]:
    """Slices around a middle: cut one unit earlier or later, and the halves exchanged."""
    first, middle, last = entry.pieces
    assert isinstance(first, Slice)
    assert isinstance(last, Slice)
    for cut in (first.stop - 1, first.stop + 1):
        yield Concat(Slice(first.permutation, 0, cut), middle, Slice(first.permutation, cut, last.stop))
    yield Concat(last, middle, first)


def _remade(spec: rf.PermutationSpec, axes: dict[str, tuple[Entry, ...]]) -> rf.PermutationSpec | None:
    """A spec of other axes; None where the mutation contradicts itself already."""
    names = rf.PermutationSpec(axes).permutations
    try:
        return rf.PermutationSpec(
            axes,
            [name for name in spec.unmatched if name in axes],
            sizes={p: n for p, n in spec.declared_sizes.items() if p in names},
        )
    except rf.SpecError:
        return None
