"""The keywords of ``weight_matching``, for static checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    import os

    from rebasin_fast.matching.orders import Order
    from rebasin_fast.matching.result import ProgressCallback
    from rebasin_fast.matching.weight.descent import Effort
    from rebasin_fast.typing import Permutation, Rng


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
