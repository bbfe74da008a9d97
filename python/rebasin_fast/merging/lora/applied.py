"""A model with adapters merged into its weights."""

from __future__ import annotations

from rebasin_fast import _arguments
from rebasin_fast._arrays import library_of, wide_on_host
from rebasin_fast._arrays.derived import DerivedParams, described_by
from rebasin_fast.errors import ParamsError
from rebasin_fast.merging.lora.adapter import Adapter
from rebasin_fast.typing import Array, Params


@_arguments.checked()
def applied_adapter(params: Params, adapter: Adapter, weight: float = 1.0) -> DerivedParams:
    """The model with ``weight`` times the adapter's products added, each array computed on access.

    Products and sums are float64, and rounded once to the dtype of the model.

    Parameters
    ----------
    params : Mapping[str, array]
        The model that the adapter was trained on. Not changed.
    adapter : Adapter
    weight : float
        Factor of the products.

    Returns
    -------
    Mapping[str, array]
        The model's own arrays but for the weights that the adapter changes.

    Raises
    ------
    ParamsError
        The model lacks a weight of the adapter, or has it in another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.merging.lora.adapter import Adapter, Product
    >>> from rebasin_fast.merging import applied_adapter
    >>> one = Product(up=np.ones((2, 1)), down=np.ones((1, 2)), scale=0.5)
    >>> applied_adapter({"fc.weight": np.eye(2)}, Adapter(None, {"fc.weight": one}))["fc.weight"]
    array([[1.5, 0.5],
           [0.5, 1.5]])
    """
    described = described_by(params)
    for name, product in adapter.products.items():
        where = adapter.path or "the adapter"
        if name not in described:
            raise ParamsError(f"{where} changes {name!r}, which the model lacks: it is of another model")
        sizes = (product.up.shape[0], *(product.kernel or product.down.shape[1:]))
        expected = sizes[::-1] if product.transposed else sizes
        if tuple(described[name].shape) != expected:
            raise ParamsError(
                f"{where}: its product for {name!r} has shape {expected}, and the weight {tuple(described[name].shape)}"
            )

    def value(name: str) -> Array:
        array = params[name]
        if name not in adapter.products:
            return array
        library = library_of(array)
        total = wide_on_host(array) + weight * adapter.products[name].delta()
        return library.cast(library.put(array, total), library.dtype_name(array))

    return DerivedParams(described, value, [params])
