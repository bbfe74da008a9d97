"""Loss and accuracy of a torch classifier as a function of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from rebasin_fast._models.functional import fresh
from rebasin_fast._models.inference import check_model, device_of, evaluating, import_torch, moved
from rebasin_fast.errors import DataError, ParamsError
from rebasin_fast.evaluation.batch_norm import reset_batch_norm
from rebasin_fast.typing import Params

Batches = Iterable[tuple[Any, Any]]
Inputs = Iterable[Any]


class Evaluator:
    """Evaluates parameters in one model on one data set; for :func:`rebasin_fast.loss_curve`.

    Parameters
    ----------
    model : torch.nn.Module
        Its parameters are overwritten at every call; evaluated in eval mode, without gradients.
    batches : iterable, or callable that gives one
        Pairs of (inputs, targets), gone through at every call: a list, a ``DataLoader``, or a function that
        gives a fresh iterable. Inputs are a tensor, a tuple of arguments, or a mapping of keyword arguments;
        they are moved to the device of the model.
    loss : callable, optional
        ``loss(outputs, targets)``, the mean over a batch; cross-entropy by default.
    batch_norm_batches : iterable, or callable that gives one, optional
        Training inputs on which BatchNorm statistics are measured again before every evaluation; see
        :func:`rebasin_fast.reset_batch_norm`.

    Raises
    ------
    DataError
        At a call: there are no batches, or one is no pair.
    ParamsError
        At a call: the parameters are not the model's.
    TypeError
        ``model`` is no torch.nn.Module.
    MissingDependencyError
        PyTorch is not installed.

    Notes
    -----
    A call gives ``{"loss": …}``, and ``"accuracy"`` where targets are class numbers, both averaged over samples.

    Examples
    --------
    >>> import torch
    >>> from rebasin_fast.evaluation import Evaluator
    >>> model = torch.nn.Linear(2, 3)
    >>> evaluate = Evaluator(model, [(torch.zeros(4, 2), torch.tensor([0, 1, 2, 0]))])
    >>> sorted(evaluate(model.state_dict()))
    ['accuracy', 'loss']
    """

    def __init__(
        self,
        model: Any,
        batches: Batches | Callable[[], Batches],
        *,
        loss: Callable[[Any, Any], Any] | None = None,
        batch_norm_batches: Inputs | Callable[[], Inputs] | None = None,
    ) -> None:
        torch = import_torch("evaluation")
        check_model(model, "model")
        self._model = model
        self._batches = batches
        self._loss = torch.nn.functional.cross_entropy if loss is None else loss
        self._batch_norm_batches = batch_norm_batches

    def __call__(self, params: Params) -> dict[str, float]:
        """Mean loss, and accuracy, of the model with ``params``."""
        load_into(self._model, params)
        if self._batch_norm_batches is not None:
            reset_batch_norm(self._model, fresh(self._batch_norm_batches))
        with evaluating(self._model):
            return self._measure()

    @property
    def _torch(self) -> Any:
        """Not kept as an attribute: a module of Python cannot be pickled or copied."""
        return import_torch("evaluation")

    def _measure(self) -> dict[str, float]:
        device = device_of(self._model)
        samples, loss, correct = 0, 0.0, 0
        classified = True
        for batch in fresh(self._batches):
            inputs, targets = _pair(batch)
            outputs = self._outputs(inputs, device)
            targets = moved(targets, device)
            count = len(targets)
            samples += count
            loss += float(self._loss(outputs, targets)) * count
            classified = classified and self._are_classes(outputs, targets)
            if classified:
                correct += int((outputs.argmax(1) == targets).sum()) / max(targets[0].numel(), 1)
        if samples == 0:
            raise DataError("the data source gave no batches")
        measured = {"loss": loss / samples}
        return {**measured, "accuracy": correct / samples} if classified else measured

    def _outputs(self, inputs: Any, device: Any) -> Any:
        if isinstance(inputs, Mapping):
            return self._model(**{name: moved(value, device) for name, value in inputs.items()})
        arguments = inputs if isinstance(inputs, tuple | list) else (inputs,)
        return self._model(*(moved(value, device) for value in arguments))

    def _are_classes(self, outputs: Any, targets: Any) -> bool:
        """Whether ``targets`` are class numbers, for which ``outputs`` has scores."""
        if not all(isinstance(value, self._torch.Tensor) for value in (outputs, targets)):
            return False
        return not targets.is_floating_point() and outputs.ndim == targets.ndim + 1


def _pair(batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise DataError(f"a batch is a pair (inputs, targets); got {type(batch).__qualname__}")
    return batch[0], batch[1]


def load_into(model: Any, params: Params) -> None:
    """Copy ``params`` into ``model``; prefixes that wrappers put before their names are left out.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place; dtypes and device stay those of the model.
    params : Mapping[str, array]
        Under the names of ``model.state_dict()``. Not changed.

    Raises
    ------
    ParamsError
        A parameter is missing, unknown to the model, or of another shape; counters may be missing. The model is then
        unchanged.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from rebasin_fast.evaluation import load_into
    >>> model = torch.nn.Linear(2, 1)
    >>> load_into(model, {"weight": np.ones((1, 2)), "bias": np.zeros(1)})
    >>> model.weight.tolist()
    [[1.0, 1.0]]
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
    """``params`` without the prefix of a wrapper, where the names of ``own`` have none."""
    first_own, first = next(iter(own)), next(iter(params), "")
    if first_own in params or not first.endswith(first_own):
        return params
    prefix = first.removesuffix(first_own)
    if not all(name.startswith(prefix) for name in params):
        return params
    return {name.removeprefix(prefix): value for name, value in params.items()}
