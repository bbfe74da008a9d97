"""What is done to an average before it is measured: nothing, BatchNorm reset, or REPAIR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rebasin_fast._arrays import library_of, of_one_library
from rebasin_fast.evaluation.batch_norm import reset_batch_norm, tracking_layers
from rebasin_fast.evaluation.loading import load_into
from rebasin_fast.evaluation.repair import repair
from rebasin_fast.evaluation.repair_layers import find_points
from rebasin_fast.merging.same_names import is_interpolated

if TYPE_CHECKING:
    from rebasin_fast.typing import Array, Params

RepairMethod: TypeAlias = Literal["none", "reset", "repair"]

REPAIRS: tuple[RepairMethod, ...] = ("none", "reset", "repair")


def repairs_of(model: Any, models: int, inputs: Any) -> tuple[list[RepairMethod], list[str]]:
    """The repairs that there are for ``model``, which runs on ``inputs``, and the reasons why others are missing."""
    possible: list[RepairMethod] = ["none"]
    notes = []
    if tracking_layers(model):
        possible.append("reset")
    if models != 2:
        notes.append(
            f"REPAIR is for two models, and was not tried for {models}: merge two, then the result with the third"
        )
        return possible, notes
    try:
        find_points(model, inputs, None)
        possible.append("repair")
    except ValueError as error:
        notes.append(f"REPAIR was not tried: {error}")
    return possible, notes


def repaired(
    method: RepairMethod,
    model: Any,
    params: dict[str, Array],
    ends: Sequence[Any],
    inputs: Sequence[Any],
    t: float,
) -> dict[str, Array]:
    """``params`` after the repair, which runs in ``model``; in the dtypes and on the devices of ``params``."""
    if method == "none":
        return params
    load_into(model, params)
    if method == "reset":
        reset_batch_norm(model, inputs)
    else:
        repair(model, ends[0], ends[1], inputs, t=t)
    return with_values_of(params, model.state_dict())


def with_values_of(params: Params, state: Mapping[str, Any]) -> dict[str, Array]:
    """The floating-point numbers of ``state`` in arrays such as ``params`` has; counters are those of ``params``."""

    def converted(name: str, array: Array) -> Array:
        if name not in state or not is_interpolated(array):
            return array
        return library_of(array).blend(of_one_library([array, state[name].detach()]), [0.0, 1.0])

    return {name: converted(name, array) for name, array in params.items()}


def stale_statistics(params: Params) -> str | None:
    """The note about averaged BatchNorm statistics of layers that no data measured; None without such layers."""
    layers = [name.removesuffix("running_var").rstrip(".") for name in params if name.endswith("running_var")]
    if not layers:
        return None
    shown = ", ".join(layers[:3]) + (", …" if len(layers) > 3 else "")
    return (
        f"the BatchNorm statistics of {len(layers)} layers ({shown}) are averages, which fit no data: pass model= and "
        "batches=, or run rebasin_fast.reset_batch_norm(model, batches) before the model is used"
    )
