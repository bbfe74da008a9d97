"""The importance of parameters for past episodes: Fisher matrices of layers, in Kronecker factors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rebasin_fast._models.functional import FunctionalModel, Tensors, pair_of
from rebasin_fast._models.inference import flags_restored, import_torch
from rebasin_fast.errors import DataError
from rebasin_fast.permutation import apply_permutation

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Permutation


@dataclass(frozen=True)
class Factors:
    """Second moments of a layer's inputs, with a constant 1 last where it has a bias, and of its outputs' gradients."""

    inputs: Any  # (columns, columns): entries of a row of the weight, and the bias
    outputs: Any  # (rows, rows)
    has_bias: bool

    def __add__(self, other: Factors) -> Factors:
        return Factors(self.inputs + other.inputs, self.outputs + other.outputs, self.has_bias)

    def permuted(self, index: Any, share: float) -> Factors:
        """The average with the factors of a weight whose entries come from ``index``, (rows, columns), flat."""
        torch = import_torch("RebasinLearner")
        count = index.shape[1]
        rows, columns = index[:, 0] // count, index[0] % count
        if self.has_bias:
            columns = torch.cat((columns, columns.new_tensor([count])))
        inputs = torch.lerp(self.inputs, self.inputs[columns][:, columns], share)
        return Factors(inputs, torch.lerp(self.outputs, self.outputs[rows][:, rows], share), self.has_bias)


@dataclass(frozen=True)
class Importance:
    """Sums of the factors of layers over ``episodes`` episodes.

    The Fisher matrix of an episode is approximated by inputs ⊗ outputs (Martens & Grosse 2015; for convolutions
    Grosse & Martens 2016), and the sum over episodes by (sum of inputs) ⊗ (sum of outputs) / episodes.
    """

    factors: Mapping[str, Factors]
    episodes: int

    def __add__(self, other: Importance) -> Importance:
        return Importance(
            {
                name: self.factors[name] + found if name in self.factors else found
                for name, found in other.factors.items()
            },
            self.episodes + other.episodes,
        )

    def to(self, device: Any) -> Importance:
        """Itself on a device."""
        return Importance(
            {
                name: Factors(found.inputs.to(device), found.outputs.to(device), found.has_bias)
                for name, found in self.factors.items()
            },
            self.episodes,
        )

    def permuted(
        self, spec: PermutationSpec, permutation: Permutation, tensors: Tensors, share: float
    ) -> Importance:
        """The average with itself permuted, as the parameters are."""
        torch = import_torch("RebasinLearner")
        indices = {
            f"{layer}.weight": torch.arange(weight.numel(), device=weight.device).reshape(weight.shape)
            for layer in self.factors
            for weight in [tensors[f"{layer}.weight"]]
        }
        moved = apply_permutation(spec, permutation, {**tensors, **indices})
        return Importance(
            {
                layer: factors.permuted(moved[f"{layer}.weight"].flatten(1), share)
                for layer, factors in self.factors.items()
            },
            self.episodes,
        )


def measured(
    function: FunctionalModel, tensors: Tensors, batches: Iterable[Any], loss: Callable[[Any, Any], Any]
) -> Importance:
    """That of one episode at ``tensors``: Linear and ungrouped Conv2d layers on ``batches``, in eval mode.

    ``loss`` is a mean over the batch, and its gradients are those of the targets given (the empirical Fisher matrix).
    """
    torch = import_torch("RebasinLearner")
    sums: dict[str, list[Any]] = {}
    count = 0
    leaves = {
        name: value.detach().requires_grad_(value.is_floating_point())
        if name in function.trainable
        else value
        for name, value in tensors.items()
    }
    with flags_restored(function.model), _watched(function.model, sums) as size_of_batch:
        function.model.eval()
        for batch in batches:
            size_of_batch[0] = len(pair_of(batch)[1])
            count += size_of_batch[0]
            found = function.loss(leaves, batch, loss)
            if found.requires_grad:
                torch.autograd.grad(found, [leaves[name] for name in function.trainable], allow_unused=True)
    if count == 0:
        raise DataError("batches is empty: importance is measured on at least one batch")
    dtype = leaves[function.trainable[0]].dtype
    modules = dict(function.model.named_modules())
    return Importance(
        {
            name: Factors(
                (inputs / count).to(dtype), (outputs / count).to(dtype), modules[name].bias is not None
            )
            for name, (inputs, outputs) in sums.items()
        },
        1,
    )


@contextmanager
def _watched(model: Any, sums: dict[str, list[Any]]) -> Iterator[list[int]]:
    """Add up the moments of all layers while the model runs backward; the list takes the size of the batch."""
    torch = import_torch("RebasinLearner")
    size = [1]

    def watch(name: str, module: Any) -> Any:
        def forward(_: Any, arguments: Any, output: Any) -> None:
            rows, places = _rows_of(module, arguments[0].detach())
            inputs = (rows.T @ rows).double()

            def backward(gradient: Any) -> None:
                by_place = gradient.movedim(1, -1) if gradient.ndim == 4 else gradient
                flat = size[0] * by_place.reshape(-1, by_place.shape[-1])
                outputs = (flat.T @ flat).double() / places
                if name in sums:
                    inputs.add_(sums[name][0])
                    outputs.add_(sums[name][1])
                sums[name] = [inputs, outputs]

            if output.requires_grad:
                output.register_hook(backward)

        return module.register_forward_hook(forward)

    handles = [watch(name, module) for name, module in model.named_modules() if _is_factored(torch, module)]
    try:
        yield size
    finally:
        for handle in handles:
            handle.remove()


def _is_factored(torch: Any, module: Any) -> bool:
    if type(module) is torch.nn.Linear:
        return True
    is_plain = type(module) is torch.nn.Conv2d and module.groups == 1 and module.padding_mode == "zeros"
    return is_plain and not isinstance(module.padding, str)


def _rows_of(module: Any, inputs: Any) -> tuple[Any, int]:
    """A row for each product with the weight, with a 1 for the bias, and the number of places in an example."""
    torch = import_torch("RebasinLearner")
    if inputs.ndim == 4 and hasattr(module, "kernel_size"):
        unfolded = torch.nn.functional.unfold(
            inputs, module.kernel_size, module.dilation, module.padding, module.stride
        )
        rows, places = unfolded.movedim(1, -1).reshape(-1, unfolded.shape[1]), unfolded.shape[-1]
    else:
        rows = inputs.reshape(-1, inputs.shape[-1])
        places = len(rows) // len(inputs)
    if module.bias is not None:
        rows = torch.cat((rows, torch.ones_like(rows[:, :1])), 1)
    return rows, places
