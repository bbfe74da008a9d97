"""Weight matching on a GPU: names, orders and results around the resident engine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays.operations import PRODUCTS
from rebasin_fast.errors import SpecError
from rebasin_fast.matching.device.weights import choose_operations, lies_on_device, match_resident
from rebasin_fast.matching.pair import CheckedPair
from rebasin_fast.matching.result import Matching, Progress, ProgressCallback

if TYPE_CHECKING:
    from rebasin_fast.matching.device.descent import Listener
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params

_CUDA_DEVICE = re.compile(r"cuda(:\d+)?")


def check_device(device: str | None) -> None:
    """ValueError for what names neither the CPU nor a CUDA device."""
    if device not in (None, "cpu") and not _CUDA_DEVICE.fullmatch(str(device)):
        raise ValueError(f"device is None, 'cpu', 'cuda' or 'cuda:0', 'cuda:1', …; got {device!r}")


def check_products(products: str) -> None:
    """ValueError for what is no way of multiplying."""
    if products not in PRODUCTS:
        raise ValueError(f"products is one of {PRODUCTS}; got {products!r}")


def device_for(device: str | None, params: Params) -> str | None:
    """The CUDA device that a matching runs on, where it is asked for or the parameters lie; None for the CPU."""
    if device is None:
        return "cuda" if lies_on_device(params) else None
    return None if device == "cpu" else device


def match_on_device(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    pair: CheckedPair,
    start: dict[str, NDArray[np.int64]],
    *,
    order: Sequence[Any] | None,
    max_iter: int,
    restarts: int,
    generator: np.random.Generator,
    device: str,
    products: str,
    memory_limit: int | None,
    threads: int | None,
    tolerance: float,
    progress: ProgressCallback | None,
) -> Matching:
    """The best of ``restarts`` descents by ``order``, or by random orders; arguments as of ``weight_matching``.

    ``threads`` solve assignments on the host. There is no plan on a device: the results say "random" or "order".
    """
    names = tuple(name for name in spec.permutations if name in pair.sizes)
    most = max_iter if order is None or _is_one_sweep(order) else min(max_iter, len(order))
    chosen = () if threads is None else (threads,)
    ops, assigner = choose_operations(params_a, device, products, *chosen)
    found = match_resident(
        spec, params_a, params_b, pair.sizes, start,
        [_sweeps(order, names, max_iter, generator) for _ in range(restarts)],
        ops=ops, assigner=assigner, tolerance=tolerance, memory_limit=memory_limit,
        listeners=[_listener(progress, most, run, restarts) for run in range(1, restarts + 1)],
    )  # fmt: skip
    runs = [
        Matching(
            permutation=start | one.permutations,
            objective=one.objective,
            first_objective=one.first_objective,
            history=one.history,
            sweeps=len(one.history),
            converged=one.converged,
            stats=one.stats,
            report=pair.left_in_place,
            visiting="random" if order is None else "order",
        )
        for one in found
    ]
    best = max(runs, key=lambda run: run.objective)
    if len(runs) == 1:
        return best
    fields = {name: getattr(best, name) for name in best.__dataclass_fields__}
    return Matching(**{**fields, "restarts": tuple(runs)})


def _is_one_sweep(order: Sequence[Any]) -> bool:
    return len(order) > 0 and all(isinstance(name, str) for name in order)


def _sweeps(
    order: Sequence[Any] | None, names: tuple[str, ...], max_iter: int, rng: np.random.Generator
) -> Iterator[list[str]]:
    """The visits of each sweep: replayed, or drawn as they are needed."""
    if order is None:
        return ([names[i] for i in rng.permutation(len(names)).tolist()] for _ in range(max_iter))
    sweeps = [list(order)] * max_iter if _is_one_sweep(order) else [list(sweep) for sweep in order[:max_iter]]
    for name in {name for sweep in sweeps for name in sweep}:
        if name not in names:
            raise SpecError(f"order names permutation {name!r}, which the spec lacks; it has {names}")
    return iter(sweeps)


def _listener(progress: ProgressCallback | None, most: int, run: int, restarts: int) -> Listener | None:
    if progress is None:
        return None

    def on_visit(sweep: int, visit: int, visits: int, name: str, objective: float) -> None:
        progress(Progress(sweep + 1, most, visit, visits, name, objective, run, restarts))

    return on_visit
