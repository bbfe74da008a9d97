"""Gains and biases of norms, moved into the axes that read the norm; means of the axes that write its input."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.permutation.normal.result import Step
from rebasin_fast.permutation.normal.working import Working
from rebasin_fast.permutation.transforms.places import Place, merged_axis
from rebasin_fast.specs.symmetry import Norm, Reader, Symmetry
from rebasin_fast.typing import Index

_SMALLEST_GAIN = 1e-6  # of the largest: a bias divided by less would lose its digits


def absorb(working: Working, symmetry: Symmetry) -> tuple[list[Step], dict[Norm, str]]:
    """Gains become 1 and biases 0, all of the symmetry or none; the norms that refuse, and why.

    Where a reader has no bias, that of the norm stays behind the norm: divided by the gain, it moves with the units.
    """
    pending = [norm for norm in symmetry.norms if _has_gain(working, norm) or _has_bias(working, norm)]
    reasons = {norm: _refusal(working, symmetry, norm) for norm in pending}
    refused = {norm: reason for norm, reason in reasons.items() if reason is not None}
    if refused:
        return [], refused
    steps: list[Step] = []
    places = _by_axis(working, symmetry)
    for norm in pending:
        # The bias passes through the readers as they are, before the gain is in them.
        if _has_bias(working, norm) and _is_divided(working, symmetry, norm):
            steps += _divide_bias(working, symmetry, norm, places)
        elif _has_bias(working, norm):
            steps.append(_move_bias(working, symmetry, norm, places))
        if _has_gain(working, norm):
            steps.append(_move_gain(working, symmetry, norm, places))
    return steps, {}


def centre(working: Working, symmetry: Symmetry) -> list[Step]:
    """Subtract from every writer its mean over the units, which a LayerNorm subtracts anyway."""
    kinds = {norm.kind for norm in symmetry.norms}
    if kinds != {"layer"}:
        return []
    readers = {
        (reader.parameter, merged_axis(working.spec.axes_to_perm[reader.parameter], reader.axis))
        for norm in symmetry.norms
        for reader in norm.readers
        if reader.parameter in working
    }
    places = working.places(symmetry)
    raw = [p.parameter for p in places if (p.exponents == -1).any() and (p.parameter, p.axis) not in readers]
    if raw:
        return [_kept(symmetry, raw, f"the means stay, since {raw[0]!r} reads the units without a LayerNorm")]
    behind = {
        norm.bias for norm in symmetry.norms
    }  # these are added to the output of a norm, not to its input
    writers = [
        p
        for p in places
        if (p.exponents == 1).any() and (p.parameter, p.axis) not in readers and p.parameter not in behind
    ]
    known = {place.parameter for place in places if place.exponents.any()}
    for place in writers:
        others = [name for name in working.tied_to(place.parameter) if name not in known]
        if others:
            text = f"the means stay, since {place.parameter!r} is also {others[0]!r}, which has no such units"
            return [_kept(symmetry, [place.parameter, others[0]], text)]
    partners = {name for place in writers for name in working.tied_to(place.parameter)}
    writers += [place for place in places if place.parameter in partners and place not in writers]
    done = [place.parameter for place in writers if _centred(working, place)]
    if not done:
        return []
    names = tuple(dict.fromkeys(done))
    return [Step("centred", symmetry.permutation, names, f"centred {_listed(names)}")]


def _centred(working: Working, place: Place) -> bool:
    """Subtract the means; whether there were any above rounding."""
    front = np.moveaxis(working[place.parameter], place.axis, 0).copy()
    positions = place.positions[:, place.exponents != 0, :]
    units = front[positions]
    means = units.mean(axis=2, keepdims=True)
    if np.abs(means).max(initial=0.0) <= working.rounding(place.parameter):
        return False
    front[positions] = units - means
    working[place.parameter] = np.moveaxis(front, 0, place.axis)
    return True


def _has_gain(working: Working, norm: Norm) -> bool:
    return norm.gain is not None and norm.gain in working and bool((working[norm.gain] != 1.0).any())


def _has_bias(working: Working, norm: Norm) -> bool:
    return norm.bias is not None and norm.bias in working and bool((working[norm.bias] != 0.0).any())


def _refusal(working: Working, symmetry: Symmetry, norm: Norm) -> str | None:
    """Why the gain and bias of ``norm`` cannot be moved; None where they can."""
    vector = norm.gain or norm.bias
    if not norm.readers:
        return f"no product reads the norm of {vector!r} alone"
    readings = Counter((r.parameter, r.axis) for other in symmetry.norms for r in other.readers)
    sums = Counter(r.bias for other in symmetry.norms for r in other.readers)
    moves_bias = _has_bias(working, norm) and not _is_divided(working, symmetry, norm)
    touched = [name for name in (norm.gain, norm.bias) if name is not None]
    for reader in norm.readers:
        if reader.parameter not in working:
            return f"{reader.parameter!r}, which reads the norm of {vector!r}, is not among the parameters"
        if readings[reader.parameter, reader.axis] > 1:
            return f"{reader.parameter!r} reads two norms"
        touched.append(reader.parameter)
        if moves_bias:
            if reader.bias is None or reader.bias not in working:
                return f"{reader.parameter!r} has no bias, to which {norm.bias!r} could be added"
            if sums[reader.bias] > 1:
                return f"{reader.bias!r} is the bias of two readers"
            if not _fits(working, reader):
                return f"{reader.bias!r} is not of the shape of the outputs of {reader.parameter!r}"
            touched.append(reader.bias)
    for name in touched:
        if working.tied_to(name):
            return f"{name!r} is also {working.tied_to(name)[0]!r}, where the norm of {vector!r} is not read"
    return None


def _is_divided(working: Working, symmetry: Symmetry, norm: Norm) -> bool:
    """Whether the bias stays behind the norm: a reader has none, the group acts on it, and no gain is 0."""
    if all(reader.bias is not None and reader.bias in working for reader in norm.readers):
        return False
    acts = any(role.parameter == norm.bias and set(role.exponents) == {1} for role in symmetry.roles)
    if not acts or norm.gain is None or norm.gain not in working:
        return acts
    gains = np.abs(working[norm.gain])
    return bool(gains.min() > _SMALLEST_GAIN * gains.max())


def _fits(working: Working, reader: Reader) -> bool:
    axis = merged_axis(working.spec.axes_to_perm[reader.parameter], reader.axis)
    weight, bias = working[reader.parameter].shape, working[str(reader.bias)].shape
    return [n for i, n in enumerate(weight) if i != axis and n != 1] == [n for n in bias if n != 1]


def _by_axis(working: Working, symmetry: Symmetry) -> dict[tuple[str, int], list[Place]]:
    places: dict[tuple[str, int], list[Place]] = {}
    for place in working.places(symmetry):
        places.setdefault((place.parameter, place.axis), []).append(place)
    return places


_Places = dict[tuple[str, int], list[Place]]


def _move_bias(working: Working, symmetry: Symmetry, norm: Norm, places: _Places) -> Step:
    name = str(norm.bias)
    biases = []
    for reader in norm.readers:
        axis, vector = _along(working, reader, name, places, rest=0.0)
        passed = np.tensordot(vector, working[reader.parameter], axes=(0, axis))
        bias = str(reader.bias)
        working[bias] = working[bias] + passed.reshape(working[bias].shape)
        biases.append(bias)
    working[name] = _replaced(working, name, places, 0.0)
    text = f"the bias {name!r} is added, through the readers, to {_listed(biases)}"
    return Step("bias", symmetry.permutation, (name, *biases), text)


def _divide_bias(working: Working, symmetry: Symmetry, norm: Norm, places: _Places) -> list[Step]:
    if norm.gain is None or norm.gain not in working:
        return []
    name, at = str(norm.bias), _positions(places[str(norm.bias), 0])
    values: NDArray[Any] = working[name].copy()
    values[at] = values[at] / working[norm.gain][_positions(places[norm.gain, 0])]
    working[name] = values
    text = f"the bias {name!r} is divided by the gain {norm.gain!r}: a reader has no bias; it moves with the units"
    return [Step("bias", symmetry.permutation, (name, norm.gain), text)]


def _move_gain(working: Working, symmetry: Symmetry, norm: Norm, places: _Places) -> Step:
    name = str(norm.gain)
    readers = []
    for reader in norm.readers:
        axis, vector = _along(working, reader, name, places, rest=1.0)
        weight = working[reader.parameter]
        shape = [1] * weight.ndim
        shape[axis] = -1
        working[reader.parameter] = weight * vector.reshape(shape)
        readers.append(reader.parameter)
    working[name] = _replaced(working, name, places, 1.0)
    text = f"the gain {name!r} is multiplied into {_listed(readers)}"
    return Step("gain", symmetry.permutation, (name, *readers), text)


def _along(
    working: Working, reader: Reader, vector: str, places: _Places, *, rest: float
) -> tuple[int, NDArray[Any]]:
    """The axis of a reader, and the entries of a norm's vector along it; ``rest`` at other positions."""
    axis = merged_axis(working.spec.axes_to_perm[reader.parameter], reader.axis)
    along = np.full(working[reader.parameter].shape[axis], rest)
    units = working[vector][_positions(places[vector, 0])]
    for place in places[reader.parameter, axis]:
        along[place.positions] = units
    return axis, along


def _replaced(working: Working, vector: str, places: _Places, value: float) -> NDArray[Any]:
    values: NDArray[Any] = working[vector].copy()
    values[_positions(places[vector, 0])] = value
    return values


def _positions(places: list[Place]) -> Index:
    """(parents, copies, units) of a vector."""
    return np.concatenate([place.positions for place in places], axis=1)


def _kept(symmetry: Symmetry, parameters: list[str], text: str) -> Step:
    return Step("kept", symmetry.permutation, tuple(parameters), text)


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
