"""The options of ``weight_matching``: their types for static checkers, and their ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from rebasin_fast.matching.device.on_device import check_device, check_products

if TYPE_CHECKING:
    import os

    from rebasin_fast.matching.orders import Order
    from rebasin_fast.matching.result import ProgressCallback
    from rebasin_fast.typing import Permutation, Rng

Effort: TypeAlias = Literal["low", "normal", "high"]

# Perturbations of an iterated local search after planned visits. One makes up for what the queue of a first pass that
# underperformed falls short of the published loop on trained perceptrons; ten reach what Frank-Wolfe does.
PERTURBATIONS: dict[Effort, int] = {"low": 0, "normal": 1, "high": 10}
EFFORTS = tuple(PERTURBATIONS)


class WeightOptions(TypedDict, total=False):
    """See :func:`rebasin_fast.weight_matching`, for one model B and for several."""

    rng: Rng
    max_iter: int
    init: Permutation | None
    order: Order | None
    visiting: Literal["auto", "random"]
    effort: Effort
    restarts: int
    strict: bool
    threads: int | None
    memory_limit: int | None
    device: str | None
    products: Literal["float32", "tf32", "bfloat16"]
    checkpoint: str | os.PathLike[str] | None
    progress: ProgressCallback | bool | None


@dataclass(frozen=True)
class Options:
    """The options that all pairs of one call share."""

    rng: Rng
    max_iter: int
    init: Permutation | None
    order: Order | None
    visiting: str
    effort: Effort
    restarts: int
    strict: bool
    threads: int | None
    memory_limit: int | None
    device: str | None
    products: str

    @property
    def uses_planned_visits(self) -> bool:
        """Whether runs draw no orders and replay none."""
        return self.order is None and self.visiting == "auto"

    def decisive(self) -> dict[str, Any]:
        """Those that decide which steps are taken, beside the start."""
        names = ("rng", "max_iter", "order", "visiting", "effort", "restarts")
        narrow = {} if self.products == "float32" else {"products": self.products}
        return {name: getattr(self, name) for name in names} | narrow

    def check(self) -> None:
        """ValueError or TypeError unless every option is in its range."""
        if self.max_iter < 0:
            raise ValueError(f"max_iter is a number of sweeps, 0 or more; got {self.max_iter}")
        if self.visiting not in ("auto", "random"):
            raise ValueError(f"visiting is 'auto' or 'random'; got {self.visiting!r}")
        if self.restarts < 1:
            raise ValueError(f"restarts is a number of runs, 1 or more; got {self.restarts}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is a number of threads, 1 or more, or None; got {self.threads}")
        if self.memory_limit is not None and not isinstance(self.memory_limit, int):
            raise TypeError(
                f"memory_limit is a number of bytes, such as 2 * 10**9; got {self.memory_limit!r}"
            )
        check_device(self.device)
        if self.effort not in EFFORTS:
            raise ValueError(f"effort is one of {EFFORTS}; got {self.effort!r}")
        if self.effort != "normal" and not self.uses_planned_visits:
            raise ValueError(
                f"effort={self.effort!r} is for visiting='auto': an order that is given or drawn is not perturbed"
            )
        check_products(self.products)
