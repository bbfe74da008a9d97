"""``trace_spec``: the permutation spec of any PyTorch model, derived from its program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rebasin_fast.axis import Entry, permutations_of
from rebasin_fast.spec import PermutationSpec
from rebasin_fast.tracing.choice import choose
from rebasin_fast.tracing.demands import settle
from rebasin_fast.tracing.emission import Emission, joined_axes, torn_classes
from rebasin_fast.tracing.graph import Program, export_program
from rebasin_fast.tracing.interpret import Interpreter
from rebasin_fast.tracing.naming import name_classes
from rebasin_fast.tracing.registry import Trace
from rebasin_fast.tracing.report import FrozenAxis, TracedSpec
from rebasin_fast.tracing.structure import Structure
from rebasin_fast.tracing.values import Value
from rebasin_fast.tracing.variables import Algebra, Nested, Reason, Var


def trace_spec(
    model: Any,
    example_inputs: Any,
    *,
    residual: bool = True,
    freeze: Sequence[str] = (),
    select: Sequence[str] | None = None,
    verify: bool = True,
    rng: int = 0,
    strict: bool | None = None,
) -> TracedSpec:
    """Derive the permutation spec of ``model`` from its program, and prove it.

    Parameters
    ----------
    model : torch.nn.Module
        Not changed. May lie on the meta device, with ``verify=False``.
    example_inputs : tensor, tuple, or mapping
        One positional argument, several, or keyword arguments, as ``model`` is called with them.
    residual : bool
        False leaves the permutations of residual streams out: those whose units several layers make together,
        because their outputs are added.
    freeze : sequence of str
        Names or patterns (``layer1.*``) of permutations, or of parameters none of whose axes shall move.
    select : sequence of str, optional
        Names or patterns of permutations or parameters: only these move.
    verify : bool
        Prove the result on a randomised float64 copy of ``model`` (see ``PermutationSpec.verify``).
    rng : int
        Seed of that proof.
    strict : bool, optional
        How torch.export goes through the program: False runs it, True reads it; by default the one, then the other.

    Returns
    -------
    TracedSpec
        A :class:`PermutationSpec` with an account of what was found and why: ``report()``.

    Raises
    ------
    SpecError
        torch.export cannot follow the model, or the result does not preserve its function.
    MissingDependencyError
        PyTorch is not installed.

    Notes
    -----
    Every axis of every tensor is followed through the ATen graph. What an operation ties moves together; inputs,
    outputs, and what an operation without a rule touches stay where they are; the rest is free. Time is near-linear
    in the number of operations; weights are not read.

    Examples
    --------
    >>> import torch, rebasin_fast as rf
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> rf.trace_spec(model, torch.zeros(1, 4)).axes_to_perm
    {'0.weight': ('0', None), '0.bias': ('0',), '2.weight': (None, '0'), '2.bias': (None,)}
    """
    program = export_program(model, example_inputs, strict)
    interpreter = Interpreter(program)
    interpreter.run()
    spec = _emit(program, interpreter)
    spec = choose(spec, residual=residual, freeze=freeze, select=select)
    if verify:
        spec.verify(model, example_inputs, rng=rng)
    return spec


def _emit(program: Program, interpreter: Interpreter) -> TracedSpec:
    trace, parameters = interpreter.trace, interpreter.parameters
    settle(trace.space, trace.demands)
    unused = [name for name in parameters if name not in interpreter.used]
    axes = [group.base for value in parameters.values() for group in value.groups]
    structure = Structure(trace.space, axes)
    while torn := torn_classes(structure, axes):
        structure.break_up(torn)
    used = {name: value for name, value in parameters.items() if name in interpreter.used}
    names = name_classes(structure, trace, used)
    entries = _entries(structure, names, used, parameters)
    for name, first in program.twins.items():
        entries[name] = entries[first]
    entries = {name: entries[name] for name in program.shapes}
    standing = {p for row in entries.values() for entry in row for p in permutations_of(entry)}
    moved = [
        name for name in entries if any(p in standing for e in entries[name] for p in permutations_of(e))
    ]
    unmatched = [name for name in moved if name in program.buffers or name in program.twins]
    return TracedSpec(
        entries,
        unmatched,
        sizes=_undeclared(structure, names, entries),
        residual=frozenset(_streams(structure, trace, names) & standing),
        unused=tuple(unused),
        frozen=tuple(_frozen_axes(trace.space.algebra, used, unused, program)),
        shapes=program.shapes,
        sources=interpreter.sources,
    )


def _entries(
    structure: Structure, names: dict[int, str], used: dict[str, Value], parameters: dict[str, Value]
) -> dict[str, tuple[Entry, ...]]:
    """Entries of all parameters; permutations that the spec would take for freer than they are stay."""
    allowed = structure.outers_in_tensors()
    names = dict(names)
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


def _streams(structure: Structure, trace: Trace, names: dict[int, str]) -> set[str]:
    """Permutations of units that several parameters make, because what they make is added."""
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


def _undeclared(
    structure: Structure, names: dict[int, str], entries: dict[str, tuple[Entry, ...]]
) -> dict[str, int]:
    """Sizes of the permutations that stand on no axis by themselves."""
    plain = {entry for row in entries.values() for entry in row if isinstance(entry, str)}
    standing = {p for row in entries.values() for entry in row for p in permutations_of(entry)}
    return {
        name: structure.size(number)
        for number, name in names.items()
        if name in standing and name not in plain
    }


def _frozen_axes(
    algebra: Algebra, used: dict[str, Value], unused: list[str], program: Program
) -> list[FrozenAxis]:
    found: list[FrozenAxis] = []
    for name, value in used.items():
        for group in value.groups:
            (axis,) = group.axes
            reasons: dict[str, FrozenAxis] = {}
            for reason, size in _reasons(algebra, group.base):
                before = reasons.get(str(reason))
                size += before.length if before else 0
                reasons[str(reason)] = FrozenAxis(name, axis, size, reason.operation, reason.source)
            found += reasons.values()
    found += [
        FrozenAxis(name, axis, size, "not used by the traced program", "")
        for name in unused
        for axis, size in enumerate(program.shapes[name])
    ]
    return found


def _reasons(algebra: Algebra, x: Var) -> list[tuple[Reason, int]]:
    found: list[tuple[Reason, int]] = []
    for part in algebra.parts(x):
        reason, form = algebra.reason(part), algebra.form(part)
        if reason is not None:
            found.append((reason, algebra.size(part)))
        elif isinstance(form, Nested):
            for inside in (form.outer, form.inner):
                found += _reasons(algebra, inside)
    return found
