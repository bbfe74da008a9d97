"""Loss and accuracy of a torch classifier as a function of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast.batch_norm import reset_batch_norm
from rebasin_fast.errors import MissingDependencyError, ParamsError

if TYPE_CHECKING:
    from rebasin_fast.typing import Params

Batches = Iterable[tuple[Any, Any]]


class Evaluator:
    """Evaluates parameters in one model on one data set; for :func:`rebasin_fast.loss_curve`.

    Parameters
    ----------
    model : torch.nn.Module
        Its parameters are overwritten at every call; evaluated in eval mode, without gradients.
    batches : callable
        Gives a fresh iterable of (inputs, targets) at every call.
    loss : callable, optional
        ``loss(outputs, targets)``, the mean over a batch; cross-entropy by default.
    batch_norm_batches : callable, optional
        Gives training inputs on which BatchNorm statistics are measured again before every evaluation.

    Raises
    ------
    ParamsError
        At a call: the parameters are not the model's.
    ValueError
        At a call: there are no batches.

    Notes
    -----
    A call gives ``{"loss": …}``, and ``"accuracy"`` where targets are class numbers, both averaged over samples.
    """

    def __init__(
        self,
        model: Any,
        batches: Callable[[], Batches],
        *,
        loss: Callable[[Any, Any], Any] | None = None,
        batch_norm_batches: Callable[[], Iterable[Any]] | None = None,
    ) -> None:
        try:
            import torch
        except ImportError:
            raise MissingDependencyError(
                "evaluation needs PyTorch: pip install 'rebasin-fast[torch]'"
            ) from None
        self._torch = torch
        self._model = model
        self._batches = batches
        self._loss = torch.nn.functional.cross_entropy if loss is None else loss
        self._batch_norm_batches = batch_norm_batches

    def __call__(self, params: Params) -> dict[str, float]:
        """Mean loss, and accuracy, of the model with ``params``."""
        load_into(self._model, params)
        if self._batch_norm_batches is not None:
            reset_batch_norm(self._model, self._batch_norm_batches())
        training = self._model.training
        self._model.eval()
        try:
            with self._torch.no_grad():
                return self._measure()
        finally:
            self._model.train(training)

    def _measure(self) -> dict[str, float]:
        device = next(iter(self._model.parameters())).device
        samples, loss, correct = 0, 0.0, 0
        classified = True
        for inputs, targets in self._batches():
            outputs = self._model(inputs.to(device))
            targets = targets.to(device)
            count = len(targets)
            samples += count
            loss += float(self._loss(outputs, targets)) * count
            classified = classified and not targets.is_floating_point() and outputs.ndim == targets.ndim + 1
            if classified:
                correct += int((outputs.argmax(1) == targets).sum()) / max(targets[0].numel(), 1)
        if samples == 0:
            raise ValueError("the data source gave no batches")
        measured = {"loss": loss / samples}
        return {**measured, "accuracy": correct / samples} if classified else measured


def load_into(model: Any, params: Params) -> None:
    """Copy ``params`` into ``model``, whatever wrapper's prefix stands before their names.

    Raises
    ------
    ParamsError
        A parameter is missing, unknown to the model, or of another shape; counters may be missing.
    """
    import torch

    own = model.state_dict()
    tensors = {
        name: value if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))
        for name, value in _with_names_of(own, params).items()
    }
    missing = [name for name, tensor in own.items() if name not in tensors and tensor.ndim]
    unknown = [name for name, tensor in tensors.items() if name not in own and tensor.ndim]
    for names, fault in ((missing, "is missing from the file"), (unknown, "is unknown to the model")):
        if names:
            raise ParamsError(f"parameter {names[0]!r} {fault} ({len(names)} such parameters in all)")
    for name, tensor in tensors.items():
        if name in own and tensor.shape != own[name].shape:
            raise ParamsError(
                f"parameter {name!r} has shape {tuple(tensor.shape)}; the model's has {tuple(own[name].shape)}"
            )
    model.load_state_dict(tensors, strict=False)


def _with_names_of(own: Mapping[str, Any], params: Params) -> Params:
    """Without the prefix that a wrapper put before every name, where the model's own names have none."""
    first_own, first = next(iter(own)), next(iter(params), "")
    if first_own in params or not first.endswith(first_own):
        return params
    prefix = first.removesuffix(first_own)
    if not all(name.startswith(prefix) for name in params):
        return params
    return {name.removeprefix(prefix): value for name, value in params.items()}
