"""Weighted sums of the parameters of several models, refused where they are not finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of, of_one_library, wide_on_host
from rebasin_fast._arrays.derived import DerivedParams, described_by
from rebasin_fast.errors import ParamsError
from rebasin_fast.merging.meanings import (
    is_mask,
    refuse_codes,
    refuse_factors,
    spectral_vector,
    weight_of_spectral_vector,
)
from rebasin_fast.merging.same_names import is_interpolated
from rebasin_fast.typing import Array, Params


def blended_params(
    models: Sequence[Params], weights: Sequence[float], labels: Sequence[str], *, allow_nonfinite: bool
) -> DerivedParams:
    """The weighted sum of models of the same names, each parameter computed on access.

    Integer and boolean parameters are the first model's own objects.

    Raises
    ------
    ParamsError
        A parameter is a quantised code or a factor of a low-rank product (LoRA); on access, as
        :func:`blended_parameter`.
    """
    refuse_codes(models[0], described_by(models[0]))
    refuse_factors(models[0])

    def blended_or_first(name: str) -> Array:
        array = models[0][name]
        if not is_interpolated(array):
            return array
        return blended_parameter(name, models, weights, labels, allow_nonfinite=allow_nonfinite)

    return DerivedParams(models[0], blended_or_first, models)


def blended_parameter(
    name: str,
    models: Sequence[Params],
    weights: Sequence[float],
    labels: Sequence[str],
    *,
    allow_nonfinite: bool,
) -> Array:
    """One parameter's weighted sum over ``models``, by its meaning.

    Masks of pruning must agree and are the first model's; the vectors of spectral_norm are those of the blended
    weight; all else as :func:`blended`.

    Raises
    ------
    ParamsError
        Masks differ, or as :func:`blended`.
    """

    def blend(name: str) -> Array:
        arrays = [model[name] for model in models]
        return blended(name, arrays, weights, labels, allow_nonfinite=allow_nonfinite)

    used = [number for number, weight in enumerate(weights) if weight != 0.0]
    if len(used) < 2:
        return blend(name)
    like = models[0][name]
    return merged_by_meaning(name, like, [models[n] for n in used], [labels[n] for n in used], blend)


def merged_by_meaning(
    name: str, like: Array, models: Sequence[Params], labels: Sequence[str], merge: Callable[[str], Array]
) -> Array:
    """One parameter of several models as ``merge`` gives it, or as its meaning demands, in the form of ``like``.

    Masks of pruning must agree and are the first model's; the vectors of spectral_norm are those of the merged weight.

    Raises
    ------
    ParamsError
        Masks differ.
    """
    if is_mask(name, models[0]):
        masks = [model[name] for model in models]
        _refuse_other_masks(name, masks, labels)
        return masks[0]
    weight_name = weight_of_spectral_vector(name, models[0])
    if weight_name is None:
        return merge(name)
    u, v = (wide_on_host(models[0][name[:-1] + side]) for side in "uv")
    vector = spectral_vector(name, wide_on_host(merge(weight_name)), u, v)
    return library_of(like).blend(of_one_library([like, vector]), [0.0, 1.0])


def _refuse_other_masks(name: str, masks: Sequence[Array], labels: Sequence[str]) -> None:
    first = wide_on_host(masks[0])
    for label, mask in zip(labels[1:], masks[1:], strict=True):
        if not np.array_equal(first, wide_on_host(mask)):
            raise ParamsError(
                f"{name!r} is a pruning mask, and differs between {labels[0]} and {label}: an average of masks is "
                "none. Apply the masks first (torch.nn.utils.prune.remove(layer, 'weight')), and prune the merged model"
            )


def blended(
    name: str,
    arrays: Sequence[Array],
    weights: Sequence[float],
    labels: Sequence[str],
    *,
    allow_nonfinite: bool,
) -> Array:
    """The weighted sum of a parameter's arrays, in the dtype of the first, finite unless ``allow_nonfinite``.

    An infinity that all models of a share hold at one place (a mask of -inf) is kept.

    Raises
    ------
    ParamsError
        A model holds NaN or an infinity, or the sum is too large for the dtype; ``labels`` name the models.
    """
    library = library_of(arrays[0])
    of_one = of_one_library(arrays)
    result = library.blend(of_one, weights)
    if library.is_finite(result):
        return result
    used = [
        (label, array) for label, array, weight in zip(labels, of_one, weights, strict=True) if weight != 0.0
    ]
    hosts = {label: wide_on_host(array) for label, array in used}
    same = same_infinities(list(hosts.values()))
    bad = ~np.isfinite(wide_on_host(result)) & ~same
    if bad.any() and not allow_nonfinite:
        refuse_nonfinite(name, hosts, bad, f"{library.dtype_name(arrays[0])}, the dtype of the first model")
    return library.replaced(result, used[0][1], same) if same.any() else result


def same_infinities(hosts: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Where all hold one infinity, as masks do."""
    same: NDArray[np.bool_] = np.isinf(hosts[0])
    for other in hosts[1:]:
        same &= other == hosts[0]
    return same


def refuse_nonfinite(
    name: str, hosts: Mapping[str, NDArray[Any]], bad: NDArray[np.bool_], dtype: str
) -> None:
    """ParamsError for the entries ``bad`` of a merged parameter, by the model at fault or the width of the dtype."""
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    at = f", the first at {place}" if place else ""
    cure = "allow_nonfinite=True (--allow-nonfinite) lets such numbers pass"
    for label, host in hosts.items():
        wrong = int(np.count_nonzero(~np.isfinite(host) & bad))
        if wrong:
            raise ParamsError(
                f"parameter {name!r} of {label} holds {wrong} entries that are NaN or infinite{at}; no average with "
                f"such a model is finite. {cure}"
            )
    largest = max(float(np.abs(host).max()) for host in hosts.values())
    raise ParamsError(
        f"parameter {name!r}: {int(bad.sum())} entries of the blend are too large for {dtype}{at}; "
        f"the models hold up to {largest:.6g}. Convert the first model to a wider dtype. {cure}"
    )
