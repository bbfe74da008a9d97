"""The backward pass of Sinkhorn's scaling: a linear system in the duals, solved by elimination or by iteration."""

from __future__ import annotations

from typing import Any

import numpy as np

from rebasin_fast._models.inference import import_torch

# Up to the first size float64 costs next to nothing; up to the second a factorisation is faster than iterations.
_WIDE_UP_TO = 256
_FACTORISED_UP_TO = 128
_MOST_ITERATIONS = 300
_BATCHED_UP_TO = 32


def implicit_gradient(soft: Any, gradient: Any, tau: float, solver: str) -> Any:
    """The gradient in the scores for that in the matrices P = ``soft``, both (k, n, n).

    Notes
    -----
    Differentiates the fixed point P = exp(scores / tau + u 1^T + 1 v^T), P 1 = a, P^T 1 = b. One of the 2n duals is
    redundant and left out. For the gradient G of P it solves

        [diag a  P; P^T  diag b] [x; y] = [(P * G) 1; (P * G)^T 1]

    and gives (P * G - P * (x 1^T + 1 y^T)) / tau. Eliminating x leaves the symmetric positive definite Schur
    complement diag b - P^T diag(1/a) P of n - 1 unknowns: a Cholesky factorisation, O(n³), or conjugate gradients
    preconditioned by its diagonal, O(n²) an iteration. Eisenberger et al., *A Unified Framework for Implicit Sinkhorn
    Differentiation*, 2022, theorem 3, solve the whole system.
    """
    if solver == "auto" and soft.shape[-1] <= _FACTORISED_UP_TO:
        solver = "schur"
    if solver in ("schur", "dense") or soft.shape[-1] <= _WIDE_UP_TO:
        # A nearly hard permutation leaves a system that is nearly 0: its sums must be those of the rounded entries.
        found, _ = _solved(soft.double(), gradient.double(), tau, solver)
        return found.to(soft.dtype)
    found, converged = _solved(soft, gradient, tau, solver)
    if not bool(converged.all()) and soft.dtype != import_torch("sinkhorn").float64:
        left = ~converged
        found[left] = _solved(soft[left].double(), gradient[left].double(), tau, solver)[0].to(found.dtype)
    return found


def _solved(soft: Any, gradient: Any, tau: float, solver: str) -> tuple[Any, Any]:
    """The gradient, and for which of the batch it has converged."""
    weighted = soft * gradient
    rows, columns = soft.sum(-1), soft.sum(-2)
    right = weighted.sum(-1), weighted.sum(-2)
    if solver == "dense":
        x, y = _dense(soft, rows, columns, *right)
        converged = x[..., 0] == x[..., 0]
    else:
        solve = _schur if solver == "schur" else _conjugate_gradients
        y, converged = solve(soft, rows, columns, right[1] - batch_times(soft.mT, right[0] / rows))
        if solver == "schur" and not bool(converged.all()):
            y[~converged] = _solved_duals(soft[~converged], weighted[~converged])
        x = (right[0] - batch_times(soft, y)) / rows
    found = gradient - x.unsqueeze(-1)
    found.sub_(y.unsqueeze(-2)).mul_(soft).div_(tau)
    # A matrix that is hard to the last bit has no gradient, and its system no solution.
    return found.nan_to_num_(0.0, 0.0, 0.0), converged


def _solved_duals(soft: Any, weighted: Any) -> Any:
    """By conjugate gradients, which a singular system does not disturb."""
    rows, columns = soft.sum(-1), soft.sum(-2)
    right = weighted.sum(-2) - batch_times(soft.mT, weighted.sum(-1) / rows)
    return _conjugate_gradients(soft, rows, columns, right)[0]


def _schur(soft: Any, rows: Any, columns: Any, right: Any) -> tuple[Any, Any]:
    """The solution with the last unknown 0, all in float64, and which of the batch it solves."""
    torch = import_torch("sinkhorn")
    if soft.shape[-1] == 1:
        return torch.zeros_like(right), torch.ones(len(right), dtype=torch.bool, device=right.device)
    complement = torch.diag_embed(columns) - soft.mT @ (soft / rows.unsqueeze(-1))
    scale = _diagonal(soft, rows)[..., :-1].rsqrt()
    complement = complement[..., :-1, :-1] * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    # Scaled to a diagonal of 1. Groups of units that share nothing leave a null vector each, to which the right side
    # is orthogonal: the shift makes the system regular, and is below the rounding elsewhere.
    complement.diagonal(dim1=-2, dim2=-1).add_(1e-14 * soft.shape[-1])
    factor, _ = torch.linalg.cholesky_ex(complement)
    solved = torch.cholesky_solve((right[..., :-1] * scale).unsqueeze(-1), factor).squeeze(-1) * scale
    solved = torch.nn.functional.pad(solved, (0, 1))
    # Groups that share almost nothing leave a complement of a lower rank, and numbers without meaning.
    image = columns * solved - batch_times(soft.mT, batch_times(soft, solved) / rows)
    good = (image - right).abs().amax(-1) <= 1e-9 * right.abs().amax(-1)
    return solved, good


def _diagonal(soft: Any, rows: Any) -> Any:
    """Of the Schur complement, without the cancellation of b - sum P²/a."""
    torch = import_torch("sinkhorn")
    spread = (soft * (1.0 - soft / rows.unsqueeze(-1))).sum(-2)
    return spread.clamp_min(torch.finfo(soft.dtype).eps)


def _conjugate_gradients(soft: Any, rows: Any, columns: Any, right: Any) -> tuple[Any, Any]:
    """The solution of mean 0, and which of the batch have converged."""
    torch = import_torch("sinkhorn")
    accuracy = 1e-6 if soft.dtype == torch.float32 else 1e-14
    inverse = _diagonal(soft, rows).reciprocal()
    solution, residual = torch.zeros_like(right), right.clone()
    direction = residual * inverse
    length = (residual * direction).sum(-1)
    enough = accuracy * accuracy * length
    converged = length <= enough
    for _ in range(_MOST_ITERATIONS):
        image = columns * direction - batch_times(soft.mT, batch_times(soft, direction) / rows)
        curvature = (direction * image).sum(-1)
        # Where the curvature is lost to rounding, the residual is noise.
        usable = (curvature > 0.0) & ~converged
        step = torch.where(usable, length / curvature, 0.0).unsqueeze(-1)
        solution += step * direction
        residual -= step * image
        scaled = residual * inverse
        new_length = (residual * scaled).sum(-1)
        converged = converged | (new_length <= enough)
        if bool((converged | (curvature <= 0.0)).all()):
            break
        ratio = torch.where(converged, 0.0, new_length / length).unsqueeze(-1)
        direction = scaled + ratio * direction
        length = new_length
    return solution - solution.mean(-1, keepdim=True), converged


def _dense(soft: Any, rows: Any, columns: Any, right_rows: Any, right_columns: Any) -> tuple[Any, Any]:
    torch = import_torch("sinkhorn")
    top = torch.cat((torch.diag_embed(rows), soft), -1)
    bottom = torch.cat((soft.mT, torch.diag_embed(columns)), -1)
    system = torch.cat((top, bottom), -2)[..., :-1, :-1]
    right = torch.cat((right_rows, right_columns), -1)[..., :-1]
    # On the host by NumPy: torch's LU has returned pivots of 0 with several threads (2.13.0, CPU).
    host = np.linalg.solve(system.cpu().numpy(), right.unsqueeze(-1).cpu().numpy())
    solved = torch.from_numpy(host).to(right.device).squeeze(-1)
    solved = torch.nn.functional.pad(solved, (0, 1))
    return solved[..., : soft.shape[-1]], solved[..., soft.shape[-1] :]


def batch_times(matrices: Any, vectors: Any) -> Any:
    """(k, n, n) times (k, n)."""
    if matrices.device.type == "cpu" and matrices.shape[-1] > _BATCHED_UP_TO:
        # torch's batched product of a matrix and a vector is ten times slower on a CPU than one after the other.
        product = vectors.new_empty(matrices.shape[:-1])
        for matrix, vector, row in zip(matrices, vectors, product, strict=True):
            import_torch("sinkhorn").mv(matrix, vector, out=row)
        return product
    return (matrices @ vectors.unsqueeze(-1)).squeeze(-1)
