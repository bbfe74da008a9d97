"""Sums of low-rank products, as products: exact by stacking their factors, or the nearest of a lower rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast.errors import ParamsError
from rebasin_fast.merging.lora.adapter import Adapter, Product


@_arguments.checked(rank=1)
def merged_adapters(
    adapters: Sequence[Adapter], weights: Sequence[float] | None = None, rank: int | None = None
) -> tuple[Adapter, dict[str, float]]:
    """The weighted sum of the products of several adapters of one model.

    The factors are never averaged: (B1 + B2)(A1 + A2) is not B1 A1 + B2 A2. Their products are summed exactly, by
    stacked factors, and refactored at ``rank`` by the singular value decomposition: the nearest product of that rank
    (Eckart and Young, 1936).

    Parameters
    ----------
    adapters : sequence of Adapter
        A weight that some lack is changed by the others alone.
    weights : sequence of float, optional
        One each; 1 / number of adapters by default, as of an average.
    rank : int, optional
        That of the result; the sum of all ranks by default, which loses nothing.

    Returns
    -------
    (Adapter, dict[str, float])
        The adapter, and for each weight the part of the sum (its Frobenius norm, 0 to 1) that the rank leaves out.

    Raises
    ------
    ParamsError
        Two adapters differ in the shape or kind of a product; the weight is named.

    Notes
    -----
    O((inputs + outputs) R^2) a weight, R being the sum of the ranks: the product itself is not formed.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.merging.lora.adapter import Adapter, Product
    >>> from rebasin_fast.merging import merged_adapters
    >>> rng = np.random.default_rng(0)
    >>> two = [Adapter(None, {"w": Product(rng.random((5, 2)), rng.random((2, 6)), 1.0)}) for _ in range(2)]
    >>> merged, lost = merged_adapters(two)
    >>> total = sum(one.products["w"].delta() for one in two) / 2
    >>> bool(np.allclose(merged.products["w"].delta(), total)), lost
    (True, {'w': 0.0})
    """
    if not adapters:
        raise ValueError("adapters is a sequence of one adapter or more; got none")
    shares = [1.0 / len(adapters)] * len(adapters) if weights is None else [float(one) for one in weights]
    if len(shares) != len(adapters):
        raise ValueError(f"{len(adapters)} adapters take {len(adapters)} weights; got {len(shares)}")
    rank = _arguments.optional_count("rank", rank)
    names = dict.fromkeys(name for adapter in adapters for name in adapter.products)
    full = {name: sum(one.products[name].rank for one in adapters if name in one.products) for name in names}
    common = rank or max(full.values(), default=1)
    products, lost = {}, {}
    for name in names:
        parts = [
            (s, one.products[name]) for s, one in zip(shares, adapters, strict=True) if name in one.products
        ]
        stacked = _stacked(name, parts)
        products[name], lost[name] = _of_rank(stacked, common)
    first = adapters[0].configuration
    modules = [one.configuration.get("target_modules") for one in adapters]
    same = all(found == modules[0] for found in modules)
    configuration = {key: value for key, value in first.items() if same or key != "target_modules"}
    return Adapter(None, products, configuration), lost


def _stacked(name: str, parts: Sequence[tuple[float, Product]]) -> Product:
    first = parts[0][1]
    for _, other in parts[1:]:
        alike = (other.kind, other.kernel, other.transposed) == (first.kind, first.kernel, first.transposed)
        if not alike or other.up.shape[0] != first.up.shape[0] or other.down.shape[1] != first.down.shape[1]:
            raise ParamsError(
                f"the adapters change {name!r} in different shapes: {first.up.shape[0]} x {first.down.shape[1]} and "
                f"{other.up.shape[0]} x {other.down.shape[1]}; they are of different models"
            )
    up = np.concatenate([share * one.scale * one.up for share, one in parts], axis=1)
    down = np.concatenate([one.down for _, one in parts], axis=0)
    return replace(first, up=up, down=down, scale=1.0)


def _of_rank(product: Product, rank: int) -> tuple[Product, float]:
    """The nearest product of ``rank``, and the part of the norm that is left out; zeros fill a higher rank."""
    missing = rank - product.rank
    if missing >= 0:
        up = np.pad(product.up, ((0, 0), (0, missing)))
        return replace(product, up=up, down=np.pad(product.down, ((0, missing), (0, 0)))), 0.0
    left, of_up = np.linalg.qr(product.up)
    right, of_down = np.linalg.qr(product.down.T)
    u, values, vt = np.linalg.svd(of_up @ of_down.T)
    root = np.sqrt(values[:rank])
    total = float(np.linalg.norm(values))
    lost = float(np.linalg.norm(values[rank:])) / total if total else 0.0
    size = min(rank, values.size)
    up, down = (left @ u[:, :size]) * root, root[:, None] * (right @ vt[:size].T).T
    missing = rank - size
    return replace(
        product,
        up=np.pad(up, ((0, 0), (0, missing))),
        down=np.pad(down, ((0, missing), (0, 0))),
    ), lost
