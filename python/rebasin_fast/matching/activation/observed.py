"""Similarities of the units of two models on data, from which matchings of several kinds are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._models.inference import check_model
from rebasin_fast._terminal.progress import listener
from rebasin_fast.matching.activation.coverage import check_samples, without_change, without_tap
from rebasin_fast.matching.activation.measuring import moments_of_models
from rebasin_fast.matching.activation.similarities import (
    Similarities,
    Similarity,
    best_permutations,
    bounds_of,
    similarities_of,
    sum_of_matched,
)
from rebasin_fast.matching.activation.taps import TapNames, taps_of
from rebasin_fast.matching.activation.with_weights import by_both
from rebasin_fast.matching.pair import CheckedPair, check_pair
from rebasin_fast.matching.result import Matching, MatchingStats
from rebasin_fast.permutation import identity_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec


@dataclass(frozen=True)
class Observed:
    """The similarities of units of A and B, the largest sums that they allow, and the work that they took."""

    pair: CheckedPair
    similarities: Similarities
    bounds: dict[tuple[str, ...], float]
    report: dict[str, str]
    stats: MatchingStats

    def matching(self, activation_weight: float = 1.0) -> Matching:
        """The matching by activations alone, or below 1 by the weights too."""
        if activation_weight < 1.0:
            return by_both(
                self.pair, self.similarities, self.bounds, activation_weight, self.report, self.stats
            )
        spec, started = self.pair.spec, perf_counter()
        identity = identity_permutation(spec, self.pair.sizes)
        found, assignments = best_permutations(spec, self.similarities, self.pair.sizes)
        permutation = {**identity, **found}
        objective, first = (sum_of_matched(self.similarities, spec, p) for p in (permutation, identity))
        stats = MatchingStats(
            visits=len(identity),
            assignments=assignments,
            accepted_steps=sum(not np.array_equal(permutation[name], identity[name]) for name in identity),
            product_flop=self.stats.product_flop,
            product_seconds=self.stats.product_seconds,
            assignment_seconds=perf_counter() - started,
            model_seconds=self.stats.model_seconds,
        )
        return Matching(permutation, objective, first, [objective], 1, True, stats, self.report)


def observe(
    spec: PermutationSpec,
    model_a: Any,
    model_b: Any,
    batches: Iterable[Any],
    *,
    similarity: Similarity = "correlation",
    taps: TapNames | None = None,
    strict: bool = True,
    progress: Callable[[int, int | None], object] | bool | None = None,
) -> Observed:
    """Run both models on ``batches``; see :func:`rebasin_fast.activation_matching`."""
    check_model(model_a, "model_a")
    check_model(model_b, "model_b")
    pair = check_pair(spec, model_a.state_dict(), model_b.state_dict(), strict=strict)
    candidates = taps_of(spec, model_a, pair.sizes, taps)
    started = perf_counter()
    with listener(progress, "batches") as notify:
        moments, product_seconds = moments_of_models(model_a, model_b, candidates, batches, notify)
    check_samples(moments, similarity)
    report = pair.left_in_place | without_tap(spec, moments, pair.sizes, strict=strict)
    similarities = similarities_of(moments, similarity)
    if similarity == "correlation":
        report |= without_change(spec, moments, strict=strict)
    stats = MatchingStats(
        product_flop=sum(one.product_flop for each in moments.values() for one in each),
        product_seconds=product_seconds,
        model_seconds=perf_counter() - started - product_seconds,
    )
    return Observed(pair, similarities, bounds_of(moments, similarity), report, stats)
