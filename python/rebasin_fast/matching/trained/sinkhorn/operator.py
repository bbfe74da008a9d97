"""Sinkhorn's doubly stochastic matrices with an implicit backward pass, in torch, batched."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from rebasin_fast._models.inference import import_torch
from rebasin_fast.matching.trained.sinkhorn.gradient import batch_times, implicit_gradient

Solver = Literal["auto", "schur", "conjugate_gradients", "dense"]


def soft_permutations(
    scores: Any,
    *,
    tau: float = 1.0,
    iterations: int = 20,
    tolerance: float = 0.0,
    solver: Solver = "auto",
) -> Any:
    """exp(scores / tau) scaled to rows and columns that sum to 1; differentiable in ``scores``.

    Parameters
    ----------
    scores : (..., n, n) tensor
        float32 or float64, on any device. Not changed.
    tau : float
        Temperature; towards 0 the result becomes the permutation of the largest sum of scores.
    iterations : int
        Most scalings of columns, then rows. The rows sum to 1 to rounding; the columns as far as it got.
    tolerance : float
        Stop when every column sums to 1 within this.
    solver : {"auto", "schur", "conjugate_gradients", "dense"}
        How the backward pass solves its linear system. "auto" factorises up to 128 units, as "schur" does for every
        size, and iterates by conjugate gradients above, up to 256 units and where float32 breaks down in float64;
        "dense" is the system of 2n - 1 unknowns as it is, slow, for comparison.

    Returns
    -------
    (..., n, n) tensor
        Of the dtype and device of ``scores``.

    Raises
    ------
    ValueError
        ``scores`` are no square matrices, or an option is out of its range.

    Notes
    -----
    An iteration is two matrix-vector products on a kernel that has the scalings so far absorbed; when a scaling
    leaves the range in which the kernel's underflow is negligible it is absorbed by one pass in the log domain, so
    that float32 is safe at any temperature. The backward pass differentiates the fixed point, not the iterations;
    see :func:`rebasin_fast.matching.trained.sinkhorn.gradient.implicit_gradient`.

    Sinkhorn & Knopp 1967; stabilisation as in Schmitzer, *Stabilized Sparse Scaling Algorithms*, 2019.

    Examples
    --------
    >>> import torch
    >>> from rebasin_fast.matching.sinkhorn_operator import soft_permutations
    >>> soft = soft_permutations(torch.tensor([[2.0, 0.0], [0.0, 0.0]]), tau=0.1)
    >>> soft.round().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if not tau > 0.0:
        raise ValueError(f"tau is a positive temperature, got {tau}")
    if iterations < 1:
        raise ValueError(f"iterations is a positive number, got {iterations}")
    if scores.ndim < 2 or scores.shape[-1] != scores.shape[-2]:
        raise ValueError(f"scores are square matrices, got shape {tuple(scores.shape)}")
    flat = scores.reshape(-1, *scores.shape[-2:])
    return _operator().apply(flat, float(tau), iterations, tolerance, solver).reshape(scores.shape)


@cache
def _operator() -> Any:
    """The autograd function; made at first use, because torch is optional."""
    function: Any = import_torch("sinkhorn").autograd.Function

    class Sinkhorn(function):  # type: ignore[misc]
        @staticmethod
        def forward(
            ctx: Any, scores: Any, tau: float, iterations: int, tolerance: float, solver: Solver
        ) -> Any:
            soft = balanced(scores, tau, iterations, tolerance)
            ctx.save_for_backward(soft)
            ctx.tau, ctx.solver = tau, solver
            return soft

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> tuple[Any, ...]:
            (soft,) = ctx.saved_tensors
            return implicit_gradient(soft, gradient, ctx.tau, ctx.solver), None, None, None, None

    return Sinkhorn


def balanced(scores: Any, tau: float, iterations: int, tolerance: float) -> Any:
    """The scaled matrices of a batch (k, n, n), without gradients."""
    torch = import_torch("sinkhorn")
    logits = scores.detach() / tau
    # Beyond e^limit a scaling may raise entries that the kernel lost to underflow.
    limit = 30.0 if logits.dtype == torch.float32 else 300.0
    _log_iteration(logits)
    kernel = logits.exp()
    u = torch.ones_like(logits[..., 0])
    v = torch.ones_like(u)
    for _ in range(iterations - 1):
        columns = batch_times(kernel.mT, u)
        if tolerance and bool(((columns * v - 1.0).abs() <= tolerance).all()):
            break
        new_v = columns.reciprocal()
        new_u = batch_times(kernel, new_v).reciprocal()
        if _within(limit, new_u, new_v):
            u, v = new_u, new_v
            continue
        logits += u.log().unsqueeze(-1) + v.log().unsqueeze(-2)
        _log_iteration(logits)
        kernel = torch.exp(logits, out=kernel)
        u, v = torch.ones_like(u), torch.ones_like(v)
    return kernel.mul_(u.unsqueeze(-1)).mul_(v.unsqueeze(-2))


def _log_iteration(logits: Any) -> None:
    """Scale columns, then rows, in the log domain and in place."""
    logits -= logits.logsumexp(-2, keepdim=True)
    logits -= logits.logsumexp(-1, keepdim=True)


def _within(limit: float, *scalings: Any) -> bool:
    # A NaN compares false, so that it counts as out of range.
    return all(bool((scaling.log().abs() < limit).all()) for scaling in scalings)
