"""The rules of merging entry by entry, in plain Python: each list is one array, in float64."""

from math import acos, cos, sin, sqrt


def linear(models, weights, normalize=True):
    divisor = sum(weights) if normalize else 1.0
    return [
        sum(w * x for w, x in zip(weights, row, strict=True)) / divisor for row in zip(*models, strict=True)
    ]


def task_arithmetic(base, models, weights, normalize=False, factor=1.0):
    divisor = sum(weights) if normalize else 1.0
    return [
        b + factor * sum(w * (x - b) for w, x in zip(weights, row, strict=True)) / divisor
        for b, row in zip(base, zip(*models, strict=True), strict=True)
    ]


def trimmed(delta, density):
    """The largest entries, the first of equal ones."""
    kept = max(1, int(density * len(delta))) if density > 0 else 0
    order = sorted(range(len(delta)), key=lambda place: -abs(delta[place]))[:kept]
    return [x if place in order else 0.0 for place, x in enumerate(delta)]


def ties(base, models, weights, densities, normalize=True):
    deltas = [
        [w * x for x in trimmed([m - b for m, b in zip(model, base, strict=True)], density)]
        for model, w, density in zip(models, weights, densities, strict=True)
    ]
    merged = []
    for b, row in zip(base, zip(*deltas, strict=True), strict=True):
        positive = sum(row) >= 0
        kept = [(x, w) for x, w in zip(row, weights, strict=True) if x != 0 and (x > 0) == positive]
        divisor = (sum(w for _, w in kept) or 1.0) if normalize else 1.0
        merged.append(b + sum(x for x, _ in kept) / divisor)
    return merged


def slerp(a, b, t):
    norm_a, norm_b = norm(a), norm(b)
    angle = acos(dot(a, b) / norm_a / norm_b)
    if abs(cos(angle)) > 0.9995:
        return [(1 - t) * x + t * y for x, y in zip(a, b, strict=True)]
    return [(sin((1 - t) * angle) * x + sin(t * angle) * y) / sin(angle) for x, y in zip(a, b, strict=True)]


def squared_arcs(point, models, weights):
    """What the direction of a Karcher mean makes least."""
    arcs = [acos(min(1.0, dot(point, model) / norm(point) / norm(model))) for model in models]
    return sum(w * arc**2 for w, arc in zip(weights, arcs, strict=True))


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def norm(a):
    return sqrt(dot(a, a))
