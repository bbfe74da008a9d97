"""From the free variables of a program to its permutation spec."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from rebasin_fast.specs.axis import Entry, permutations_of
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.tracing.algebra.forms import Var
from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.block_constraints import apply_block_constraints
from rebasin_fast.specs.tracing.emission import Emission, joined_axes, uneven_classes
from rebasin_fast.specs.tracing.frozen_axes import frozen_axes
from rebasin_fast.specs.tracing.graph import Program
from rebasin_fast.specs.tracing.interpret import Interpreter
from rebasin_fast.specs.tracing.naming import name_classes
from rebasin_fast.specs.tracing.registry import Trace
from rebasin_fast.specs.tracing.report import TracedSpec
from rebasin_fast.specs.tracing.rotary.derive import rotations_of_heads
from rebasin_fast.specs.tracing.structure import Structure
from rebasin_fast.specs.tracing.symmetries.derive import derived_symmetries, with_ties
from rebasin_fast.specs.tracing.unread import freeze_unread


def derived_spec(program: Program, interpreter: Interpreter) -> TracedSpec:
    """The spec of the variables that are free after ``interpreter`` has run ``program``."""
    trace, parameters = interpreter.trace, interpreter.parameters
    apply_block_constraints(trace.space, trace.block_constraints)
    unused = [name for name in parameters if name not in interpreter.used]
    axes = [group.base for value in parameters.values() for group in value.groups]
    freeze_unread(trace.space, axes)
    structure = Structure(trace.space, axes)
    while uneven := uneven_classes(structure, axes):
        structure.break_up(uneven)
    used = {name: value for name, value in parameters.items() if name in interpreter.used}
    names = name_classes(structure, trace, used)
    _drop_self_nested(structure, names, axes)
    entries = _entries(structure, names, used, parameters)
    for name, first in program.tied.items():
        entries[name] = entries[first]
    entries = {name: entries[name] for name in program.shapes}
    standing = {p for row in entries.values() for entry in row for p in permutations_of(entry)}
    moved = [
        name for name in entries if any(p in standing for e in entries[name] for p in permutations_of(e))
    ]
    unmatched = [name for name in moved if name in program.buffers or name in program.tied]
    symmetries, refused = derived_symmetries(interpreter, structure, names, entries, program.buffers)
    sizes = {name: structure.size(number) for number, name in names.items()}
    rotations, unrotated = rotations_of_heads(interpreter, entries, sizes)
    # A rotation by half a turn is a sign, and a scale is one of all pairs.
    turned = {symmetry.permutation for symmetry in rotations}
    symmetries = tuple(symmetry for symmetry in symmetries if symmetry.permutation not in turned)
    more = {symmetry.permutation for symmetry in symmetries}
    order_alone = {name: str(reason) for name, reason in refused.items() if name not in more | turned}
    unrotated |= {name: reason for name, reason in refused.items() if name in more}
    return TracedSpec(
        entries,
        unmatched,
        sizes=_sizes_to_declare(structure, names, entries),
        residual=frozenset(_residual_permutations(structure, trace, names) & standing),
        unused=tuple(unused),
        frozen=tuple(frozen_axes(structure, names, used, {name: program.shapes[name] for name in unused})),
        shapes=program.shapes,
        sources=interpreter.sources,
        ties=program.tied,
        symmetries=(*symmetries, *(with_ties(own, program.tied) for own in rotations)),
        order_alone=order_alone,
        unrotated={name: str(reason) for name, reason in unrotated.items()},
    )


def _entries(
    structure: Structure, names: dict[int, str], used: dict[str, Value], parameters: dict[str, Value]
) -> dict[str, tuple[Entry, ...]]:
    """Entries of all parameters; permutations that entries cannot restrict as the program does are Fixed."""
    allowed = structure.outers_in_tensors()
    while True:
        emission = Emission(structure, names)
        outers = {
            name: {names[o] for o in allowed.get(number, ()) if o in names} for number, name in names.items()
        }
        entries = {}
        for name, value in parameters.items():
            found = [
                emission.entry(group.base if group else None) if name in used else None
                for group in map(value.group_at, range(len(value.shape)))
            ]
            entries[name] = joined_axes(found, value.shape, outers)
        parents = PermutationSpec(entries).parents
        too_free = [n for n, name in names.items() if not set(parents.get(name, ())) <= outers[name]]
        if not too_free:
            return entries
        for number in too_free:
            del names[number]


def _drop_self_nested(structure: Structure, names: dict[int, str], axes: Sequence[Var]) -> None:
    """Units within themselves (an axis flattened with itself) have no entry, and stay."""
    for x in axes:
        for chain in structure.chains(x):
            for number, times in Counter(chain).items():
                if times > 1:
                    names.pop(number, None)


def _residual_permutations(structure: Structure, trace: Trace, names: dict[int, str]) -> set[str]:
    """Permutations of units that several parameters produce, because their results are added."""
    algebra = structure.algebra
    makers: dict[Var, set[str]] = defaultdict(set)
    for x, parameter in trace.producers.items():
        for part in algebra.parts(x):
            makers[algebra.find(part)].add(parameter)
    added = {algebra.find(part) for x in trace.sums for part in algebra.parts(x)}
    numbers = {
        n for part in added if len(makers[part]) > 1 for chain in structure.chains(part) for n in chain
    }
    return {names[number] for number in numbers if number in names}


def _sizes_to_declare(
    structure: Structure, names: dict[int, str], entries: dict[str, tuple[Entry, ...]]
) -> dict[str, int]:
    """Sizes of the permutations that are on no axis by themselves."""
    plain = {entry for row in entries.values() for entry in row if isinstance(entry, str)}
    standing = {p for row in entries.values() for entry in row for p in permutations_of(entry)}
    return {
        name: structure.size(number)
        for number, name in names.items()
        if name in standing and name not in plain
    }
