"""Forward passes of torch models for measuring: batches of every form, training flags restored after exceptions too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from rebasin_fast._arguments.kinds import is_without_numbers
from rebasin_fast.errors import DataError, MissingDependencyError, RebasinError


class UnfitBatchError(DataError, RuntimeError):
    """A batch that the model cannot take; a RuntimeError too, as torch's own is."""


def import_torch(user: str) -> Any:
    """The torch module; MissingDependencyError, naming the function that needs it, where it is not installed."""
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(f"{user} needs PyTorch: pip install 'rebasin-fast[torch]'") from None
    return torch


def check_model(model: Any, what: str) -> None:
    """TypeError unless ``model`` has the methods of a ``torch.nn.Module``."""
    if not all(hasattr(model, name) for name in ("named_modules", "state_dict", "eval")):
        hint = (
            "; this function runs the model, so that parameters alone do not do"
            if isinstance(model, Mapping)
            else ""
        )
        raise TypeError(f"{what} is a torch.nn.Module, got {type(model).__qualname__}{hint}")


def device_of(model: Any) -> Any:
    """The device of the first parameter or buffer; None for a model without any."""
    for tensor in [*model.parameters(), *model.buffers()]:
        return tensor.device
    return None


def call(model: Any, batch: Any, device: Any, number: int | None = None) -> Any:
    """The output of ``model`` for one batch, the ``number``-th counted from 0.

    A batch is a tensor, a (inputs, …) tuple or list, whose first element is used, or a mapping of keyword
    arguments; tensors are moved to ``device``.
    """
    inputs = inputs_of(batch)
    with fitting(model, inputs, number):
        if isinstance(inputs, Mapping):
            return model(**{name: moved(value, device) for name, value in inputs.items()})
        return model(moved(inputs, device))


def inputs_of(batch: Any) -> Any:
    """The inputs of a batch for :func:`call`."""
    return batch[0] if isinstance(batch, tuple | list) and len(batch) else batch


@contextmanager
def fitting(model: Any, inputs: Any, number: int | str | None) -> Iterator[None]:
    """What ``model`` raises about inputs that it cannot take becomes an error that names batch and model."""
    try:
        yield
    except (TypeError, AttributeError, IndexError, RuntimeError, ValueError) as error:
        if isinstance(error, RebasinError | MemoryError) or type(error).__name__ == "OutOfMemoryError":
            raise
        shape = getattr(inputs, "shape", None)
        found = f"inputs of shape {tuple(shape)}" if shape is not None else type(inputs).__qualname__
        which = "one of the batches" if number is None else f"batch {number}"
        raise UnfitBatchError(
            f"{which} ({found}) does not fit the model ({type(model).__qualname__}): {error}"
        ) from error


def check_samples(batch: Any, number: int) -> None:
    """DataError, with the batch's number, for inputs without samples, or with NaN or infinite entries.

    Keyword arguments are not searched for infinities, which masks hold.
    """
    inputs = inputs_of(batch)
    named = isinstance(inputs, Mapping)
    for value in inputs.values() if named else (inputs,):
        shape = getattr(value, "shape", None)
        if shape is None or not hasattr(value, "isfinite"):
            continue
        if is_without_numbers(value):
            raise DataError(
                f"batch {number} lies on the meta device, or is sparse: give dense tensors with numbers"
            )
        if 0 in shape:
            raise DataError(f"batch {number} holds no samples (shape {tuple(shape)}): leave it out")
        bad = int((value.isnan() if named else ~value.isfinite()).sum())
        if bad:
            raise DataError(
                f"batch {number} holds {bad} entries that are NaN or infinite: leave it "
                "out, or put numbers in their place"
            )


@contextmanager
def evaluating(*models: Any) -> Iterator[None]:
    """All models in eval mode and without gradients; the flag of every module is put back."""
    import torch

    with flags_restored(*models), torch.no_grad():
        for model in models:
            model.eval()
        yield


@contextmanager
def flags_restored(*models: Any) -> Iterator[None]:
    """The training flag of every module is put back at the end."""
    training = [(module, module.training) for model in models for module in model.modules()]
    try:
        yield
    finally:
        for module, flag in training:
            module.training = flag


@contextmanager
def uncompiled(model: Any) -> Iterator[None]:
    """Parts of ``model`` that ``torch.compile`` wrapped run as the modules that they wrap.

    Names of parameters stay those of the wrapped model (``_orig_mod.…``).
    """
    compiled = [module for module in model.modules() if type(module).__name__ == "OptimizedModule"]
    forwards = [vars(module).get("forward") for module in compiled]
    in_place = [
        (module, module._compiled_call_impl) for module in model.modules() if _compiled_in_place(module)
    ]
    try:
        for module, _ in in_place:
            module._compiled_call_impl = None
        for module in compiled:
            module.__dict__["forward"] = module._orig_mod.__call__
        with _eager_functions():
            yield
    finally:
        for module, call_impl in in_place:
            module._compiled_call_impl = call_impl
        for module, forward in zip(compiled, forwards, strict=True):
            module.__dict__.pop("forward", None)
            if forward is not None:
                module.__dict__["forward"] = forward


def _compiled_in_place(module: Any) -> bool:
    return getattr(module, "_compiled_call_impl", None) is not None


def _eager_functions() -> Any:
    """Compiled functions and methods run as they are written, where this torch can do that (since 2.6)."""
    import torch

    stance = getattr(torch.compiler, "set_stance", None)
    return nullcontext() if stance is None else stance("force_eager")


def count_of(batches: object) -> int | None:
    """The number of batches, where it is known beforehand."""
    try:
        return len(batches)  # type: ignore[arg-type]
    except TypeError:
        return None


def moved(value: Any, device: Any) -> Any:
    """A tensor, or any object with ``to``, on ``device``; everything else as it is."""
    return value.to(device) if hasattr(value, "to") and device is not None else value
