"""Cost matrices of programs that track: boxes, cells, particles, and the prices of lost and new tracks.

Each family is a function ``(rows, columns, rng) -> (rows, columns)`` cost matrix to be minimised; rows are
tracks, columns detections. What the families of one kind share stands above them.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from assignment.structured import Problem

Matrix = NDArray[np.generic]
Generator = np.random.Generator


def boxes(count: int, rng: Generator, width: float = 1920.0, height: float = 1080.0) -> NDArray[np.float64]:
    """Return (count, 4) boxes x1 y1 x2 y2 of the sizes of people in a street scene."""
    size = np.exp(rng.normal(4.0, 0.4, count))
    corner = rng.random((count, 2)) * (width, height)
    return np.concatenate([corner, corner + np.stack([0.4 * size, size], 1)], 1)


def moved(old: NDArray[np.float64], count: int, lost: float, rng: Generator) -> NDArray[np.float64]:
    """Return `count` boxes: those of `old` that are not lost, moved by a tenth of their size, and new ones."""
    kept = old[rng.random(len(old)) >= lost][:count]
    height = (kept[:, 3] - kept[:, 1])[:, None]
    shift = 0.1 * height * rng.standard_normal((len(kept), 2))
    kept = kept + np.concatenate([shift, shift], 1)
    together = np.concatenate([kept, boxes(count - len(kept), rng)])
    return together[rng.permutation(count)]


def iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    area_a = (a[:, 2:] - a[:, :2]).prod(-1)
    area_b = (b[:, 2:] - b[:, :2]).prod(-1)
    return common / (area_a[:, None] + area_b[None] - common)


def iou_lost(rows: int, columns: int, rng: Generator) -> Matrix:
    """1 - IoU, a fifth of the tracks lost; 1 is no overlap."""
    tracks = boxes(rows, rng)
    return (1 - iou(tracks, moved(tracks, columns, 0.2, rng))).astype(np.float32)


def iou_crowd(rows: int, columns: int, rng: Generator) -> Matrix:
    """1 - IoU in a crowd, where most boxes touch some others."""
    side = 60.0 * np.sqrt(max(rows, columns))
    tracks = boxes(rows, rng, side, side)
    kept = moved(tracks, columns, 0.05, rng)
    return (1 - iou(tracks, kept)).astype(np.float32)


def iou_all_lost(rows: int, columns: int, rng: Generator) -> Matrix:
    """1 - IoU after a cut of the scene: nearly nothing overlaps."""
    return (1 - iou(boxes(rows, rng), boxes(columns, rng))).astype(np.float32)


def fused_score(rows: int, columns: int, rng: Generator) -> Matrix:
    """1 - IoU times the detection's score, as in ByteTrack's first association."""
    tracks = boxes(rows, rng)
    overlap = iou(tracks, moved(tracks, columns, 0.2, rng))
    return (1 - overlap * rng.uniform(0.5, 1, columns)).astype(np.float32)


def sort_negative_iou(rows: int, columns: int, rng: Generator) -> Matrix:
    """-IoU, as SORT passes it: zero is no overlap."""
    tracks = boxes(rows, rng)
    return (-iou(tracks, moved(tracks, columns, 0.2, rng))).astype(np.float32)


def _identities(rows: int, columns: int, depth: int, rng: Generator) -> tuple[Matrix, Matrix]:
    people = rng.standard_normal((max(rows, columns), depth))
    people /= np.linalg.norm(people, axis=1, keepdims=True)
    seen = people[rng.permutation(len(people))[:columns]] + 0.3 / np.sqrt(depth) * rng.standard_normal(
        (columns, depth)
    )
    return people[:rows], seen / np.linalg.norm(seen, axis=1, keepdims=True)


def embedding_cosine(rows: int, columns: int, rng: Generator) -> Matrix:
    """Cosine distances of appearance descriptors."""
    known, seen = _identities(rows, columns, 128, rng)
    return (1 - known @ seen.T).astype(np.float32)


def deep_sort_gate(rows: int, columns: int, rng: Generator) -> Matrix:
    """Cosine distances, all beyond the limit set to just above it: nearly all entries are equal."""
    cost = np.asarray(embedding_cosine(rows, columns, rng), np.float64)
    cost[cost > 0.2] = 0.2 + 1e-5
    return cost


def mahalanobis_gated(rows: int, columns: int, rng: Generator) -> Matrix:
    """Squared Mahalanobis distances within the gate 9.4877, else 1e5."""
    side = 4.0 * np.sqrt(max(rows, columns))
    tracks = side * rng.random((rows, 2))
    seen = np.resize(tracks, (columns, 2)) + rng.standard_normal((columns, 2))
    missing = rng.random(columns) < 0.15
    seen[missing] = side * rng.random((int(missing.sum()), 2))
    distance = ((tracks[:, None] - seen[rng.permutation(columns)][None]) ** 2).sum(-1)
    return np.where(distance < 9.4877, distance, 1e5)


def appearance_gated(rows: int, columns: int, rng: Generator) -> Matrix:
    """Cosine distances inside the motion's gate, elsewhere 1e5: DeepSORT's INFTY_COST."""
    known, seen = _identities(rows, columns, 64, rng)
    gated = rng.random((rows, columns)) > 5.0 / max(rows, columns)
    return np.where(gated, 1e5, 1 - known @ seen.T)


def _links(rows: int, columns: int, rng: Generator) -> Matrix:
    """Squared distances of particles that move by about a sixth of their spacing; beyond reach is infinite."""
    side = np.sqrt(max(rows, columns))
    old = side * rng.random((rows, 2))
    new = np.resize(old, (columns, 2)) + 0.15 * rng.standard_normal((columns, 2))
    lost = rng.random(columns) < 0.1
    new[lost] = side * rng.random((int(lost.sum()), 2))
    squared = ((old[:, None] - new[rng.permutation(columns)][None]) ** 2).sum(-1)
    return np.where(squared < 1.5, squared, np.inf)


def _halves(rows: int, columns: int) -> tuple[int, int]:
    if rows != columns:
        raise ValueError(f"a linking matrix is square: {rows} x {columns} was asked for")
    return rows - rows // 2, rows // 2


def _cell_linking(rows: int, columns: int, rng: Generator, marker: float) -> Matrix:
    """[[links, no-link I], [no-link I, 0]], everything else `marker`."""
    old, new = _halves(rows, columns)
    links = np.asarray(_links(old, new, rng))
    cost = np.full((old + new, old + new), marker)
    cost[:old, :new] = np.where(np.isinf(links), marker, links)
    cost[np.arange(old), new + np.arange(old)] = 1.6
    cost[old + np.arange(new), np.arange(new)] = 1.6
    cost[old:, new:] = 0.0
    return cost


def jaqaman_linking(rows: int, columns: int, rng: Generator) -> Matrix:
    """The same with the transposed links' least cost in the lower right block; impossible is forbidden."""
    cost = np.asarray(_cell_linking(rows, columns, rng, np.inf))
    old, new = _halves(rows, columns)
    links = cost[:old, :new]
    least = links[np.isfinite(links)].min(initial=1.6)
    cost[old:, new:] = np.where(np.isfinite(links.T), least, np.inf)
    return cost


def _extended(family: Problem, half: float) -> Problem:
    """Return [[C, L / 2], [L / 2, 0]] of a family: what lap builds of `cost_limit`."""

    def problem(rows: int, columns: int, rng: Generator) -> Matrix:
        old, new = _halves(rows, columns)
        cost = np.full((rows, columns), half)
        cost[:old, :new] = family(old, new, rng)
        cost[old:, new:] = 0.0
        return cost

    return problem


def _squared_distances(rows: int, columns: int, rng: Generator) -> Matrix:
    side = np.sqrt(max(rows + columns, 1))
    a, b = side * rng.random((rows, 2)), side * rng.random((columns, 2))
    return ((a[:, None] - b[None]) ** 2).sum(-1)


def penalty_two(rows: int, columns: int, rng: Generator) -> Matrix:
    """1e6 but for two entries a row, and a tenth of the rows without any."""
    cost = np.full((rows, columns), 1e6)
    for _ in range(2):
        cost[np.arange(rows), rng.integers(0, columns, rows)] = rng.random(rows)
    cost[rng.random(rows) < 0.1] = 1e6
    return cost


def particles(rows: int, columns: int, rng: Generator) -> Matrix:
    """Squared distances of particles, each moved a little."""
    side = np.sqrt(max(rows, columns))
    old = side * rng.random((rows, 2))
    new = np.resize(old, (columns, 2)) + 0.2 * rng.standard_normal((columns, 2))
    return ((old[:, None] - new[rng.permutation(columns)][None]) ** 2).sum(-1)


def particles_gated(rows: int, columns: int, rng: Generator) -> Matrix:
    """The same, 1e9 beyond reach."""
    links = np.asarray(_links(rows, columns, rng))
    return np.where(np.isinf(links), 1e9, links)


def expensive_dummy(rows: int, columns: int, rng: Generator) -> Matrix:
    """Missing pairs at more than all others together, as motmetrics fills them."""
    links = np.asarray(_links(rows, columns, rng))
    finite = links[np.isfinite(links)]
    return np.where(np.isinf(links), 2 * min(rows, columns) * finite.max(initial=1.0) + 1, links)


TRACKING: dict[str, Problem] = {
    "IoU, lost tracks": iou_lost,
    "IoU, crowd": iou_crowd,
    "IoU, all lost": iou_all_lost,
    "-IoU": sort_negative_iou,
    "IoU x score": fused_score,
    "embeddings": embedding_cosine,
    "embeddings, limit": deep_sort_gate,
    "embeddings, gate": appearance_gated,
    "Mahalanobis gate": mahalanobis_gated,
    "cell linking 1e6": partial(_cell_linking, marker=1e6),
    "cell linking 100": partial(_cell_linking, marker=100.0),
    "cell linking inf": jaqaman_linking,
    "cost_limit IoU": _extended(iou_lost, 0.4),
    "cost_limit points": _extended(_squared_distances, 0.5),
    "1e6, two a row": penalty_two,
    "particles": particles,
    "particles, gate": particles_gated,
    "expensive dummy": expensive_dummy,
}

SQUARE_ONLY = frozenset(
    {"cell linking 1e6", "cell linking 100", "cell linking inf", "cost_limit IoU", "cost_limit points"}
)
