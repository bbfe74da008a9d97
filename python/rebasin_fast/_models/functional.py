"""A torch model as a function of its parameters, which methods that need gradients differentiate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from rebasin_fast._arrays import check_arrays, wide_on_host
from rebasin_fast._arrays.torch import check_numbers
from rebasin_fast._models.inference import fitting, flags_restored, import_torch, moved
from rebasin_fast.errors import DataError, ParamsError

if TYPE_CHECKING:
    from rebasin_fast.typing import Params

# Pairs of inputs and targets: an iterable that can be gone through again (a DataLoader, a list), or a callable that
# gives a fresh one.
Batches: TypeAlias = Iterable[tuple[Any, Any]] | Callable[[], Iterable[tuple[Any, Any]]]
Tensors: TypeAlias = dict[str, Any]


class FunctionalModel:
    """``model`` with other parameters than its own; the model itself is never changed but for its training flags.

    Parameters
    ----------
    model : torch.nn.Module
        Its parameters give device and dtype.
    method : str
        The function that needs it, for error messages.

    Raises
    ------
    MissingDependencyError
        torch is not installed.
    TypeError
        ``model`` is no ``torch.nn.Module``.
    ParamsError
        It has no parameters.
    """

    def __init__(self, model: Any, method: str) -> None:
        self._torch = import_torch(method)
        if not isinstance(model, self._torch.nn.Module):
            raise TypeError(f"model is a torch.nn.Module, got {type(model).__qualname__}")
        self.model = model
        self._own: Tensors = dict(model.state_dict(keep_vars=True))
        # Tied parameters count once, under their first name.
        self.trainable = [name for name, _ in model.named_parameters()]
        if not self.trainable:
            raise ParamsError("the model has no parameters, so there is nothing to match")
        self.device = self._own[self.trainable[0]].device

    def tensors(self, params: Params, which: str) -> Tensors:
        """Copies of ``params`` as the model has them: its names, its dtypes, its device.

        ParamsError where a parameter is missing, unknown to the model, or of another shape; counters may be missing.
        """
        check_arrays(params, f"parameters of {which}")
        missing = [name for name, own in self._own.items() if name not in params and own.ndim]
        unknown = [name for name in params if name not in self._own and len(params[name].shape)]
        for names, fault in ((missing, "is missing"), (unknown, "is unknown to the model")):
            if names:
                raise ParamsError(
                    f"parameters of {which}: {names[0]!r} {fault} ({len(names)} such parameters in all); "
                    "they must go by the names of model.state_dict()"
                )
        tensors = {}
        for name, own in self._own.items():
            value = params.get(name, own)
            if tuple(value.shape) != tuple(own.shape):
                raise ParamsError(
                    f"parameters of {which}: {name!r} has shape {tuple(value.shape)}; "
                    f"the model's has {tuple(own.shape)}"
                )
            # An array of another library may be a read-only view of a file.
            is_tensor = isinstance(value, self._torch.Tensor)
            if is_tensor and own.device.type != "meta":
                check_numbers(value)
            tensor = value if is_tensor else self._torch.tensor(wide_on_host(value))
            tensors[name] = tensor.detach().to(device=own.device, dtype=own.dtype, copy=True)
        return tensors

    def __call__(self, tensors: Tensors, inputs: Any, *, write_back: bool = False) -> Any:
        """The model's outputs.

        With ``write_back`` buffers such as BatchNorm statistics are used as they are: changed in place by layers in
        training, differentiated where they carry derivatives.
        """
        # Buffers that were mixed softly carry gradients, which statistics may not.
        buffers = {
            name: value if write_back else value.detach().clone()
            for name, value in tensors.items()
            if name not in self.trainable
        }
        values = {name: tensors[name] for name in self.trainable} | self._without_ties(buffers)
        with fitting(self.model, inputs, None):
            if isinstance(inputs, Mapping):
                keywords = {name: moved(value, self.device) for name, value in inputs.items()}
                return self._torch.func.functional_call(self.model, values, (), keywords)
            arguments = inputs if isinstance(inputs, tuple) else (inputs,)
            moved_arguments = tuple(moved(value, self.device) for value in arguments)
            return self._torch.func.functional_call(self.model, values, moved_arguments)

    def loss(
        self, tensors: Tensors, batch: Any, loss: Callable[[Any, Any], Any], *, write_back: bool = False
    ) -> Any:
        """``loss(outputs, targets)`` of one pair; ``write_back`` as in a call."""
        inputs, targets = pair_of(batch)
        return loss(self(tensors, inputs, write_back=write_back), moved(targets, self.device))

    def mean_loss(self, tensors: Tensors, batches: Sequence[Any], loss: Callable[[Any, Any], Any]) -> float:
        """The mean of :meth:`loss` over ``batches``, without gradients."""
        with self._torch.no_grad():
            return sum(float(self.loss(tensors, batch, loss)) for batch in batches) / len(batches)

    @contextmanager
    def running(self) -> Iterator[None]:
        """All layers in eval mode, BatchNorm layers on the statistics of each batch; flags restored at the end."""
        with flags_restored(self.model):
            self.model.eval()
            for module in self.model.modules():
                if isinstance(module, self._torch.nn.modules.batchnorm._BatchNorm):
                    module.train()
            yield

    def with_ties(self, parameters: Tensors) -> Tensors:
        """Tensors of the trainable names, under the second names of tied parameters too."""
        first = {id(self._own[name]): name for name in self.trainable}
        return {name: parameters[first[id(own)]] for name, own in self._own.items() if id(own) in first}

    def _without_ties(self, buffers: Tensors) -> Tensors:
        """Second names of tied parameters left out: ``functional_call`` ties them itself."""
        parameters = {id(self._own[name]) for name in self.trainable}
        return {name: value for name, value in buffers.items() if id(self._own[name]) not in parameters}


def pair_of(batch: Any) -> tuple[Any, Any]:
    """Inputs and targets of a batch; DataError for one that is no pair."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise DataError(f"a batch is a pair of inputs and targets, got {type(batch).__qualname__}")
    return batch[0], batch[1]


def fresh(batches: Batches) -> Iterator[Any]:
    """The batches from the beginning."""
    return iter(batches() if callable(batches) else batches)
