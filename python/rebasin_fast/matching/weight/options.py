"""The options of ``weight_matching``: their types for static checkers, and their ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from rebasin_fast import _arguments
from rebasin_fast.matching.device.on_device import check_device, check_products
from rebasin_fast.matching.orders import check_order
from rebasin_fast.matching.symmetric.options import AscentOptions
from rebasin_fast.matching.symmetric.result import SymmetricMatching

if TYPE_CHECKING:
    import os

    from rebasin_fast.matching.orders import Order
    from rebasin_fast.matching.result import ProgressCallback
    from rebasin_fast.typing import Permutation, Rng

Effort: TypeAlias = Literal["low", "normal", "high"]

# Perturbations of an iterated local search after planned visits. On trained perceptrons one closes the gap between the
# queue of a first pass that underperformed and the published loop; ten reach the objective of Frank-Wolfe.
PERTURBATIONS: dict[Effort, int] = {"low": 0, "normal": 1, "high": 10}
EFFORTS = tuple(PERTURBATIONS)


class WeightOptions(TypedDict, total=False):
    """See :func:`rebasin_fast.weight_matching`, for one model B and for several."""

    symmetries: Literal["permutations"]
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


class SymmetricOptions(TypedDict, total=False):
    """Those of :func:`rebasin_fast.weight_matching` that ``symmetries="all"`` takes."""

    rng: Rng
    max_iter: int
    init: SymmetricMatching | None
    order: Order | None
    visiting: Literal["auto", "random"]
    restarts: int
    strict: bool
    threads: int | None
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

    def for_all_symmetries(self, checkpoint: object, init: object) -> AscentOptions:
        """Those that count there; ValueError that names an option of permutations alone, if one was given."""
        given = {
            "effort": None if self.effort == "normal" else self.effort,
            "memory_limit": self.memory_limit,
            "device": None if self.device == "cpu" else self.device,
            "products": None if self.products == "float32" else self.products,
            "checkpoint": checkpoint,
        }
        for name, value in given.items():
            if value is not None:
                raise ValueError(
                    f"{name} is for symmetries='permutations'; symmetries='all' takes "
                    f"{', '.join(SymmetricOptions.__annotations__)}"
                )
        if init is not None and not isinstance(init, SymmetricMatching):
            raise ValueError(
                "init of symmetries='all' is a SymmetricMatching, as activation_matching(symmetries='all') returns; "
                f"got {type(init).__qualname__}"
            )
        return AscentOptions(
            self.rng, self.max_iter, self.order, self.visiting, self.restarts, self.strict, self.threads, init
        )

    def check(self) -> None:
        """ValueError or TypeError unless every option is in its range."""
        _arguments.count("max_iter", self.max_iter, least=0, of="a number of sweeps")
        _arguments.choice("visiting", self.visiting, ("auto", "random"))
        _arguments.count("restarts", self.restarts, of="a number of runs")
        _arguments.optional_count("threads", self.threads, of="a number of threads")
        _arguments.optional_count(
            "memory_limit", self.memory_limit, of="a number of bytes, such as 2 * 10**9,"
        )
        _arguments.flag("strict", self.strict)
        if self.order is not None:
            check_order(self.order)
        check_device(self.device)
        _arguments.choice("effort", self.effort, EFFORTS)
        if self.effort != "normal" and not self.uses_planned_visits:
            raise ValueError(
                f"effort={self.effort!r} is for visiting='auto': an order that is given or drawn is not perturbed"
            )
        check_products(self.products)
