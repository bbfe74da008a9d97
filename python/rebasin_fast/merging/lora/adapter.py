"""Adapters in the form of PEFT: a folder of adapter_config.json and adapter_model.safetensors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._arrays import wide_on_host
from rebasin_fast._untrusted import brief, parse_json, read_small_file
from rebasin_fast.errors import FileFormatError
from rebasin_fast.files import load_params, save_params, together
from rebasin_fast.files.writing.atomic import atomic_write
from rebasin_fast.files.writing.faults import writing

CONFIGURATION = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_LARGEST = 1 << 20
_KEY = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(embedding_)?([AB])(?:\.weight)?")


@dataclass(frozen=True)
class Product:
    """One low-rank change of a weight: ``scale * up @ down``.

    ``down`` is (rank, inputs), ``up`` (outputs, rank), both float64; of a convolution the kernel is flattened, and the
    weight's own shape is restored when the product is added. ``transposed``: the weight is stored as (inputs, outputs).
    """

    up: NDArray[np.float64]
    down: NDArray[np.float64]
    scale: float
    kind: str = "linear"
    kernel: tuple[int, ...] = ()
    transposed: bool = False

    @property
    def rank(self) -> int:
        """The number of rows of ``down``."""
        return int(self.down.shape[0])

    def delta(self) -> NDArray[np.float64]:
        """The change of the weight, in float64."""
        product = self.scale * (self.up @ self.down)
        if self.kernel:
            product = product.reshape(self.up.shape[0], *self.kernel)
        return product.T if self.transposed else product


@dataclass(frozen=True)
class Adapter:
    """The products of an adapter by the names of the weights, and its configuration."""

    path: Path | None
    products: Mapping[str, Product]
    configuration: dict[str, Any] = field(default_factory=dict)


@_arguments.checked()
def load_adapter(path: str | os.PathLike[str]) -> Adapter:
    """Read a LoRA adapter of PEFT.

    Parameters
    ----------
    path : path
        A folder with adapter_config.json and adapter_model.safetensors.

    Returns
    -------
    Adapter
        Products by the names that the weights have in the model (``model.layers.0.self_attn.q_proj.weight``).

    Raises
    ------
    FileFormatError
        No such adapter, one of another kind than LoRA (DoRA, IA3, …), or one with parts that are no low-rank products
        (modules_to_save, biases); the part is named.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from rebasin_fast.merging import load_adapter, save_adapter
    >>> from rebasin_fast.merging.lora.adapter import Adapter, Product
    >>> one = Product(up=np.ones((4, 1)), down=np.ones((1, 3)), scale=0.5)
    >>> folder = tempfile.mkdtemp() + "/adapter"
    >>> save_adapter(folder, Adapter(None, {"fc.weight": one}))
    >>> load_adapter(folder).products["fc.weight"].delta()[0]
    array([0.5, 0.5, 0.5])
    """
    folder = _arguments.path("path", path)
    configuration = _configuration(folder)
    weights = load_params(folder / WEIGHTS, library="numpy")
    factors: dict[str, dict[str, str]] = {}
    for name in weights:
        found = _KEY.fullmatch(name)
        if found is None:
            raise FileFormatError(
                f"{folder}: {name!r} is no factor of a low-rank product (lora_A, lora_B), and would be "
                "lost. Merge the adapter into its model (PEFT: merge_and_unload()), and merge the models"
            )
        factors.setdefault(found[1], {})[(found[2] or "") + found[3]] = name
    products = {}
    for module, pair in factors.items():
        embedding = "embedding_A" in pair
        ends = ("embedding_A", "embedding_B") if embedding else ("A", "B")
        if set(pair) != set(ends):
            raise FileFormatError(
                f"{folder}: {module!r} has {', '.join(sorted(pair))} alone, one factor of two"
            )
        down, up = (wide_on_host(weights[pair[end]]) for end in ends)
        if down.ndim != up.ndim or down.shape[0] != up.shape[1]:
            raise FileFormatError(
                f"{folder}: the factors of {module!r} have shapes {down.shape} and {up.shape}; the first axis of A "
                "and the second of B are the rank"
            )
        if not (down.size and up.size and np.isfinite(down).all() and np.isfinite(up).all()):
            raise FileFormatError(
                f"{folder}: the factors of {module!r}, of shapes {down.shape} and {up.shape}, are empty, or hold NaN "
                "or infinite numbers"
            )
        products[f"{module}.weight"] = Product(
            up.reshape(up.shape[0], -1),
            down.reshape(down.shape[0], -1),
            _scale(folder, configuration, module, down.shape[0]),
            "embedding" if embedding else "linear",
            tuple(down.shape[1:]) if down.ndim > 2 else (),
            embedding or bool(configuration.get("fan_in_fan_out")),
        )
    return Adapter(folder, products, configuration)


@_arguments.checked()
def save_adapter(path: str | os.PathLike[str], adapter: Adapter, *, overwrite: bool = False) -> None:
    """Write an adapter as a folder that PEFT reads; the scale of each product is in its factor B.

    Parameters
    ----------
    path : path
        The folder; made where it does not exist.
    adapter : Adapter
        Its products have one rank, as those of :func:`merged_adapters`.
    overwrite : bool
        Replace the files of an existing adapter.

    Raises
    ------
    OutputExistsError, UnwritableOutputError
        As of :func:`rebasin_fast.save_params`.
    """
    folder = _arguments.path("path", path)
    rank = max(product.rank for product in adapter.products.values())
    arrays = {}
    for name, product in adapter.products.items():
        stem, embedding = f"base_model.model.{name.removesuffix('.weight')}", product.kind == "embedding"
        first, second = (
            ("lora_embedding_A", "lora_embedding_B") if embedding else ("lora_A.weight", "lora_B.weight")
        )
        up = (product.scale * product.up).astype(np.float32)
        down = product.down.astype(np.float32)
        if product.kernel:
            down = down.reshape(product.rank, *product.kernel)
            up = up.reshape(*up.shape, *(1 for _ in product.kernel[1:]))
        arrays[f"{stem}.{first}"], arrays[f"{stem}.{second}"] = down, up
    modules = sorted({name.removesuffix(".weight").rpartition(".")[2] for name in adapter.products})
    configuration = {
        "peft_type": "LORA", "task_type": None, "base_model_name_or_path": None, "bias": "none",
        "fan_in_fan_out": any(one.transposed and one.kind == "linear" for one in adapter.products.values()),
        "target_modules": modules, **adapter.configuration,
        "r": rank, "lora_alpha": rank, "use_rslora": False, "rank_pattern": {}, "alpha_pattern": {},
        "inference_mode": True,
    }  # fmt: skip
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with together():
        save_params(folder / WEIGHTS, arrays, overwrite=overwrite)
        with atomic_write(folder / CONFIGURATION, overwrite=overwrite) as file:
            file.write((json.dumps(configuration, indent=2) + "\n").encode())


def is_adapter(path: Path) -> bool:
    """Whether a folder is that of an adapter."""
    return path.is_dir() and (path / CONFIGURATION).is_file()


def _configuration(folder: Path) -> dict[str, Any]:
    try:
        found = parse_json(read_small_file(folder / CONFIGURATION, _LARGEST))
    except (OSError, ValueError) as error:
        raise FileFormatError(
            f"{folder} is no adapter of PEFT: its {CONFIGURATION} cannot be read ({error})"
        ) from None
    if not isinstance(found, dict) or found.get("peft_type") != "LORA":
        kind = found.get("peft_type") if isinstance(found, dict) else found
        raise FileFormatError(f"{folder} is an adapter of the kind {brief(kind)}; LORA is supported")
    for key in ("use_dora", "lora_bias", "layer_replication", "trainable_token_indices"):
        if found.get(key):
            raise FileFormatError(f"{folder}: {key} is set, and its adapters are no plain low-rank products")
    return found


def _scale(folder: Path, configuration: Mapping[str, Any], module: str, rank: int) -> float:
    alpha = configuration.get("lora_alpha", rank)
    patterns = configuration.get("alpha_pattern") or {}
    for pattern, value in patterns.items() if isinstance(patterns, dict) else ():
        name = _plain_name(folder, pattern)
        if module == name or module.endswith(f".{name}"):
            alpha = value
            break
    divisor = sqrt(rank) if configuration.get("use_rslora") else rank
    try:
        return _arguments.number("lora_alpha", alpha) / divisor
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{folder}: {error}") from None


def _plain_name(folder: Path, pattern: str) -> str:
    """The end of a module's name; no regular expression of a stranger is run, as it may never end."""
    name = pattern.removeprefix("^").removesuffix("$").replace("\\.", ".")
    if re.fullmatch(r"[\w.-]+", name) is None:
        raise FileFormatError(
            f"{folder}: alpha_pattern holds {brief(pattern)}; names of modules are supported, and no other expressions"
        )
    return name
