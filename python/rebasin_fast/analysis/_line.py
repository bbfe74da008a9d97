"""The loss of a torch model on a line of parameters, and its derivatives along the line."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from rebasin_fast._models.functional import FunctionalModel, Tensors
from rebasin_fast._models.inference import flags_restored
from rebasin_fast._models.plain_arithmetic import Statistics, plain_arithmetic


class Line:
    """A + t (B - A), buffers of floating point included; what is not floating point is A's.

    Parameters
    ----------
    function : FunctionalModel
    a, b : Mapping[str, tensor]
        The ends, as ``function.tensors`` gives them.
    """

    def __init__(self, function: FunctionalModel, a: Tensors, b: Tensors) -> None:
        self._function, self._a, self._b = function, a, b
        self._direction = {name: b[name] - value for name, value in a.items() if value.is_floating_point()}

    def loss(self, t: float, batch: Any, loss: Callable[[Any, Any], Any]) -> float:
        """The loss at t."""
        return float(self._loss(0, t, batch, loss))

    def derivatives(self, end: int, order: int, batch: Any, loss: Callable[[Any, Any], Any]) -> list[float]:
        """The loss at A (``end`` 0) or B (1) and its derivatives with respect to t, from the first to ``order``.

        Nested Jacobian-vector products, forward-mode alone: no gradient, and nothing of the size of the Hessian.
        """
        import torch

        def along(step: Any) -> tuple[Any, ...]:
            return (self._loss(end, step, batch, loss),)

        function: Callable[[Any], tuple[Any, ...]] = along
        for _ in range(order):
            function = _with_derivative(function)
        weights = next(iter(self._direction.values()))
        zero = torch.zeros((), dtype=weights.dtype, device=weights.device)
        return [float(value) for value in function(zero)]

    def _loss(self, end: int, step: Any, batch: Any, loss: Callable[[Any, Any], Any]) -> Any:
        """The loss ``step`` from an end, in the direction of B."""
        start = self._b if end else self._a
        moved = {name: start[name] + step * towards for name, towards in self._direction.items()}
        tensors = {name: moved.get(name, value) for name, value in self._a.items()}
        # These are copies: as they are, buffers pass their derivatives on.
        return _scalar(self._function.loss(tensors, batch, loss, write_back=True))


def _with_derivative(function: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any], tuple[Any, ...]]:
    """``function`` with the derivative of its last value appended."""
    import torch

    def extended(step: Any) -> tuple[Any, ...]:
        values, tangents = torch.func.jvp(function, (step,), (torch.ones_like(step),))[:2]
        return (*values, tangents[-1])

    return extended


def _scalar(value: Any) -> Any:
    shape = getattr(value, "shape", None)
    if shape is None or tuple(shape):
        found = type(value).__qualname__ if shape is None else f"a tensor of shape {tuple(shape)}"
        raise TypeError(
            f"loss(outputs, targets) gives one number as a tensor, the mean over a batch; got {found}"
        )
    return value


@contextmanager
def differentiable(model: Any, statistics: Statistics) -> Iterator[None]:
    """``model`` in eval mode, by operations that have forward derivatives; everything as before at the end."""
    import torch

    _load_forward_mode()
    attention = torch.nn.attention
    fast_path = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(flags_restored(model))
        stack.enter_context(plain_arithmetic(statistics))
        stack.enter_context(attention.sdpa_kernel(attention.SDPBackend.MATH))
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast_path)
        torch.backends.mha.set_fastpath_enabled(False)
        model.eval()
        yield


def _load_forward_mode() -> None:
    """The first Jacobian-vector product compiles scripts of torch's own, which its newest versions warn of."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.func.jvp(torch.square, (torch.ones(()),), (torch.ones(()),))
