"""What a search for the worst matrices measures of a recipe, and its confirmation on fresh matrices."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

from assignment.recipes import Recipe
from assignment.report import NOT_RIVALS, counters_of, ratio, work_of
from assignment.rivals import Rival
from assignment.timing import compare


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
        timing = compare(solvers, costs, budget, keep=1.5)
    except (ValueError, MemoryError, OverflowError):
        return None
    seconds = timing.seconds
    if "rebasin_fast" not in seconds or "scipy" not in seconds:
        return None
    ours = seconds["rebasin_fast"]
    rivals = {k: s for k, s in seconds.items() if k not in NOT_RIVALS and k not in timing.wrong}
    best = min(rivals, key=lambda name: rivals[name]) if rivals else "–"
    return Found(
        recipe=recipe,
        scipy=seconds["scipy"] / ours,
        rival=rivals[best] / ours if rivals else 99.0,
        best_rival=best,
        ours_ms=1e3 * ours,
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
