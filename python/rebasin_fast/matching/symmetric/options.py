"""The options of weight matching that count for all groups of a spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rebasin_fast.matching.orders import most_sweeps
from rebasin_fast.matching.runs import is_default_seed

if TYPE_CHECKING:
    from rebasin_fast.matching.orders import Order
    from rebasin_fast.matching.symmetric.result import SymmetricMatching
    from rebasin_fast.typing import Rng


@dataclass(frozen=True)
class AscentOptions:
    """See :func:`rebasin_fast.weight_matching`; checked."""

    rng: Rng
    max_iter: int
    order: Order | None
    visiting: str
    restarts: int
    strict: bool
    threads: int | None
    init: SymmetricMatching | None = None

    @property
    def most_sweeps(self) -> int:
        """The number of sweeps at most."""
        return most_sweeps(self.order, self.max_iter)

    @property
    def begins_with_a_pass(self) -> bool:
        """Whether a first pass matches on anchored arrays."""
        planned = self.order is None and self.visiting == "auto" and self.max_iter > 0
        return planned and self.init is None

    def keeps_its_order(self, run: int) -> bool:
        """Whether the sweeps of a run go in the order of the first pass; other runs draw their orders."""
        planned = self.order is None and self.visiting == "auto"
        return planned and run == 1 and is_default_seed(self.rng)
