"""Inner products of right singular vectors with the inputs of layers (Ito, Yamada and Kumagai, 2025)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from math import exp, lgamma, log, pi
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._drawing import FAINT, STYLES, axes_of, label_axes
from rebasin_fast._models.functional import FunctionalModel, fresh
from rebasin_fast._models.inference import count_of, evaluating
from rebasin_fast._terminal.progress import listener
from rebasin_fast._untrusted.schema import REAL, WHOLE, ArrayOf, Kind, MapOf, Names
from rebasin_fast.analysis.matrices import Decomposition, as_matrix, decomposed
from rebasin_fast.errors import DataError, ParamsError
from rebasin_fast.evaluation.result import Result
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.matching.activation.layer_reads import first_tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rebasin_fast.typing import Params


@dataclass(frozen=True)
class InputAlignment(Result):
    """Inner products of each layer's inputs x with right singular vectors v, averaged over data.

    Attributes
    ----------
    layers : list of str
        Names of the weights.
    values : dict[str, (k,) float64 array]
        Singular values by layer, largest first.
    products : dict[str, (k,) float64 array]
        Mean of abs(v . x), for v in the order of ``values``.
    cosines : dict[str, (k,) float64 array]
        Mean of abs(v . x) / norm(x), over the inputs that are not zero.
    samples : (layers,) int64 array
        Inputs of each layer: positions of images and sequences count each.
    widths : (layers,) int64 array
        Length of x.
    """

    layers: list[str]
    values: dict[str, NDArray[np.float64]]
    products: dict[str, NDArray[np.float64]]
    cosines: dict[str, NDArray[np.float64]]
    samples: NDArray[np.int64]
    widths: NDArray[np.int64]
    _title: ClassVar[str] = "input alignment"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "layers": Names("layers"),
        "values": MapOf(ArrayOf(REAL, (None,)), "layers"),
        "products": MapOf(ArrayOf(REAL, (None,)), "layers"),
        "cosines": MapOf(ArrayOf(REAL, (None,)), "layers"),
        "samples": ArrayOf(WHOLE, ("layers",), least=0),
        "widths": ArrayOf(WHOLE, ("layers",), least=1),
    }

    @property
    def chance(self) -> NDArray[np.float64]:
        """The expected cosine of each layer if the directions of its inputs were random: about √(2 / (π width))."""
        return np.array([exp(lgamma(n / 2) - lgamma((n + 1) / 2) - log(pi) / 2) for n in self.widths])

    @_arguments.checked()
    def plot(self, ax: Axes | None = None, *, layer: str | None = None) -> Axes:
        """Draw the cosines of one layer, the first by default, over the order of singular values; returns the axes.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        KeyError
            There is no such layer.

        Examples
        --------
        >>> import torch
        >>> from rebasin_fast.analysis import input_alignment
        >>> model = torch.nn.Linear(3, 2)
        >>> found = input_alignment(model, model.state_dict(), [torch.ones(1, 3)])
        >>> found.plot().get_xlabel()
        'index of the singular value'
        """
        shown = self.layers[0] if layer is None else layer
        if shown not in self.cosines:
            raise KeyError(f"there is no layer {shown!r}; there are {self.layers}")
        axes = axes_of(ax)
        axes.plot(self.cosines[shown], color=STYLES[1].colour, linewidth=1.8)
        chance = self.chance[self.layers.index(shown)]
        axes.axhline(chance, color=FAINT, linestyle=":", linewidth=1.4, label="random directions")
        axes.legend(frameon=False)
        return label_axes(axes, title=shown, x="index of the singular value", y="mean |v · x| / ‖x‖")

    @classmethod
    def _restored(cls, values: dict[str, Any]) -> dict[str, Any]:
        for layer, found in values["values"].items():
            if not found.shape == values["products"][layer].shape == values["cosines"][layer].shape:
                raise ValueError(f"{layer} has other numbers of values, products and cosines")
        return values

    def _columns(self) -> Mapping[str, Any]:
        lengths = [len(self.values[layer]) for layer in self.layers]
        columns = {"value": self.values, "product": self.products, "cosine": self.cosines}
        return {
            "layer": np.repeat(self.layers, lengths),
            "index": np.concatenate([np.arange(length) for length in lengths]),
            **{name: np.concatenate([by[layer] for layer in self.layers]) for name, by in columns.items()},
        }


@_arguments.checked()
@refuses_changed_files
def input_alignment(
    model: Any,
    params: Params,
    batches: Iterable[Any] | Callable[[], Iterable[Any]],
    *,
    vectors: Params | None = None,
    layers: Collection[str] | None = None,
    progress: Callable[[int, int | None], object] | bool | None = None,
) -> InputAlignment:
    """Measure how far the inputs of each layer lie along the layer's right singular vectors.

    A layer W = Σ s_i u_i v_iᵀ maps x to Σ s_i (v_i · x) u_i: singular vectors decide its output as far as its inputs
    point along them.

    Parameters
    ----------
    model : torch.nn.Module
        Run with ``params``, in eval mode and without gradients. Not changed: training flags are restored and
        hooks removed also after an exception.
    params : Mapping[str, array]
        Under the names of ``model.state_dict()``.
    batches : iterable, or callable that gives one
        Inputs, gone through once. Each batch is a tensor, an (inputs, …) tuple or list, whose first element is
        used, or a mapping of keyword arguments.
    vectors : Mapping[str, array], optional
        Parameters whose singular vectors are compared with the inputs that ``params`` cause; ``params`` by default.
        With the average as ``params`` and a parent as ``vectors``: are the parent's vectors still in use?
    layers : collection of str, optional
        Names of the weights to measure; by default those of every ``Linear`` and ``Conv2d`` that runs.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with (batches done, batches in
        all or None) after each batch.

    Returns
    -------
    InputAlignment

    Raises
    ------
    ParamsError
        Parameters are not the model's, or ``layers`` has one that no ``Linear`` or ``Conv2d`` owns.
    DataError
        There are no batches, or no such layer runs.
    MissingDependencyError
        PyTorch is not installed.

    Notes
    -----
    The inputs of a convolution are its patches, (channels · height · width of the kernel) long; they are not formed:
    the inner products are a convolution with singular vectors as kernels. Grouped convolutions read only part of a
    patch for each output and are left out. Products in the model's dtype (float32 for narrower ones), sums over data
    in float64. One pass over the data, O(samples · width · k) a layer, and the inputs of one layer in memory.

    Ito, Yamada & Kumagai, *Analysis of Linear Mode Connectivity via Permutation-Based Weight Matching*, ICLR 2025
    (arXiv 2402.04051): inputs of hidden layers lie along the right singular vectors of large singular values.

    Examples
    --------
    >>> import torch
    >>> from rebasin_fast.analysis import input_alignment
    >>> model = torch.nn.Linear(2, 2)
    >>> params = {"weight": torch.tensor([[3.0, 0.0], [0.0, 1.0]]), "bias": torch.zeros(2)}
    >>> input_alignment(model, params, [torch.tensor([[2.0, 0.0], [-4.0, 0.0]])]).products["weight"]
    array([3., 0.])
    """
    functional = FunctionalModel(model, "input_alignment")
    tensors = functional.tensors(params, "params")
    source = params if vectors is None else functional.tensors(vectors, "vectors")
    streams = _streams(model, source, layers)
    done = 0
    handles = [
        stream.module.register_forward_pre_hook(stream.hook, with_kwargs=True) for stream in streams.values()
    ]
    try:
        with listener(progress, "batches") as notify, evaluating(model):
            for batch in fresh(batches):
                functional(tensors, batch[0] if isinstance(batch, tuple | list) else batch)
                done += 1
                if notify is not None:
                    notify(done, count_of(batches))
    finally:
        for handle in handles:
            handle.remove()
    if not done:
        raise DataError("batches is empty: the inputs of layers need data to run the model on")
    return _result({name: stream for name, stream in streams.items() if stream.samples})


class _Stream:
    """Sums over the inputs of one layer."""

    def __init__(self, module: Any, weight: Any, decomposition: Decomposition) -> None:
        import torch

        self.module = module
        self.values = decomposition.values
        dtype = torch.promote_types(module.weight.dtype, torch.float32)
        right = torch.tensor(decomposition.right, dtype=dtype, device=module.weight.device)
        self._is_convolution = isinstance(module, torch.nn.Conv2d)
        self._right = right.reshape(-1, *weight.shape[1:])
        self.width = right.shape[1]
        self.samples = self._directed = 0
        self._products, self._cosines = (
            torch.zeros(len(right), dtype=torch.float64, device=right.device) for _ in range(2)
        )

    def hook(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Add the inputs of one call."""
        x = first_tensor(module, args, kwargs, None).detach().to(self._right.dtype)
        products, norms = self._of_patches(x) if self._is_convolution else self._of_rows(x)
        directed = norms > 0
        self.samples += len(norms)
        self._directed += int(directed.sum())
        products = products.abs_()
        self._products += products.sum(0, dtype=self._products.dtype)
        products /= norms.masked_fill(~directed, 1.0)[:, None]
        self._cosines += products.sum(0, dtype=self._cosines.dtype)

    def means(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean absolute products, and mean cosines."""
        products, cosines = (sums.cpu().numpy() for sums in (self._products, self._cosines))
        return products / self.samples, cosines / max(self._directed, 1)

    def _of_rows(self, x: Any) -> tuple[Any, Any]:
        rows = x.reshape(-1, self.width)
        return rows @ self._right.T, rows.norm(dim=1)

    def _of_patches(self, x: Any) -> tuple[Any, Any]:
        ones = self._right.new_ones(1, *self._right.shape[1:])
        # The module's own convolution: it pads as the layer does.
        products = self.module._conv_forward(x, self._right, None)
        squares = self.module._conv_forward(x * x, ones, None)
        return products.movedim(-3, -1).reshape(-1, len(self._right)), squares.clamp(min=0).sqrt().reshape(-1)


def _streams(model: Any, source: Params, layers: Collection[str] | None) -> dict[str, _Stream]:
    from torch import nn

    modules = {
        f"{name}.weight" if name else "weight": module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
    }
    unknown = [name for name in (() if layers is None else layers) if name not in modules]
    if unknown:
        raise ParamsError(
            f"layers names {unknown[0]!r}, which is the weight of no Linear and no Conv2d without groups; "
            f"those are {list(modules)}"
        )
    return {
        name: _Stream(module, source[name], decomposed(as_matrix(name, source[name], "the model")))
        for name, module in modules.items()
        if name in source and (layers is None or name in layers)
    }


def _result(streams: Mapping[str, _Stream]) -> InputAlignment:
    if not streams:
        raise DataError(
            "no Linear and no Conv2d without groups ran on the batches, so no layer has inputs to measure"
        )
    means = {name: stream.means() for name, stream in streams.items()}
    return InputAlignment(
        list(streams),
        {name: stream.values for name, stream in streams.items()},
        {name: products for name, (products, _) in means.items()},
        {name: cosines for name, (_, cosines) in means.items()},
        np.array([stream.samples for stream in streams.values()], dtype=np.int64),
        np.array([stream.width for stream in streams.values()], dtype=np.int64),
    )
