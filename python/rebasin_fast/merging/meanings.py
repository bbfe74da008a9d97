"""Parameters whose numbers are not weights: quantised codes, low-rank factors, masks, singular vectors.

They are recognised by their names, and by the parameters beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of
from rebasin_fast._arrays.interface import is_floating
from rebasin_fast.errors import ParamsError
from rebasin_fast.typing import Array, Params

# Of bitsandbytes, GPTQ and AWQ, compressed-tensors and others: endings behind the name of the codes or the layer.
_SCALES_OF_CODES = (
    ".SCB", ".absmax", ".quant_map", ".scales", ".qzeros", ".weight_scale", ".weight_scale_inv", ".scale_weight",
    "_scale", "_scale_inv", ".weight_format",
)  # fmt: skip
_FACTOR = re.compile(
    r"(^|[._/])(lora_(A|B|up|down|embedding_A|embedding_B)|hada_w[12]_[ab]|lokr_w[12](_[ab])?)($|[._/])"
)
_POWER_ITERATIONS = 100


def refuse_codes(names: Iterable[str], params: Params) -> None:
    """ParamsError for quantised codes, whose scales are in other parameters."""
    for name in names:
        scale = _scale_of(name, params)
        if scale is not None and _may_be_code(params[name]):
            raise ParamsError(
                f"parameter {name!r} holds quantised codes ({library_of(params[name]).dtype_name(params[name])}) whose "
                f"scales are in {scale!r}: neither can be matched or averaged without the other. Dequantise both "
                "models first (load them in float16 or float32, or by dequantize()), and quantise afterwards"
            )


def refuse_factors(params: Params) -> None:
    """ParamsError for the factors of low-rank products, such as LoRA adapters."""
    for name in params:
        if _FACTOR.search(name):
            raise ParamsError(
                f"parameter {name!r} is one factor of a low-rank product (LoRA and the like): averages of the factors "
                "are not the average of the products. Merge each adapter into its model first (PEFT: "
                "merge_and_unload()), and merge those"
            )


def is_mask(name: str, names: Mapping[str, Any]) -> bool:
    """Whether it is the mask of torch.nn.utils.prune: ``weight_mask`` beside ``weight_orig``."""
    return name.endswith("_mask") and f"{name.removesuffix('_mask')}_orig" in names


def weight_of_spectral_vector(name: str, names: Mapping[str, Any]) -> str | None:
    """The weight whose singular vectors torch's spectral_norm keeps under ``name``; None for all else."""
    for suffix in ("_u", "_v"):
        weight = f"{name.removesuffix(suffix)}_orig"
        if name.endswith(suffix) and weight in names and f"{weight[:-5]}_u" in names:
            return weight
    found = re.fullmatch(r"(.*parametrizations\.[^.]+)\.\d+\._[uv]", name)
    if found and f"{found[1]}.original" in names:
        return f"{found[1]}.original"
    return None


def spectral_vector(name: str, weight: NDArray[Any], u: NDArray[Any], v: NDArray[Any]) -> NDArray[np.float64]:
    """The first left (``u``) or right singular vector of ``weight``, by power iteration from ``u``, in float64.

    The matrix is that of spectral_norm: the axis of outputs (the second of a transposed convolution) against the rest.
    """
    matrices = [
        np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1).astype(np.float64)
        for axis in range(min(2, weight.ndim))
        if weight.shape[axis] == u.size and weight.size == u.size * v.size
    ]
    if not matrices:
        raise ParamsError(
            f"{name!r} is no singular vector of its weight of shape {weight.shape}: it and the other vector have "
            f"{u.size} and {v.size} entries"
        )
    wide_u, wide_v = u.astype(np.float64).ravel(), v.astype(np.float64).ravel()
    matrix = max(matrices, key=lambda one: float(wide_u @ one @ wide_v))
    left = wide_u
    for _ in range(_POWER_ITERATIONS):
        right = _unit(matrix.T @ left)
        left = _unit(matrix @ right)
    return left if name.endswith("_u") else right


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _scale_of(name: str, names: Mapping[str, Any]) -> str | None:
    layer = name.rpartition(".")[0]
    for suffix in _SCALES_OF_CODES:
        for stem in (name, layer):
            if stem and stem + suffix in names and stem + suffix != name:
                return stem + suffix
    return None


def _may_be_code(array: Array) -> bool:
    kind = library_of(array).dtype_name(array)
    return len(array.shape) > 0 and (not is_floating(kind) or kind.startswith("float8")) and kind != "bool"
