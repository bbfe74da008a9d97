"""Products of tensors in which some axes are tied and some summed over: the rule behind every contraction."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rebasin_fast.specs.tracing.algebra.forms import Var
from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.contraction import contraction_of
from rebasin_fast.specs.tracing.registry import Call

Labels = Sequence[Hashable]


def contract(call: Call, operands: Sequence[tuple[Value, Labels]], result: Labels) -> Value:
    """Axes of one label are tied; labels that ``result`` lacks are summed over; axes of one entry broadcast.

    Groups all of whose axes stand in one operand and in the result are passed on as they are.
    """
    extents: dict[Hashable, int] = {}
    owners: dict[Hashable, set[int]] = {}
    for number, (value, labels) in enumerate(operands):
        for size, label in zip(value.shape, labels, strict=True):
            extents[label] = max(extents.get(label, 1), size)
            if size > 1 or label not in owners:
                owners.setdefault(label, set()).add(number)
    place = {label: axis for axis, label in enumerate(result)}
    tied: dict[Hashable, Var | None] = {}
    passed: list[Group] = []
    for value, labels in operands:
        passed += _pass_or_tie(call, value, labels, owners, extents, place, tied)
    shape = tuple(extents.get(label, 1) for label in result)
    groups = [Group(x, (place[label],)) for label, x in tied.items() if x is not None and label in place]
    call.space.together([x for x in tied.values() if x is not None] + [group.base for group in passed])
    product = Value(shape, passed + groups)
    call.trace.contractions.append(contraction_of(operands, product, result))
    return product


def _pass_or_tie(
    call: Call,
    value: Value,
    labels: Labels,
    owners: dict[Hashable, set[int]],
    extents: dict[Hashable, int],
    place: dict[Hashable, int],
    tied: dict[Hashable, Var | None],
) -> list[Group]:
    passed = []
    for group in list(value.groups):
        own = [labels[axis] for axis in group.axes]
        alone = all(len(owners[label]) == 1 and label in place and labels.count(label) == 1 for label in own)
        broadcast = any(value.shape[axis] < extents[labels[axis]] for axis in group.axes)
        if alone and not broadcast:
            passed.append(group.moved(place[label] for label in own))
        else:
            call.space.take_apart(value, group, call.reason)
            for axis in group.axes:
                found = value.group_at(axis)
                if found is not None and value.shape[axis] == extents[labels[axis]]:
                    tied[labels[axis]] = call.unify(tied.get(labels[axis]), call.space.as_axis(found.base))
    return passed
