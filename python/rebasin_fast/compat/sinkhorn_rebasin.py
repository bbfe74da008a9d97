"""The names of the PyPI package ``sinkhorn-rebasin`` 0.0.2 (``import rebasin``), on this package's core.

Programs switch by the import::

    from rebasin_fast.compat.sinkhorn_rebasin import RebasinNet, matching                       # was: rebasin
    from rebasin_fast.compat.sinkhorn_rebasin import DistL2Loss, DistL1Loss, MidLoss, RndLoss   # was: rebasin.loss

Differences: the spec comes from this package, which reads architectures that the original cannot trace, and can be
verified; ``model`` may be tied, nested, on any device; Sinkhorn is batched, its backward pass solves a Schur
complement; the losses read their inputs without changing them. ``remove_nodes`` is accepted and not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._models.inference import check_model
from rebasin_fast._models.wide_copy import model_copy
from rebasin_fast.assignment import Assignment, solve_assignment
from rebasin_fast.compat.sinkhorn_losses import DistCosineLoss, DistL1Loss, DistL2Loss, MidLoss, RndLoss
from rebasin_fast.errors import MissingDependencyError
from rebasin_fast.matching.trained.sinkhorn.scores import soft_by_size
from rebasin_fast.matching.trained.soft_layout import SoftApplication
from rebasin_fast.permutation import apply_permutation, identity_permutation
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.tracing import trace_spec

try:
    import torch
except ImportError:
    raise MissingDependencyError(
        "compat.sinkhorn_rebasin needs PyTorch: pip install 'rebasin-fast[torch]'"
    ) from None

__all__ = [
    "DistCosineLoss",
    "DistL1Loss",
    "DistL2Loss",
    "MidLoss",
    "RebasinNet",
    "RndLoss",
    "matching",
]


class RebasinNet(torch.nn.Module):
    """A model whose hidden units are reordered by trainable, soft permutations.

    Parameters
    ----------
    model : torch.nn.Module
        Copied; moved towards another model by training ``p``.
    input_shape : sequence of int
        Shape of an input, the batch included; read where the model is traced.
    remove_nodes : sequence
        Accepted for the original's programs; not needed.
    l, tau, n_iter : float, float, int
        Factor on the scores, temperature, and Sinkhorn iterations.
    operator : "implicit"
        The only one, as in the original.
    permutation_type : {"mat_mul", "broadcast"}
        In eval mode both reorder units exactly.
    spec : PermutationSpec, optional
        Taken in place of the one that is found for ``model``.

    Raises
    ------
    SpecError
        No spec is known for the model; pass ``spec=``.
    ValueError
        An unknown operator or permutation type.

    Notes
    -----
    In train mode ``net()`` gives the model with softly permuted weights, connected to ``p``; ``net(x)`` its
    outputs. In eval mode the permutations are hard, found by an exact assignment of the scores. The object returned
    is one and the same at every call, and overwritten by the next.

    Examples
    --------
    >>> import torch
    >>> from rebasin_fast.compat.sinkhorn_rebasin import DistL2Loss, RebasinNet
    >>> _ = torch.manual_seed(0)
    >>> net = lambda: torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> a, b = net(), net()
    >>> rebased, distance = RebasinNet(a, input_shape=(1, 3)), DistL2Loss(b)
    >>> optimizer = torch.optim.AdamW(rebased.p.parameters(), lr=0.1)
    >>> before = distance(a).item()
    >>> for _ in range(50):
    ...     optimizer.zero_grad()
    ...     distance(rebased()).backward()
    ...     optimizer.step()
    >>> _ = rebased.eval()
    >>> distance(rebased()).item() < before
    True
    """

    _source: Any
    _output: Any

    @_arguments.checked(n_iter=1)
    def __init__(
        self,
        model: Any,
        input_shape: Sequence[int],
        remove_nodes: Sequence[Any] = (),
        l: float = 1.0,  # noqa: E741  # the original's name
        tau: float = 1.0,
        n_iter: int = 20,
        operator: str = "implicit",
        permutation_type: str = "mat_mul",
        spec: PermutationSpec | None = None,
    ) -> None:
        super().__init__()
        check_model(model, "model")
        _arguments.number("tau", tau, above=0.0, of="a temperature")
        if operator != "implicit":
            raise ValueError(f"operator is 'implicit', got {operator!r}")
        if permutation_type not in ("mat_mul", "broadcast"):
            raise ValueError(f"permutation_type is 'mat_mul' or 'broadcast', got {permutation_type!r}")
        self.spec = spec if spec is not None else _spec_of(model, input_shape)
        # Not registered as submodules: the parameters are the scores alone.
        object.__setattr__(self, "_source", _frozen(model))
        object.__setattr__(self, "_output", _frozen(model))
        sizes = self.spec.sizes(dict(model.state_dict()))
        self._identity = identity_permutation(self.spec, sizes)
        first = next(iter(model.parameters()))
        self._application = SoftApplication(self.spec, dict(model.state_dict()), sizes, first.device)
        self.p = torch.nn.ParameterList()
        for name, index in self._identity.items():
            scores = torch.eye(sizes[name], dtype=first.dtype).repeat(*index.shape[:-1], 1, 1)
            noise = torch.randn(scores.shape, dtype=first.dtype) * 0.1
            self.p.append(torch.nn.Parameter((scores + noise).to(first.device)))
        self.l, self.tau, self.n_iter, self.operator = l, tau, n_iter, operator

    def forward(self, x: Any = None) -> Any:
        """The permuted model, or its outputs at ``x``."""
        output = self._overwritten()
        if x is None:
            return output
        return output(x.unsqueeze(0) if x.ndim == 1 else x)

    def identity_init(self) -> None:
        """Scores of the identity."""
        self._set({name: torch.from_numpy(index) for name, index in self._identity.items()})

    def random_init(self) -> None:
        """Scores of random permutations, drawn by torch."""
        self._set({name: torch.rand(index.shape).argsort(-1) for name, index in self._identity.items()})

    def update_batchnorm(self, model: Any) -> None:
        """Take over the BatchNorm statistics of ``model``, unpermuted."""
        buffers = dict(model.named_buffers())
        with torch.no_grad():
            for name, own in self._source.named_buffers():
                if name in buffers and buffers[name] is not None:
                    own.copy_(buffers[name])

    def permutation(self) -> dict[str, Any]:
        """The hard permutations by name, for :func:`rebasin_fast.apply_permutation` on the model's parameters."""
        found = {}
        for name, scores in self._scores():
            flat = scores.detach().cpu().reshape(-1, *scores.shape[-2:]).numpy()
            solved = solve_assignment(flat, maximize=True)
            assert isinstance(solved, Assignment)
            found[name] = solved.columns.reshape(scores.shape[:-1])
        return found

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        """The scores."""
        yield from self.p.parameters(recurse)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of the scores."""
        for scores in self.p:
            if scores.grad is not None:
                scores.grad = None if set_to_none else torch.zeros_like(scores)

    def train(self, mode: bool = True) -> RebasinNet:
        """Soft permutations, and the model's own layers in train mode; False: hard ones, in eval mode."""
        self._output.train(mode)
        super().train(mode)
        return self

    def to(self, *args: Any, **kwargs: Any) -> RebasinNet:
        """Scores and model on another device."""
        for module in (self._source, self._output):
            module.to(*args, **kwargs)
        super().to(*args, **kwargs)
        own = dict(self._source.state_dict())
        device = next(iter(self._source.parameters())).device
        self._application = SoftApplication(self.spec, own, self.spec.sizes(own), device)
        return self

    def _overwritten(self) -> Any:
        source = dict(self._source.state_dict())
        buffers = {name: buffer for name, buffer in self._output.named_buffers() if name in source}
        hard = {}
        if buffers or not self.training:
            hard = apply_permutation(self.spec, self.permutation(), source)
        moved = self._softly_moved() if self.training else hard
        for name, parameter in self._output.named_parameters():
            parameter.detach_()
            parameter.copy_(moved[name])
        for name, buffer in buffers.items():
            buffer.copy_(hard[name])
        return self._output

    def _softly_moved(self) -> dict[str, Any]:
        scores = {name: value * self.l if self.l != 1.0 else value for name, value in self._scores()}
        soft = soft_by_size(scores, tau=self.tau, iterations=self.n_iter)
        return self._application(dict(self._source.named_parameters()), soft)

    def _scores(self) -> Iterator[tuple[str, Any]]:
        return zip(self._identity, self.p, strict=True)

    def _set(self, permutation: dict[str, Any]) -> None:
        with torch.no_grad():
            for name, scores in self._scores():
                scores.zero_().scatter_(-1, permutation[name].unsqueeze(-1).to(scores.device), 1.0)


def matching(alpha: Any, **kwargs: Any) -> Any:
    """The permutation matrix of the largest sum of ``alpha``'s entries, (n, n), in float64, on the CPU.

    Examples
    --------
    >>> from rebasin_fast.compat.sinkhorn_rebasin import matching
    >>> matching([[0.0, 2.0], [1.0, 0.0]]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    maximize = not kwargs.pop("maximize", False)  # the original negates, then minimises
    if kwargs:
        raise TypeError(f"matching takes maximize=, got {sorted(kwargs)}")
    try:
        solved = solve_assignment(alpha, maximize=maximize)
        if not isinstance(solved, Assignment) or np.ndim(solved.columns) != 1:
            raise ValueError("one matrix is expected")
    except (TypeError, ValueError) as error:
        raise type(error)(f"alpha: {error}") from None
    return torch.eye(len(solved.columns), dtype=torch.float64)[torch.as_tensor(solved.columns).cpu()]


def _spec_of(model: Any, input_shape: Sequence[int]) -> PermutationSpec:
    """Traced from the model's own program."""
    first = next(iter(model.parameters()))
    return trace_spec(model, torch.zeros(tuple(input_shape), dtype=first.dtype, device=first.device))


def _frozen(model: Any) -> Any:
    frozen = model_copy(model)
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    return frozen
