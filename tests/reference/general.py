"""Weight matching for every kind of axis entry, slow and obvious: the reference of the native descent.

Works on labels of positions (`reference.coordinates`), in float64. A permutation is matched with everything else
held, the axis it stands on excepted; a step is taken when it raises the objective.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from reference import coordinates

TOLERANCE = 1e-9


@dataclass
class GeneralMatching:
    permutation: dict
    objective: float
    history: list
    converged: bool


def objective(spec, permutation, params_a, params_b, sizes):
    """vec(A) . vec(permuted B) over the matched parameters: those that some permutation moves."""
    moved = coordinates.apply(spec, permutation, params_b, sizes)
    places = {name for places in spec.perm_to_axes.values() for name, _ in places}
    matched = [name for name in spec.axes_to_perm if name in places and name not in spec.unmatched]
    return sum(float((params_a[name].astype(np.float64) * moved[name]).sum()) for name in matched)


def similarity(spec, p, permutation, params_a, params_b, sizes):
    """(n, n): the gain of slot i of A from unit j of B, everything but ``p`` on the axis itself held."""
    total = np.zeros((sizes[p], sizes[p]))
    still = dict(permutation) | {p: np.arange(sizes[p])}
    for name in spec.axes_to_perm:
        if name in spec.unmatched:
            continue
        entries, shape = coordinates.merged(spec.axes_to_perm[name], params_a[name].shape)
        for axis, entry in enumerate(entries):
            copies = coordinates.copies_of(entry, shape[axis], sizes, p)
            if not copies:
                continue
            a = params_a[name].astype(np.float64).reshape(shape)
            b = params_b[name].astype(np.float64).reshape(shape)
            for other, other_entry in enumerate(entries):
                units = still if other == axis else permutation
                index = coordinates.source_index(other_entry, shape[other], sizes, units, spec.parents)
                b = np.take(b, index, other)
            for positions in copies:
                rows = [
                    np.moveaxis(np.take(w, positions, axis), axis, 0).reshape(sizes[p], -1) for w in (a, b)
                ]
                total += rows[0] @ rows[1].T
    return total


def weight_matching(spec, params_a, params_b, *, order, init=None):
    """Visit the permutations of each sweep in ``order`` until a sweep takes no step."""
    sizes = spec.sizes(params_a)
    permutation = {p: np.arange(sizes[p]) for p in spec.permutations} | dict(init or {})
    value = objective(spec, permutation, params_a, params_b, sizes)
    result = GeneralMatching(permutation, value, [], False)
    for sweep in order:
        steps = 0
        for p in sweep:
            table = similarity(spec, p, result.permutation, params_a, params_b, sizes)
            _, columns = linear_sum_assignment(table, maximize=True)
            proposal = result.permutation | {p: columns}
            reached = objective(spec, proposal, params_a, params_b, sizes)
            if reached - result.objective > TOLERANCE * abs(result.objective):
                result.permutation, result.objective = proposal, reached
                steps += 1
        result.history.append(result.objective)
        if not steps:
            result.converged = True
            break
    return result
