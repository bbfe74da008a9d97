"""Metrics measured at many points, and which of them should be high."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.typing import Array

# Metrics whose barrier is that of their negative.
_HIGHER_IS_BETTER = (
    "accuracy", "acc", "acc1", "acc5", "top1", "top5", "f1", "auc", "auroc", "precision", "recall", "iou", "miou",
    "map", "bleu", "r2",
)  # fmt: skip


def is_high(metric: str) -> bool:
    """Whether the last word of the metric's name, between ``/`` and ``_``, is one that is better when higher."""
    return metric.lower().split("/")[-1].split("_")[-1] in _HIGHER_IS_BETTER


def metrics_at(
    evaluate: Callable[[Any], float | Mapping[str, float]],
    points: Iterable[tuple[str, dict[str, Array]]],
    total: int,
    notify: Callable[[int, int], object] | None,
) -> dict[str, NDArray[np.float64]]:
    """Metric -> values at the points, which come as (place for messages, parameters); a plain number is ``loss``.

    Raises
    ------
    ValueError
        The metrics change from point to point.
    """
    rows: list[dict[str, float]] = []
    for place, params in points:
        found = evaluate(params)
        row = dict(found) if isinstance(found, Mapping) else {"loss": found}
        if rows and row.keys() != rows[0].keys():
            raise ValueError(f"evaluate gave {list(row)} at {place} and {list(rows[0])} before")
        rows.append({name: float(value) for name, value in row.items()})
        if notify is not None:
            notify(len(rows), total)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
