"""BatchNorm statistics of an interpolated model, measured again on data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast._models.inference import call, check_model, check_samples, evaluating, import_torch
from rebasin_fast.errors import DataError


@_arguments.checked()
def reset_batch_norm(model: Any, batches: Iterable[Any]) -> None:
    """Replace the running statistics of every BatchNorm layer by those of ``batches``, in place.

    Averaged weights shrink the variance of activations, and running statistics, averaged or taken from one end,
    fit the new activations badly: the loss barrier is then high for a good permutation, too (Jordan et al., *REPAIR*,
    2022, section 3).

    Parameters
    ----------
    model : torch.nn.Module
        Its BatchNorm layers with running statistics are changed in place; parameters, training flags and
        momenta are as before afterwards, also after an error.
    batches : iterable
        Training inputs; a few thousand images suffice. Each batch is a tensor, a (inputs, …) tuple or list, whose
        first element is used, or a mapping of keyword arguments. Moved to the device of the parameters.

    Raises
    ------
    DataError
        The model has no BatchNorm layer with running statistics, none of them ran, or ``batches`` is empty; a batch
        has no samples, holds NaN or infinity, or leads to them in a layer, or does not fit the model. The statistics
        are then left as they were.

    Notes
    -----
    One forward pass a batch, without gradients. Means and variances are averaged over the batches, each weighed by how
    many values a channel has in it, so that a short last batch counts as much as it holds. A layer that does not run
    (a branch of another head) keeps its statistics. Dropout and all other layers stay in eval mode. The statistics of
    a layer depend on those before it, all of which use the batch's own while they are measured, as in training.

    Examples
    --------
    >>> import torch, rebasin_fast as rf
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    >>> batches = [torch.randn(20, 2), torch.randn(20, 2)]
    >>> rf.reset_batch_norm(model, batches)
    >>> outputs = model[0](torch.cat(batches))
    >>> torch.allclose(model[1].running_mean, outputs.mean(0), atol=1e-5)
    True
    """
    import_torch("reset_batch_norm")
    check_model(model, "model")
    _arguments.stream("batches", batches, "batches of inputs", functions=False)
    layers = tracking_layers(model)
    if not layers:
        raise DataError("the model has no BatchNorm layer with running statistics: there is nothing to reset")
    device = layers[0].running_mean.device
    with measuring(model, layers) as values:
        count = 0
        for number, batch in enumerate(batches):
            check_samples(batch, number)
            call(model, batch, device, number)
            check_statistics(model, layers, number)
            count += 1
        if count == 0:
            raise DataError(
                "batches is empty: BatchNorm statistics need at least one batch of training inputs"
            )
        if not any(values):
            raise DataError(
                f"none of the {len(layers)} BatchNorm layers of the model ran on the batches: their statistics are "
                "left as they were. Give inputs that go through them"
            )


def tracking_layers(model: Any) -> list[Any]:
    """The BatchNorm layers of ``model`` that keep running statistics."""
    import torch

    return [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
    ]


def check_statistics(model: Any, layers: list[Any], number: int) -> None:
    """DataError, with the batch's number, where it left NaN or infinite statistics in a layer."""
    for layer in layers:
        if not bool(layer.running_mean.isfinite().all() and layer.running_var.isfinite().all()):
            name = next(name for name, module in model.named_modules() if module is layer)
            raise DataError(
                f"batch {number} has NaN or infinite activations at BatchNorm layer {name!r}, though its inputs are "
                "finite: the model's parameters hold such numbers, or lead to overflow. All statistics are left as "
                "they were"
            )


@contextmanager
def measuring(model: Any, layers: list[Any]) -> Iterator[list[int]]:
    """BatchNorm layers average the statistics of their inputs, all else in eval mode; without gradients.

    Yields the number of values so far in a channel of each layer. Flags and momenta are restored in any case;
    the former statistics after an exception, and of layers that did not run.
    """
    momenta = [layer.momentum for layer in layers]
    saved = [{name: buffer.clone() for name, buffer in layer.named_buffers()} for layer in layers]
    values = [0] * len(layers)
    hooks = [
        layer.register_forward_pre_hook(_weighing(values, number), with_kwargs=True)
        for number, layer in enumerate(layers)
    ]
    with evaluating(model):
        for layer in layers:
            layer.train()
            layer.reset_running_stats()
        try:
            yield values
        except BaseException:
            values[:] = [0] * len(layers)
            raise
        finally:
            for hook in hooks:
                hook.remove()
            for layer, momentum, buffers, seen in zip(layers, momenta, saved, values, strict=True):
                layer.momentum = momentum
                if not seen:
                    for name, buffer in layer.named_buffers():
                        buffer.copy_(buffers[name])


def _weighing(values: list[int], number: int) -> Callable[[Any, tuple[Any, ...], dict[str, Any]], None]:
    """A hook that gives each batch the share of its values among all so far."""

    def weigh(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inputs = args[0] if args else kwargs["input"]
        fresh = inputs.numel() // max(1, layer.num_features)
        values[number] += fresh
        layer.momentum = fresh / values[number] if values[number] else 0.0

    return weigh
