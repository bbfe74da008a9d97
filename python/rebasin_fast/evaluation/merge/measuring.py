"""Candidates made and measured, each once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rebasin_fast.errors import DataError
from rebasin_fast.evaluation.evaluator import Evaluator
from rebasin_fast.evaluation.merge.checkpoint import MergeCheckpoint
from rebasin_fast.evaluation.merge.matchings import AnyMatching, Matcher, aligned_models, blend
from rebasin_fast.evaluation.merge.repairs import repaired
from rebasin_fast.evaluation.merge.result import Candidate
from rebasin_fast.evaluation.metrics import is_high

if TYPE_CHECKING:
    from rebasin_fast.evaluation.merge.data import MergeData
    from rebasin_fast.evaluation.merge.models import Networks
    from rebasin_fast.typing import Array


class Measuring:
    """Makes candidates of the matchings of a matcher, and measures them on the samples for that."""

    def __init__(
        self,
        networks: Networks,
        matcher: Matcher,
        data: MergeData,
        loss: Callable[[Any, Any], Any] | None,
        metric: str | None,
        checkpoint: Any,
        options: dict[str, Any],
    ) -> None:
        self.notes: list[str] = []
        self.metric = metric
        self._networks, self._matcher, self._data = networks, matcher, data
        self._rng = options["rng"]
        calibrated = loss is None and bool(data.calibration) and _are_classes(data)
        self._evaluator = Evaluator(
            networks.copy(),
            data.measured,
            loss=loss,
            calibration_batches=data.calibration if calibrated else None,
        )
        self._measure: Any = self._evaluator.calibrated if calibrated else self._evaluator
        account = {**options, "loss": repr(loss) if loss is None else getattr(loss, "__qualname__", "loss")}
        self._state = MergeCheckpoint(checkpoint, matcher.spec, matcher.models, data, account)
        for found in self._state.candidates:
            self._check_metric(found)

    def end(self, number: int) -> None:
        """Measure one of the models."""
        name = f"model {number}"
        if self._state.found(name, "none", None) is None:
            self._keep(Candidate(name, "none", None, dict(self._measure(self._matcher.models[number]))))

    def candidate(self, method: Any, repair: Any, shares: Sequence[float], t: float | None) -> None:
        """Make a candidate and measure it."""
        if self._state.found(method, repair, t) is None:
            values = dict(self._measure(self.params(method, repair, shares, t)))
            self._keep(Candidate(method, repair, t, values))

    def params(self, method: Any, repair: Any, shares: Sequence[float], t: float | None) -> dict[str, Array]:
        """The parameters of a candidate; the same at every call."""
        aligned = aligned_models(self._matcher.spec, self.matching(method), self._matcher.models)
        ends = [self._networks.holding(dict(one)) for one in aligned] if repair == "repair" else []
        blended = blend(aligned, shares)
        place = 0.5 if t is None else t
        return repaired(repair, self._networks.copy(), blended, ends, self._data.inputs, place)

    def matching(self, method: Any) -> AnyMatching:
        """The matching by a method, found once."""
        if method not in self._state.matchings:
            self._state.matchings[method] = self._matcher(method, self._rng)
            self._state.write()
        return self._state.matchings[method]

    def ordered(self) -> list[Candidate]:
        """The candidates, best first."""
        return sorted((one for one in self._state.candidates if not one.is_end), key=self._rank)

    def ends(self) -> list[Candidate]:
        """The models themselves, in the order in which they were given."""
        ends = (one for one in self._state.candidates if one.is_end)
        return sorted(ends, key=lambda one: int(one.matching.removeprefix("model ")))

    def _keep(self, found: Candidate) -> None:
        self._check_metric(found)
        self._state.candidates.append(found)
        self._state.write()

    def _check_metric(self, found: Candidate) -> None:
        if self.metric is None:
            self.metric = "accuracy" if "accuracy" in found.values else "loss"
        if self.metric not in found.values:
            raise DataError(
                f"metric={self.metric!r} was not measured; there are {', '.join(sorted(found.values))}. Accuracy needs "
                "targets that are class numbers"
            )

    def _rank(self, one: Candidate) -> tuple[float, float]:
        assert self.metric is not None
        value = -one.values[self.metric] if is_high(self.metric) else one.values[self.metric]
        tie = one.values.get("calibrated_loss", one.values["loss"])
        return (math.inf if math.isnan(value) else value), (math.inf if math.isnan(tie) else tie)


def _are_classes(data: MergeData) -> bool:
    """Whether targets are integers, for which logits have a temperature."""
    targets = data.measured[0][1]
    return hasattr(targets, "is_floating_point") and not targets.is_floating_point()
