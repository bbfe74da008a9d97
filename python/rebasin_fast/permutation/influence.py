"""Whether a model's outputs depend on its parameters, by one backward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rebasin_fast.permutation.apply import identity_permutation, permuted_params
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params


def entries_to_check(torch: Any, spec: PermutationSpec, params: Params) -> dict[str, list[Any]]:
    """For each parameter, masks of its entries: those that each permutation moves, or all.

    Parameters that no permutation moves are checked in full: one that should move is a mistake for the trial to find.
    Parameters that a trace found unused are left out.
    """
    numbers = {
        name: torch.arange(tensor.numel(), dtype=torch.int32).reshape(tensor.shape)
        for name, tensor in params.items()
    }
    identity = identity_permutation(spec, spec.sizes(params))
    masks: dict[str, list[Any]] = {}
    for name, index in identity.items():
        rolled = permuted_params(spec, {**identity, name: np.roll(index, 1, axis=-1)}, numbers)
        for parameter in dict.fromkeys(parameter for parameter, _ in spec.perm_to_axes[name]):
            if parameter in params and (mask := rolled[parameter] != numbers[parameter]).any():
                masks.setdefault(parameter, []).append(mask)
    unused = getattr(spec, "unused", ())
    return {
        name: masks.get(name, [torch.ones(tensor.shape, dtype=torch.bool)])
        for name, tensor in params.items()
        if name not in unused
    }


def outputs_if_influenced(
    torch: Any, model: Any, checked: Mapping[str, list[Any]], outputs: Callable[..., list[Any]]
) -> list[Any] | None:
    """The results of ``outputs`` if they depend on an entry of each mask of ``checked``, else None.

    Buffers and parameters of integers have no gradients and are not checked. In doubt the answer is None:
    an operation without a derivative, a part that runs without history.
    """
    trained = {
        name: parameter
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if name in checked and parameter.numel() and (parameter.is_floating_point() or parameter.is_complex())
    }
    before = {id(parameter): parameter.requires_grad for parameter in trained.values()}
    try:
        for parameter in trained.values():
            parameter.requires_grad_(True)
        found = outputs(with_history=True)
        gradients = _gradients(torch, found, list(trained.values()))
    except Exception:  # any error of a model without a derivative
        return None
    finally:
        for parameter in trained.values():
            parameter.requires_grad_(before[id(parameter)])
    for name, gradient in zip(trained, gradients, strict=True):
        if gradient is None or not all((gradient[mask] != 0).any() for mask in checked[name]):
            return None
    return [output.detach() for output in found]


def _gradients(torch: Any, outputs: list[Any], parameters: list[Any]) -> tuple[Any, ...]:
    """Of a random linear function of all outputs that have a history."""
    kept = [output for output in outputs if output.requires_grad]
    generator = torch.Generator().manual_seed(0)
    weights = [
        torch.rand(output.shape, generator=generator, dtype=torch.float64).to(output.device, output.dtype)
        + 0.5
        for output in kept
    ]
    found: tuple[Any, ...] = torch.autograd.grad(kept, parameters, weights, allow_unused=True)
    return found
