"""BatchNorm statistics of an interpolated model, measured again on data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rebasin_fast.errors import DataError
from rebasin_fast.inference import call, check_model, evaluating, import_torch


def reset_batch_norm(model: Any, batches: Iterable[Any]) -> None:
    """Replace the running statistics of every BatchNorm layer by those of ``batches``, in place.

    Averaged weights shrink the variance of activations, and running statistics, averaged or taken from one end,
    fit the new activations badly: a good match then looks broken (Jordan et al., *REPAIR*, 2022, section 3).

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
        The model has no BatchNorm layer with running statistics, or ``batches`` is empty; then the statistics
        are left as they were.

    Notes
    -----
    One forward pass a batch, without gradients. Means and variances are averaged over the batches with equal
    weights, dropout and all other layers stay in eval mode. The statistics of a layer depend on those before
    it, all of which use the batch's own while they are measured, as in training.
    """
    import_torch("reset_batch_norm")
    check_model(model, "model")
    layers = tracking_layers(model)
    if not layers:
        raise DataError("the model has no BatchNorm layer with running statistics: there is nothing to reset")
    device = layers[0].running_mean.device
    with measuring(model, layers):
        count = 0
        for batch in batches:
            call(model, batch, device)
            count += 1
        if count == 0:
            raise DataError(
                "batches is empty: BatchNorm statistics need at least one batch of training inputs"
            )


def tracking_layers(model: Any) -> list[Any]:
    """The BatchNorm layers of ``model`` that keep running statistics."""
    import torch

    return [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
    ]


@contextmanager
def measuring(model: Any, layers: list[Any]) -> Iterator[None]:
    """BatchNorm layers average the statistics of what they see, all else in eval mode; without gradients.

    Flags and momenta are put back whatever happens, the former statistics after an exception.
    """
    momenta = [layer.momentum for layer in layers]
    saved = [{name: buffer.clone() for name, buffer in layer.named_buffers()} for layer in layers]
    with evaluating(model):
        for layer in layers:
            layer.train()
            layer.reset_running_stats()
            layer.momentum = None
        try:
            yield
        except BaseException:
            for layer, buffers in zip(layers, saved, strict=True):
                for name, buffer in layer.named_buffers():
                    buffer.copy_(buffers[name])
            raise
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
