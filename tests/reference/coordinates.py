"""The meaning of an axis entry, position by position, in plain Python: the reference of `rebasin_fast.specs.layout`.

A position of an axis has a label, one coordinate a level of nesting: (permutation, place, unit). Fixed positions
have a coordinate that names no permutation. Applying a permutation looks up, for the label of each slot, the
position whose label has the units that the permutation puts there.
"""

import itertools

import numpy as np

from rebasin_fast.axis import Concat, Fixed, Joined, Product, Slice


def labels(entry, length, sizes, place=()):
    """The labels of an axis of ``length`` positions, first to last."""
    if entry is None:
        return [((None, place, unit),) for unit in range(length)]
    return _labels(entry, sizes, place)


def _labels(entry, sizes, place):
    if isinstance(entry, str):
        return [((entry, place, unit),) for unit in range(sizes[entry])]
    if isinstance(entry, Fixed):
        return [((None, place, unit),) for unit in range(entry.length)]
    if isinstance(entry, Slice):
        return [((entry.permutation, place, unit),) for unit in range(entry.start, entry.stop)]
    if isinstance(entry, Product):
        outer = _labels(entry.outer, sizes, (*place, "outer"))
        inner = _labels(entry.inner, sizes, (*place, "inner"))
        return [first + second for first, second in itertools.product(outer, inner)]
    assert isinstance(entry, Concat)
    joined = []
    for number, piece in enumerate(entry.pieces):
        shared = ("slices", piece.permutation) if isinstance(piece, Slice) else (number,)
        joined += _labels(piece, sizes, (*place, *shared))
    return joined


def merged(entries, shape):
    """The entries and the shape with each joined axis made one with the axis that it nests in."""
    axes = []
    for entry, length in zip(entries, shape, strict=True):
        if isinstance(entry, Joined):
            outer, outer_length = axes.pop()
            axes.append((Product(outer, entry.inner), outer_length * length))
        else:
            axes.append((entry, length))
    return [entry for entry, _ in axes], [length for _, length in axes]


def parents(spec, sizes):
    """Permutation -> the set of permutations that stand outside it wherever it stands."""
    outside = {}
    for entries in spec.axes_to_perm.values():
        for entry in merged(entries, [1] * len(entries))[0]:
            for label in labels(entry, 1, sizes):
                names = [name for name, _, _ in label]
                for depth, name in enumerate(names):
                    if name is not None:
                        before = {n for n in names[:depth] if n is not None}
                        outside[name] = outside.get(name, before) & before
    return outside


def source_index(entry, length, sizes, permutation, parent_names):
    """``index`` such that ``take(w, index, axis)`` is the permuted axis."""
    axis_labels = labels(entry, length, sizes)
    position = {label: number for number, label in enumerate(axis_labels)}
    assert len(position) == length, "two positions share a label"
    index = []
    for label in axis_labels:
        slot = {name: unit for name, _, unit in label}
        source = []
        for name, place, unit in label:
            if name is not None:
                outer_slots = tuple(slot[outer] for outer in parent_names[name])
                unit = int(np.asarray(permutation[name])[(*outer_slots, unit)])
            source.append((name, place, unit))
        index.append(position[tuple(source)])
    return np.array(index, dtype=np.int64)


def apply(spec, permutation, params, sizes):
    """B with its units reordered, by the labels."""
    moved = {}
    for name, array in params.items():
        entries, shape = merged(spec.axes_to_perm[name], array.shape)
        flat = array.reshape(shape)
        for axis, entry in enumerate(entries):
            flat = np.take(flat, source_index(entry, shape[axis], sizes, permutation, spec.parents), axis)
        moved[name] = flat.reshape(array.shape)
    return moved


def copies_of(entry, length, sizes, permutation):
    """The positions of ``permutation`` on an axis: one list of n positions for each copy of it."""
    copies = {}
    for number, label in enumerate(labels(entry, length, sizes)):
        for depth, (name, place, unit) in enumerate(label):
            if name == permutation:
                copy = (label[:depth], place, label[depth + 1 :])
                copies.setdefault(copy, {})[unit] = number
    return [[units[i] for i in range(sizes[permutation])] for units in copies.values()]
