"""Every way to get one axis entry of a spec wrong that is worth a test."""

from rebasin_fast.axis import Concat, Fixed, Product, Slice
from rebasin_fast.specs.spec import PermutationSpec

FRESH = "a permutation of its own"


def mutations(spec, params):
    """Yield (what was changed, the mutated spec) for every alternative to each entry of each axis."""
    for name, axis, entry, others in _places(spec, params):
        for other in others:
            yield _mutant(spec, name, axis, entry, other)


def some_mutations(spec, params):
    """One alternative to each entry that is not None, of a kind that changes from entry to entry."""
    places = [place for place in _places(spec, params) if place[2] is not None]
    for number, (name, axis, entry, others) in enumerate(places):
        yield _mutant(spec, name, axis, entry, others[number % len(others)])


def _places(spec, params):
    sizes = spec.sizes(params)
    for name, entries in spec.axes_to_perm.items():
        for axis, entry in enumerate(entries):
            yield name, axis, entry, _alternatives(entry, params[name].shape[axis], sizes)


def _mutant(spec, name, axis, entry, other):
    axes = spec.axes_to_perm
    axes[name] = (*axes[name][:axis], other, *axes[name][axis + 1 :])
    return f"{name} axis {axis}: {entry} -> {other}", PermutationSpec(axes, spec.unmatched)


def _alternatives(entry, length, sizes):
    if entry is None:
        return [FRESH] if length > 1 else []
    found = [None, FRESH]
    if isinstance(entry, str):
        found += [name for name, size in sizes.items() if size == length and name != entry][:2]
    if isinstance(entry, Product):
        found += [
            Product(entry.inner, entry.outer),
            *(
                Product(other, entry.inner)
                for other in _alternatives(entry.outer, sizes[entry.outer], sizes)[1:]
            ),
            *([Concat(Fixed(1), Fixed(length - 1))]),
        ]
    if isinstance(entry, Concat):
        found += _altered_pieces(entry, sizes)
    return found


def _altered_pieces(entry, sizes):
    first, middle, last = entry.pieces
    name, cut, size = first.permutation, first.stop, last.stop
    shifted = [Concat(Slice(name, 0, c), middle, Slice(name, c, size)) for c in (cut - 1, cut + 1)]
    still = [Concat(Fixed(cut), middle, last), Concat(first, middle, Fixed(size - cut))]
    inner = [
        Concat(first, other if other is not None else Fixed(sizes[middle]), last)
        for other in (
            _alternatives(middle, sizes[middle], sizes)
            if isinstance(middle, str)
            else _altered_pieces(middle, sizes)
        )
    ]
    return [*shifted, Concat(last, middle, first), *still, *inner]
