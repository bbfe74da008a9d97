"""Weighted averages of models that are aligned already."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from rebasin_fast._arrays.derived import DerivedParams, described_by, part_of
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.merging.blending import blended_params
from rebasin_fast.merging.same_names import check_same_names
from rebasin_fast.typing import Array, Params


@refuses_changed_files
def average(
    models: Sequence[Params], weights: Sequence[float] | None = None, *, allow_nonfinite: bool = False
) -> dict[str, Array]:
    """The weighted mean of the parameters of ``models``.

    Parameters
    ----------
    models : sequence of Mapping[str, array]
        Equal names and shapes, aligned to one another. Not changed.
    weights : sequence of float, optional
        One a model; they are divided by their sum. Equal by default. A model whose weight is 0 is not read.
    allow_nonfinite : bool
        Let NaN and infinities pass, those of a model and those of an average too large for the first model's dtype.

    Returns
    -------
    dict[str, array]
        In the dtypes and on the devices of the first model, computed in float32 or wider; integer and boolean
        parameters are the first model's own objects.

    Raises
    ------
    ParamsError
        Names or shapes differ, a parameter is a quantised code or a factor of a low-rank product (LoRA), pruning masks
        differ, or an average is not finite; the parameter and the model are named.
    ValueError
        No models, another number of weights, or weights whose sum is zero or not finite.

    Notes
    -----
    O(models x size of the parameters); one parameter of all models is widened at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.merging.averaging import average
    >>> average([{"w": np.array([0.0, 2.0])}, {"w": np.array([4.0, 2.0])}], weights=[3, 1])
    {'w': array([1., 2.])}
    """
    return dict(averaged_params(models, weights, allow_nonfinite=allow_nonfinite))


def averaged_params(
    models: Sequence[Params], weights: Sequence[float] | None = None, *, allow_nonfinite: bool = False
) -> DerivedParams:
    """The mean of :func:`average`, each array averaged on access."""
    if not models:
        raise ValueError("there is no model to average")
    shares = [1.0] * len(models) if weights is None else [float(weight) for weight in weights]
    if len(shares) != len(models):
        raise ValueError(f"{len(models)} models take {len(models)} weights; got {len(shares)}")
    total = sum(shares)
    if total == 0.0 or not isfinite(total):
        raise ValueError(f"the weights {shares} do not have a sum to divide by")
    shares = [share / total for share in shares]
    labels = [f"model {number}" for number in range(len(models))]
    averaged = blended_params(models, shares, labels, allow_nonfinite=allow_nonfinite)
    for label, model in zip(labels[1:], models[1:], strict=True):
        check_same_names(models[0], model, (labels[0], label))
    return averaged


def averaged_where_shared(
    models: Sequence[Params], weights: Sequence[float] | None = None, *, allow_nonfinite: bool = False
) -> DerivedParams:
    """The first model, its parameters averaged where every model has them.

    Each array is averaged on access. Parameters that some other model lacks are the first model's
    own; those that the first lacks are left out. See :func:`average` for the rest.
    """
    shared = [name for name in models[0] if all(name in model for model in models[1:])]
    averaged = averaged_params(
        [part_of(model, shared) for model in models], weights, allow_nonfinite=allow_nonfinite
    )

    def value(name: str) -> Array:
        return averaged[name] if name in averaged else models[0][name]

    return DerivedParams(described_by(models[0]), value, models)


def not_shared(models: Sequence[Params]) -> list[str]:
    """Names that some model lacks, those of the first model first."""
    names = dict.fromkeys(name for model in models for name in model)
    return [name for name in names if not all(name in model for model in models)]
