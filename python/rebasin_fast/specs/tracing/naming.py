"""Names of permutations: the parameter that produces the units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rebasin_fast.specs.tracing.algebra.forms import Nested, Var
from rebasin_fast.specs.tracing.algebra.values import Value
from rebasin_fast.specs.tracing.registry import Trace
from rebasin_fast.specs.tracing.structure import Structure


def name_classes(structure: Structure, trace: Trace, parameters: Mapping[str, Value]) -> dict[int, str]:
    """A name for every class that stands on some parameter, unless it has one unit."""
    owners: dict[int, str] = {}
    for x, parameter in trace.producers.items():
        for number in _classes_on(structure, x):
            owners.setdefault(number, module_of_parameter(parameter))
    standing: dict[int, None] = {}
    for parameter, value in parameters.items():
        for group in value.groups:
            for number in _classes_on(structure, group.base):
                standing.setdefault(number)
                owners.setdefault(number, module_of_parameter(parameter))
    hints = _hinted(structure, trace.name_hints)
    names: dict[int, str] = {}
    taken: set[str] = set()
    shared: dict[str, list[int]] = {}
    for number in standing:
        if structure.size(number) > 1:
            shared.setdefault(owners[number], []).append(number)
    for owner, numbers in shared.items():
        for place, number in enumerate(numbers):
            hint = hints.get(number)
            if hint is None and len(numbers) > 1:
                hint = str(place)
            names[number] = _free(f"{owner}.{hint}" if hint else owner, taken)
    return {number: names[number] for number in standing if number in names}


def module_of_parameter(parameter: str) -> str:
    """``layer1.0.conv1`` for ``layer1.0.conv1.weight``."""
    owner, _, last = parameter.rpartition(".")
    last = last.removesuffix("weight").removesuffix("_") if last != "bias" else ""
    return ".".join(part for part in (owner, last) if part) or parameter


def _classes_on(structure: Structure, x: Var) -> Iterator[int]:
    algebra = structure.algebra
    for part in algebra.parts(x):
        form = algebra.form(part)
        if isinstance(form, Nested) and algebra.reason(part) is None:
            yield from _classes_on(structure, form.outer)
            yield from _classes_on(structure, form.inner)
        elif part in structure.piece:
            yield structure.piece[part].permutation


def _hinted(structure: Structure, hints: Mapping[Var, str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for x, hint in hints.items():
        for place, number in enumerate(dict.fromkeys(_classes_on(structure, x))):
            found.setdefault(
                number, hint if place == 0 else "queries" if hint == "heads" else f"{hint}{place}"
            )
    return found


def _free(name: str, taken: set[str]) -> str:
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}~{count}"
    taken.add(candidate)
    return candidate
