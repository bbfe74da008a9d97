"""BatchNorm statistics of an interpolated model, measured again on data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rebasin_fast.errors import MissingDependencyError


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
    ValueError
        The model has no BatchNorm layer with running statistics, or ``batches`` is empty; then the statistics
        are left as they were.

    Notes
    -----
    One forward pass a batch, without gradients. Means and variances are averaged over the batches with equal
    weights, dropout and all other layers stay in eval mode. The statistics of a layer depend on those before
    it, all of which use the batch's own while they are measured, as in training.
    """
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            "reset_batch_norm needs PyTorch: pip install 'rebasin-fast[torch]'"
        ) from None

    layers: list[Any] = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
    ]
    if not layers:
        raise ValueError(
            "the model has no BatchNorm layer with running statistics: there is nothing to reset"
        )
    device = layers[0].running_mean.device
    with _measuring(model, layers), torch.no_grad():
        count = 0
        for batch in batches:
            args, kwargs = _arguments(batch, device)
            model(*args, **kwargs)
            count += 1
        if count == 0:
            raise ValueError(
                "batches is empty: BatchNorm statistics need at least one batch of training inputs"
            )


@contextmanager
def _measuring(model: Any, layers: list[Any]) -> Iterator[None]:
    """BatchNorm layers in cumulative training mode, all else in eval mode; flags restored whatever happens."""
    training = [(module, module.training) for module in model.modules()]
    momenta = [layer.momentum for layer in layers]
    saved = [{name: buffer.clone() for name, buffer in layer.named_buffers()} for layer in layers]
    model.eval()
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
        for module, flag in training:
            module.training = flag


def _arguments(batch: Any, device: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(batch, Mapping):
        return (), {name: _moved(value, device) for name, value in batch.items()}
    first = batch[0] if isinstance(batch, tuple | list) else batch
    return (_moved(first, device),), {}


def _moved(value: Any, device: Any) -> Any:
    return value.to(device) if hasattr(value, "to") else value
