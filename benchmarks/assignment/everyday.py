"""Cost matrices of other ordinary jobs: clusterings, words, detections of a network, spikes, shifts.

Each family is a function ``(rows, columns, rng) -> (rows, columns)`` cost matrix to be minimised.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assignment.structured import Problem, negated

Matrix = NDArray[np.generic]
Generator = np.random.Generator


def contingency(rows: int, columns: int, rng: Generator) -> Matrix:
    """Minus the counts of a clustering against labels: clustering accuracy."""
    samples = 20 * max(rows, columns)
    labels = rng.integers(0, rows, samples)
    found = np.where(rng.random(samples) < 0.7, labels % columns, rng.integers(0, columns, samples))
    counts = np.zeros((rows, columns), np.int64)
    np.add.at(counts, (labels, found), 1)
    return -counts[:, rng.permutation(columns)]


def contingency_poor(rows: int, columns: int, rng: Generator) -> Matrix:
    """The largest count minus the counts of an unrelated clustering."""
    samples = 5 * max(rows, columns)
    counts = np.zeros((rows, columns), np.int64)
    np.add.at(counts, (rng.integers(0, rows, samples), rng.integers(0, columns, samples)), 1)
    return counts.max() - counts


def confusion_normalised(rows: int, columns: int, rng: Generator) -> Matrix:
    """Minus the share of a class's samples that lie in a cluster."""
    counts = -np.asarray(contingency(rows, columns, rng), np.float64)
    return -counts / np.maximum(counts.sum(1, keepdims=True), 1)


def spike_agreement(rows: int, columns: int, rng: Generator) -> Matrix:
    """1 - agreement of two spike sorters' units: each unit meets few others."""
    cost = np.ones((rows, columns))
    pairs = min(rows, columns)
    units, others = rng.permutation(rows)[:pairs], rng.permutation(columns)[:pairs]
    good = rng.random(pairs) < 0.7
    cost[units[good], others[good]] = 1 - rng.beta(8, 2, int(good.sum()))
    for _ in range(2):
        weak = rng.integers(0, columns, rows)
        cost[np.arange(rows), weak] = np.minimum(cost[np.arange(rows), weak], 1 - 0.1 * rng.random(rows))
    return cost


def word_alignment(rows: int, columns: int, rng: Generator) -> Matrix:
    """-log of alignment probabilities of which most are at the floor."""
    probability = np.where(rng.random((rows, columns)) < 0.1, rng.random((rows, columns)) ** 3, 0)
    return -np.log(probability + 1e-12)


def detections(rows: int, columns: int, rng: Generator) -> Matrix:
    """Costs of queries against targets in the training of a detector: class, box distance, overlap."""
    queries, targets = rng.random((rows, 4)), rng.random((columns, 4))
    distance = np.abs(queries[:, None] - targets[None]).sum(-1)
    classes = rng.dirichlet(np.full(91, 0.1), rows)[:, rng.integers(0, 91, columns)]
    overlap = np.exp(-3 * distance) * 2 - 1
    return (5 * distance - classes - 2 * overlap).astype(np.float32)


def detections_confident(rows: int, columns: int, rng: Generator) -> Matrix:
    """The same late in the training: one query lies on each target, others near it."""
    targets = rng.random((columns, 4))
    queries = np.resize(targets, (rows, 4)) + 0.02 * rng.standard_normal((rows, 4))
    distance = np.abs(queries[rng.permutation(rows)][:, None] - targets[None]).sum(-1)
    return (5 * distance - 2 * np.exp(-3 * distance)).astype(np.float32)


def shifts(rows: int, columns: int, rng: Generator) -> Matrix:
    """Wishes of people for shifts: whole numbers, most 10, few small, some at 1000."""
    cost = np.full((rows, columns), 10)
    cost[rng.random((rows, columns)) < 0.15] = 3
    cost[rng.random((rows, columns)) < 0.05] = 1
    cost[rng.random((rows, columns)) < 0.1] = 1000
    return cost


def processing_times(rows: int, columns: int, rng: Generator) -> Matrix:
    """Jobs on machines, each machine with places 1, 2, ...: time times place."""
    machines = max(1, columns // 10)
    time = rng.integers(1, 100, (rows, machines))
    place = np.arange(columns) // machines + 1
    return time[:, np.arange(columns) % machines] * place


def taxis(rows: int, columns: int, rng: Generator) -> Matrix:
    """Driving minutes on a road grid, clustered in the city."""
    a = rng.normal(0, 1, (rows, 2)) * rng.choice([1.0, 5.0], (rows, 1))
    b = rng.normal(0, 1, (columns, 2)) * rng.choice([1.0, 5.0], (columns, 1))
    return np.round(4 * np.abs(a[:, None] - b[None]).sum(-1), 1)


def hamming(rows: int, columns: int, rng: Generator) -> Matrix:
    """Distances of bit strings."""
    a, b = rng.integers(0, 2, (rows, 64)), rng.integers(0, 2, (columns, 64))
    return (a @ (1 - b).T + (1 - a) @ b.T).astype(np.int64)


def edit_distances(rows: int, columns: int, rng: Generator) -> Matrix:
    """Small whole distances, one true partner each."""
    cost = rng.binomial(20, 0.75, (rows, columns))
    pairs = min(rows, columns)
    cost[rng.permutation(rows)[:pairs], rng.permutation(columns)[:pairs]] = rng.binomial(5, 0.3, pairs)
    return cost.astype(np.int64)


def point_clouds(rows: int, columns: int, rng: Generator) -> Matrix:
    """Distances of two samples of a surface: the earth mover's distance of clouds."""
    a, b = rng.standard_normal((rows, 3)), rng.standard_normal((columns, 3))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1)).astype(np.float32)


def samples_far(rows: int, columns: int, rng: Generator) -> Matrix:
    """Squared distances of samples of two distributions far apart."""
    a, b = rng.standard_normal((rows, 8)), 5 + rng.standard_normal((columns, 8))
    return ((a[:, None] - b[None]) ** 2).sum(-1)


def degrees(rows: int, columns: int, rng: Generator) -> Matrix:
    """Differences of the degrees of two graphs' nodes: graph edit distance."""
    a, b = rng.zipf(2.0, rows), rng.zipf(2.0, columns)
    return np.abs(np.minimum(a, 200)[:, None] - np.minimum(b, 200)[None]).astype(np.float64)


def edit_extension(rows: int, columns: int, rng: Generator) -> Matrix:
    """[[substitution, deletion], [insertion, 0]] of the nodes of two graphs, impossible pairs at 1e9."""
    if rows != columns:
        raise ValueError(f"an extended matrix is square: {rows} x {columns} was asked for")
    old, new = rows - rows // 2, rows // 2
    cost = np.full((rows, columns), 1e9)
    cost[:old, :new] = rng.integers(0, 4, (old, new))
    cost[np.arange(old), new + np.arange(old)] = 2
    cost[old + np.arange(new), np.arange(new)] = 2
    cost[old:, new:] = 0
    return cost


def histograms(rows: int, columns: int, rng: Generator) -> Matrix:
    """Chi-squared distances of shape contexts."""
    a, b = rng.dirichlet(np.full(60, 0.3), rows), rng.dirichlet(np.full(60, 0.3), columns)
    cost = np.zeros((rows, columns))
    for k in range(60):
        p, q = a[:, k, None], b[None, :, k]
        cost += 0.5 * (p - q) ** 2 / (p + q + 1e-12)
    return cost


def permutations_learned(rows: int, columns: int, rng: Generator) -> Matrix:
    """-log of a nearly doubly stochastic matrix: rounding a soft permutation."""
    logits = 5 * rng.random((rows, columns))
    logits[np.arange(min(rows, columns)), rng.permutation(columns)[: min(rows, columns)]] += 3
    return -(logits - np.log(np.exp(logits).sum(1, keepdims=True)))


def mostly_zero(rows: int, columns: int, rng: Generator) -> Matrix:
    """A sparse matrix made dense: one entry in twenty is not zero."""
    return np.where(rng.random((rows, columns)) < 0.05, rng.random((rows, columns)), 0.0)


def cloud_to_grid(rows: int, columns: int, rng: Generator) -> Matrix:
    """Squared distances of a projected cloud to the cells of a grid, as whole numbers up to 1e5."""
    clusters = rng.random((6, 2))
    cloud = clusters[rng.integers(0, 6, rows)] + 0.07 * rng.standard_normal((rows, 2))
    side = int(np.ceil(np.sqrt(columns)))
    cells = np.stack(np.divmod(np.arange(columns), side), 1) / max(1, side - 1)
    squared = ((cloud[:, None] - cells[None]) ** 2).sum(-1)
    return (squared * (1e5 / squared.max(initial=1e-9))).astype(np.int64)


EVERYDAY: dict[str, Problem] = {
    "contingency": contingency,
    "contingency, poor": contingency_poor,
    "confusion": confusion_normalised,
    "spike agreement": spike_agreement,
    "word alignment": word_alignment,
    "detections": detections,
    "detections, late": detections_confident,
    "shifts": shifts,
    "processing times": processing_times,
    "taxis": taxis,
    "Hamming": hamming,
    "edit distances": edit_distances,
    "point clouds": point_clouds,
    "samples far apart": samples_far,
    "degrees": degrees,
    "edit extension": edit_extension,
    "histograms": histograms,
    "soft permutation": permutations_learned,
    "mostly zero": mostly_zero,
    "sparse gain": negated(mostly_zero),  # overlaps of speakers, of segments, of names
    "cloud to grid": cloud_to_grid,
}

SQUARE_ONLY = frozenset({"edit extension"})
