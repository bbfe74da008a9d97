"""Averages of models that do not all have every parameter."""

from __future__ import annotations

from collections.abc import Sequence

from rebasin_fast._arrays.derived import DerivedParams, described_by
from rebasin_fast.merging.averaging import averaged_params
from rebasin_fast.typing import Array, Params


def averaged_where_shared(
    models: Sequence[Params], weights: Sequence[float] | None = None, *, allow_nonfinite: bool = False
) -> DerivedParams:
    """The first model, its parameters averaged where every model has them.

    Each array is averaged on access. Parameters that some other model lacks are the first model's
    own; those that the first lacks are left out. See :func:`rebasin_fast.merging.averaging.average` for the rest.
    """
    shared = [name for name in models[0] if all(name in model for model in models[1:])]
    averaged = averaged_params(
        [_part(model, shared) for model in models], weights, allow_nonfinite=allow_nonfinite
    )

    def value(name: str) -> Array:
        return averaged[name] if name in averaged else models[0][name]

    return DerivedParams(described_by(models[0]), value)


def not_shared(models: Sequence[Params]) -> list[str]:
    """Names that some model lacks, those of the first model first."""
    names = dict.fromkeys(name for model in models for name in model)
    return [name for name in names if not all(name in model for model in models)]


def _part(params: Params, names: list[str]) -> DerivedParams:
    described = described_by(params)
    return DerivedParams({name: described[name] for name in names}, params.__getitem__)
