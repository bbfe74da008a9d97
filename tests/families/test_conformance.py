"""Every registered family against its examples: a new family is picked up without an edit here."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from helpers.families.example import Example
from rebasin_fast.axis import Concat, Entry, Fixed, Joined, Product, Slice
from rebasin_fast.permutation.verify import TOLERANCE, Trial
from rebasin_fast.specs.layout import length_of
from rebasin_fast.specs.ready.families import FAMILIES

EXAMPLES: list[Example] = [
    example
    for family in FAMILIES
    for example in importlib.import_module(f"helpers.families.{family}").EXAMPLES
]
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=str)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@every_example
def test_spec_fits_and_preserves_the_function(example: Example) -> None:
    model = example.build()
    spec = example.spec()
    spec.validate(model.state_dict())
    if example.mutated:
        spec.verify(model, example.inputs())
    else:  # deep: all permutations at once, none of which leaves a unit in its place
        trial = Trial(model, example.inputs(), np.random.default_rng(0))
        assert trial.change_under(spec, moving_permutation(spec, spec.sizes(trial.params))) <= TOLERANCE
    assert rf.PermutationSpec.from_json(spec.to_json()) == spec
    if example.permutations is not None:
        assert len(spec.permutations) == example.permutations


@every_example
def test_recognised_with_and_without_prefixes(example: Example) -> None:
    if not example.recognised:
        return
    params = example.build().state_dict()
    assert same(rf.specs.for_params(params, **example.hints), example.spec())
    wrapped = {f"module.model.{name}": array for name, array in params.items()}
    expected = example.spec().with_prefix("module.model.")
    assert same(rf.specs.for_params(wrapped, **example.hints), expected)


@every_example
def test_recognised_from_sorted_names(example: Example) -> None:
    """Formats such as safetensors keep names in alphabetical order."""
    if not example.recognised:
        return
    params = dict(sorted(example.build().state_dict().items()))
    assert same(rf.specs.for_params(params, **example.hints), example.spec())


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.hints], ids=str)
def test_missing_hint_is_asked_for(example: Example) -> None:
    with pytest.raises(rf.SpecError, match="pass " + "|".join(example.hints)):
        rf.specs.for_params(example.build().state_dict())


@every_example
def test_statistics_stay_out_of_the_objective(example: Example) -> None:
    model, spec = example.build(), example.spec()
    own = {name for name, _ in model.named_parameters()}
    others = {name for name, tensor in model.state_dict().items() if name not in own}
    assert set(spec.unmatched) == others


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.mutated], ids=str)
def test_planted_permutation_is_recovered(example: Example) -> None:
    params = Trial(example.build(), example.inputs(), np.random.default_rng(3)).params
    spec = example.spec()
    shuffled = rf.apply_permutation(spec, moving_permutation(spec, spec.sizes(params)), params)
    matching = rf.weight_matching(spec, params, shuffled, restarts=4)
    recovered = rf.apply_permutation(spec, matching.permutation, shuffled)
    assert [name for name in params if not torch.equal(recovered[name], params[name])] == []


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.mutated], ids=str)
def test_every_entry_matters(example: Example) -> None:
    bench = MutationBench(example)
    overlooked = [about for mutant, name, about in mutants(bench, example) if not bench.catches(mutant, name)]
    assert not overlooked


class MutationBench:
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

    def catches(self, mutant: rf.PermutationSpec | None, name: str) -> bool:
        if mutant is None:
            return True
        try:
            mutant.validate(self.params)
        except rf.SpecError:
            return True
        drawn = moving_permutation(mutant, mutant.sizes(self.params))
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


def moving_permutation(spec: rf.PermutationSpec, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """One random cycle through all units: none stays, as a random permutation of a few units would have it."""
    drawn = {}
    for name in spec.permutations:
        shape = (*(sizes[parent] for parent in spec.parents[name]), sizes[name])
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        cycle = rng.permuted(np.broadcast_to(np.arange(sizes[name]), shape), axis=-1)
        drawn[name] = np.empty_like(cycle)
        np.put_along_axis(drawn[name], cycle, np.roll(cycle, 1, axis=-1), axis=-1)
    return drawn


def same(found: rf.PermutationSpec, expected: rf.PermutationSpec) -> bool:
    """Equal but for the order of the parameters."""
    return (
        dict(found.axes_to_perm) == dict(expected.axes_to_perm)
        and found.unmatched == expected.unmatched
        and found.declared_sizes == expected.declared_sizes
    )


def mutants(bench: MutationBench, example: Example) -> Iterator[tuple[rf.PermutationSpec | None, str, str]]:
    """Each entry dropped, held still in each of its parts, or made to move where nothing should."""
    axes = bench.spec.axes_to_perm
    for name, entries in axes.items():
        if not entries:
            continue  # scalars cannot move, and a spec need not name them
        if len(axes) <= 80:  # each costs a search for the nearest name
            yield remade(bench.spec, {n: e for n, e in axes.items() if n != name}), name, f"{name} dropped"
        for axis, entry in enumerate(entries):
            length = bench.params[name].shape[axis]
            if length == 1 or name in example.silent:
                continue
            for altered in alterations(entry, length, bench.sizes):
                if name in example.silent_keys and differ_in_key_alone(entry, altered):
                    continue
                changed = (*entries[:axis], altered, *entries[axis + 1 :])
                yield (
                    remade(bench.spec, {**axes, name: changed}),
                    name,
                    f"{name} axis {axis}: {entry!r} -> {altered!r}",
                )


def differ_in_key_alone(entry: Entry, altered: Entry) -> bool:
    assert isinstance(entry, Concat)
    assert isinstance(altered, Concat)
    return entry.pieces[0] == altered.pieces[0] and entry.pieces[2] == altered.pieces[2]


def alterations(entry: Entry, length: int, sizes: dict[str, int]) -> Iterator[Entry]:
    if entry is None:
        yield "mutant"
    elif isinstance(entry, Concat):
        for i, piece in enumerate(entry.pieces):
            for altered in alterations(piece, length_of(piece, sizes), sizes):
                yield Concat(*entry.pieces[:i], altered, *entry.pieces[i + 1 :])
    elif isinstance(entry, Product):
        for altered in alterations(entry.outer, length_of(entry.outer, sizes), sizes):
            yield Product(altered, entry.inner)
        for altered in alterations(entry.inner, length_of(entry.inner, sizes), sizes):
            yield Product(entry.outer, altered)
    elif isinstance(entry, Joined):
        yield from (Joined(altered) for altered in alterations(entry.inner, length, sizes))
    elif isinstance(entry, Fixed):
        if entry.length > 1:
            yield "mutant"
    elif isinstance(entry, Slice) or sizes[entry] > 1:
        yield Fixed(length)


def remade(spec: rf.PermutationSpec, axes: dict[str, tuple[Entry, ...]]) -> rf.PermutationSpec | None:
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
