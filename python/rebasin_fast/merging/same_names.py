"""Which parameters take part in interpolation, and whether two models have the same ones."""

from __future__ import annotations

from rebasin_fast._arrays import check_arrays, check_mapping, library_of
from rebasin_fast._arrays.derived import described_by
from rebasin_fast._arrays.interface import is_floating
from rebasin_fast.errors import ParamsError
from rebasin_fast.typing import Array, Params


def is_interpolated(array: Array) -> bool:
    """Whether ``array`` takes part in interpolation: floating-point numbers do, counters and masks do not."""
    return is_floating(library_of(array).dtype_name(array))


def check_same_names(params_a: Params, params_b: Params, labels: tuple[str, str] = ("A", "B")) -> None:
    """ParamsError unless both models, so labelled, have the same floating-point parameters in the same shapes."""
    for model, params in zip(labels, (params_a, params_b), strict=True):
        check_mapping(params, f"the parameters of {model}")
        check_arrays(described_by(params), f"the parameters of {model}")
    params_a, params_b = described_by(params_a), described_by(params_b)
    one_sided = sorted(
        name
        for name in set(params_a) ^ set(params_b)
        if is_interpolated(params_a[name] if name in params_a else params_b[name])
    )
    if one_sided:
        owner = labels[0] if one_sided[0] in params_a else labels[1]
        raise ParamsError(
            f"parameter {one_sided[0]!r} is in model {owner} only ({len(one_sided)} such parameters in all)"
        )
    for name, a in params_a.items():
        if is_interpolated(a) and tuple(a.shape) != tuple(params_b[name].shape):
            raise ParamsError(
                f"parameter {name!r} has shape {tuple(a.shape)} in {labels[0]} and {tuple(params_b[name].shape)} in "
                f"{labels[1]}"
            )
