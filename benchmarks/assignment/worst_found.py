"""What a search for the worst matrices measures of a recipe, and its confirmation on fresh matrices."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from common.timing import Rules, compare

from assignment.recipes import Recipe
from assignment.report import counters_of, measured, ratio, work_of
from assignment.rival import Rival
from assignment.totals import surplus_of


@dataclasses.dataclass
class Found:
    """A recipe with what was measured: SciPy / ours and best rival / ours, below 1 where we lose."""

    recipe: Recipe
    scipy: float
    rival: float
    best_rival: str
    ours_ms: float
    wrong: float
    times: int = 1
    counters: dict[str, Any] = dataclasses.field(default_factory=dict)

    def by(self, aim: str) -> float:
        """Return the ratio that the population of this aim lowers."""
        return self.scipy if aim == "scipy" else self.rival

    @property
    def badness(self) -> float:
        """Return the distance from the targets: 1 against SciPy, a half against the best rival."""
        return min(self.scipy, 2 * self.rival)


def evaluate(recipe: Recipe, solvers: list[Rival], seeds: list[int], budget: float) -> Found | None:
    """Time the recipe's matrices of these seeds; None if it has no assignment or takes no solver."""
    try:
        costs = [recipe.build(seed) for seed in seeds]
        timing = compare(solvers, costs, Rules(budget, surplus_of, keep=1.5))
    except (ValueError, MemoryError, OverflowError):
        return None
    row = measured(timing)
    if row["ours_ms"] is None or row["scipy"] is None:
        return None
    return Found(
        recipe=recipe,
        scipy=row["scipy"],
        rival=row["rival"] or 99.0,
        best_rival=row["best_rival"] or "–",
        ours_ms=row["ours_ms"],
        wrong=timing.wrong.get("rebasin_fast", 0.0),
    )


def confirmed(found: Found, solvers: list[Rival], budget: float, times: int = 5) -> Found | None:
    """Return what several more timings on fresh matrices say, as medians."""
    again = [
        evaluate(found.recipe, solvers, [100 + 2 * k, 101 + 2 * k], max(budget, 0.01)) for k in range(times)
    ]
    kept = [one for one in again if one is not None]
    if len(kept) <= times // 2:
        return None
    return dataclasses.replace(
        found,
        scipy=statistics.median(one.scipy for one in kept),
        rival=statistics.median(one.rival for one in kept),
        best_rival=statistics.mode(one.best_rival for one in kept),
        ours_ms=statistics.median(one.ours_ms for one in kept),
        wrong=max(one.wrong for one in [found, *kept]),
        times=len(kept),
        counters=counters_of([found.recipe.build(100), found.recipe.build(101)]),
    )


def show(found: Found) -> str:
    wrong = f"  NOT OPTIMAL by {found.wrong:.0e}" if found.wrong else ""
    return (
        f"scipy {ratio(found.scipy):>6}  rival {ratio(found.rival):>6} ({found.best_rival})"
        f"  {found.ours_ms:.3f} ms  [{work_of(found.counters)}]  {found.recipe.text()}{wrong}"
    )
