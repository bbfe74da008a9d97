"""Loss and accuracy of a torch classifier as a function of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._models.functional import fresh
from rebasin_fast._models.inference import check_model, device_of, evaluating, fitting, import_torch, moved
from rebasin_fast.errors import DataError
from rebasin_fast.evaluation.batch_norm import reset_batch_norm
from rebasin_fast.evaluation.calibration import CalibrationError, fit_temperature
from rebasin_fast.evaluation.loading import load_into
from rebasin_fast.typing import Params

Batches = Iterable[tuple[Any, Any]]
Inputs = Iterable[Any]

_IGNORED = -100  # the class number that torch's cross-entropy leaves out


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
    calibration_batches : iterable, or callable that gives one, optional
        Held-out pairs of (inputs, targets) on which :meth:`calibrated` fits a temperature: neither those of
        ``batches`` nor those of the training. Thousands of samples do.

    Raises
    ------
    DataError
        At a call: there are no batches, or one is no pair, has no samples, does not fit the model, or has other
        numbers of inputs and targets; the batch's number, counted from 0, is named.
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

    @_arguments.checked()
    def __init__(
        self,
        model: Any,
        batches: Batches | Callable[[], Batches],
        *,
        loss: Callable[[Any, Any], Any] | None = None,
        batch_norm_batches: Inputs | Callable[[], Inputs] | None = None,
        calibration_batches: Batches | Callable[[], Batches] | None = None,
    ) -> None:
        torch = import_torch("evaluation")
        check_model(model, "model")
        self._model = model
        self._batches = batches
        self._loss = torch.nn.functional.cross_entropy if loss is None else loss
        self._batch_norm_batches = batch_norm_batches
        self._calibration_batches = calibration_batches

    @_arguments.checked()
    def __call__(self, params: Params) -> dict[str, float]:
        """Mean loss, and accuracy, of the model with ``params``."""
        self._load(params)
        with evaluating(self._model):
            return self._measure()

    @_arguments.checked()
    def calibrated(self, params: Params) -> dict[str, float]:
        """The metrics of a call, and those after temperature scaling (Guo et al. 2017).

        A temperature is fitted to the logits of ``calibration_batches``, and the logits of ``batches`` are divided
        by it. The accuracy stays as it is.

        Parameters
        ----------
        params : Mapping[str, array]

        Returns
        -------
        dict[str, float]
            ``loss``, ``accuracy``, ``calibrated_loss``, ``temperature``, and the expected calibration errors ``ece``
            and ``calibrated_ece`` over 15 bins.

        Raises
        ------
        ValueError
            There are no ``calibration_batches``, or the loss is not cross-entropy.
        DataError
            Targets are no class numbers; as in :func:`rebasin_fast.evaluation.fit_temperature`.

        Notes
        -----
        The logits of the calibration set are kept in host memory: samples x classes x 4 bytes in float32, 0.4 MB for
        10,000 samples of 10 classes and 200 MB for 50,000 of 1,000.

        Examples
        --------
        >>> import torch
        >>> from rebasin_fast.evaluation import Evaluator
        >>> inputs, classes = torch.eye(3).repeat(4, 1), torch.tensor([0, 1, 2] * 3 + [1, 2, 0])
        >>> model = torch.nn.Linear(3, 3, bias=False)
        >>> evaluate = Evaluator(model, [(inputs, classes)], calibration_batches=[(inputs, classes)])
        >>> found = evaluate.calibrated({"weight": 10 * torch.eye(3)})  # sure, and right in nine cases of twelve
        >>> [round(found[name], 3) for name in ("accuracy", "loss", "calibrated_loss", "temperature")]
        [0.75, 2.5, 0.736, 5.581]
        """
        if self._calibration_batches is None:
            raise ValueError(
                "there is no data to fit a temperature on: pass calibration_batches=, held-out pairs (inputs, targets)"
            )
        if not self._is_cross_entropy():
            raise ValueError(
                "temperature scaling needs the cross-entropy of logits and class numbers (the default loss, "
                f"torch.nn.functional.cross_entropy); this loss is {self._loss!r}"
            )
        self._load(params)
        with evaluating(self._model):
            return self._measure(self._temperature())

    @property
    def _torch(self) -> Any:
        """Not kept as an attribute: a module of Python cannot be pickled or copied."""
        return import_torch("evaluation")

    def _load(self, params: Params) -> None:
        load_into(self._model, params)
        if self._batch_norm_batches is not None:
            reset_batch_norm(self._model, fresh(self._batch_norm_batches))

    def _measure(self, temperature: float | None = None) -> dict[str, float]:
        samples, loss, calibrated_loss, correct = 0, 0.0, 0.0, 0.0
        errors = CalibrationError(), CalibrationError()
        classified = True
        for outputs, targets in self._outcomes("batches", self._batches):
            count = len(targets)
            samples += count
            loss += float(self._loss(outputs, targets)) * count
            classified = classified and self._are_classes(outputs, targets)
            if classified:
                correct += int((outputs.argmax(1) == targets).sum()) / max(targets[0].numel(), 1)
            if temperature is not None:
                calibrated_loss += float(self._loss(outputs / temperature, targets)) * count
                scores, classes = self._scores(outputs, targets)
                for error, divisor in zip(errors, (1.0, temperature), strict=True):
                    error.add(scores, classes, divisor)
        if samples == 0:
            raise DataError("the data source gave no batches")
        measured = {"loss": loss / samples}
        if classified:
            measured["accuracy"] = correct / samples
        if temperature is not None:
            measured |= {"calibrated_loss": calibrated_loss / samples, "temperature": temperature}
            measured |= {"ece": errors[0].value(), "calibrated_ece": errors[1].value()}
        return measured

    def _temperature(self) -> float:
        assert self._calibration_batches is not None
        rows = [
            self._scores(*outcome)
            for outcome in self._outcomes("calibration_batches", self._calibration_batches)
        ]
        if not rows:
            raise DataError("calibration_batches gave no batches")
        scores, classes = (np.concatenate(column) for column in zip(*rows, strict=True))
        return fit_temperature(scores, classes)

    def _outcomes(self, source: str, batches: Batches | Callable[[], Batches]) -> Iterator[tuple[Any, Any]]:
        """Outputs of the model and targets, batch by batch."""
        device = device_of(self._model)
        for count, batch in enumerate(fresh(batches)):
            number = f"{count} of {source}"
            inputs, targets = _pair(batch)
            if len(targets) == 0:
                raise DataError(f"batch {number} has no targets: leave it out")
            with fitting(self._model, inputs, number):
                outputs = self._outputs(inputs, device)
            if self._loss is self._torch.nn.functional.cross_entropy:  # others may pair them in other ways
                _check_same_count(number, outputs, targets)
            yield outputs, moved(targets, device)

    def _scores(self, outputs: Any, targets: Any) -> tuple[Any, Any]:
        """Logits (n, C) and classes (n,) on the host, without the positions that cross-entropy ignores."""
        if not self._are_classes(outputs, targets):
            raise DataError(
                "temperature scaling needs targets that are class numbers, integers of one dimension less than the "
                "logits"
            )
        scores = outputs.movedim(1, -1).reshape(-1, outputs.shape[1])
        classes = targets.reshape(-1)
        kept = classes != _IGNORED
        scores = scores if scores.dtype.itemsize >= 4 else scores.float()  # NumPy has no bfloat16
        return scores[kept].cpu().numpy(), classes[kept].cpu().numpy()

    def _is_cross_entropy(self) -> bool:
        if isinstance(self._loss, self._torch.nn.CrossEntropyLoss):
            given = self._loss
            plain = given.weight is None and given.label_smoothing == 0.0 and given.reduction == "mean"
            return bool(plain and given.ignore_index == _IGNORED)
        return self._loss is self._torch.nn.functional.cross_entropy

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


def _check_same_count(number: str, outputs: Any, targets: Any) -> None:
    shape: tuple[int, ...] = tuple(getattr(outputs, "shape", ()))
    if shape and shape[0] != len(targets):
        raise DataError(
            f"batch {number} has {len(targets)} targets, and the model gives {shape[0]} outputs for its inputs: give "
            "one target for each sample"
        )


def _pair(batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise DataError(f"a batch is a pair (inputs, targets); got {type(batch).__qualname__}")
    return batch[0], batch[1]
