"""The backward pass of Sinkhorn's scaling: a linear system in the duals, solved by elimination or by iteration."""

from __future__ import annotations

from typing import Any

from rebasin_fast.matching.functional import import_torch

# Up to this size one factorisation is cheaper than the iterations.
_SCHUR_UP_TO = 128
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
    weighted = soft * gradient
    rows, columns = soft.sum(-1), soft.sum(-2)
    right = weighted.sum(-1), weighted.sum(-2)
    if solver == "dense":
        x, y = _dense(soft, rows, columns, *right)
    else:
        y = _eliminated(soft, rows, columns, right[1] - batch_times(soft.mT, right[0] / rows), solver)
        x = (right[0] - batch_times(soft, y)) / rows
    weighted -= soft * (x.unsqueeze(-1) + y.unsqueeze(-2))
    return weighted.div_(tau)


def _eliminated(soft: Any, rows: Any, columns: Any, right: Any, solver: str) -> Any:
    if solver == "schur" or (solver == "auto" and soft.shape[-1] <= _SCHUR_UP_TO):
        return _schur(soft, rows, columns, right)
    solution, converged = _conjugate_gradients(soft, rows, columns, right)
    if solver == "auto" and not bool(converged.all()):
        left = ~converged
        solution[left] = _schur(soft[left], rows[left], columns[left], right[left])
    return solution


def _schur(soft: Any, rows: Any, columns: Any, right: Any) -> Any:
    """The last unknown left out; in float64, because the complement of a nearly hard permutation is nearly 0."""
    torch = import_torch("sinkhorn")
    if soft.shape[-1] == 1:
        return torch.zeros_like(right)
    wide = soft.double()
    complement = torch.diag_embed(columns.double()) - wide.mT @ (wide / rows.double().unsqueeze(-1))
    scale = _diagonal(wide, rows.double())[..., :-1].rsqrt()
    complement = complement[..., :-1, :-1] * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    # Scaled to a diagonal of 1; the shift is below what rounding leaves uncertain.
    complement.diagonal(dim1=-2, dim2=-1).add_(4e-16 * soft.shape[-1])
    factor, _ = torch.linalg.cholesky_ex(complement)
    solved = torch.cholesky_solve((right.double()[..., :-1] * scale).unsqueeze(-1), factor)
    # A matrix that is hard to the last bit has no gradient, and may have no factor.
    solved = torch.nan_to_num(solved.squeeze(-1) * scale, 0.0, 0.0, 0.0)
    return torch.nn.functional.pad(solved, (0, 1)).to(right.dtype)


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
        # Where rounding has eaten the curvature, what is left of the residual is noise.
        usable = (curvature > 0.0) & ~converged
        step = torch.where(usable, length / curvature, 0.0).unsqueeze(-1)
        solution += step * direction
        residual -= step * image
        scaled = residual * inverse
        new_length = (residual * scaled).sum(-1)
        converged = converged | (new_length <= enough) | (curvature <= 0.0)
        if bool(converged.all()):
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
    solved = torch.linalg.solve(system, right.unsqueeze(-1)).squeeze(-1)
    solved = torch.nn.functional.pad(solved, (0, 1))
    return solved[..., : soft.shape[-1]], solved[..., soft.shape[-1] :]


def batch_times(matrices: Any, vectors: Any) -> Any:
    """(k, n, n) times (k, n)."""
    if matrices.device.type == "cpu" and matrices.shape[-1] > _BATCHED_UP_TO:
        # torch's batched product of a matrix and a vector is ten times slower on a CPU than one after the other.
        torch = import_torch("sinkhorn")
        return torch.stack([matrix @ vector for matrix, vector in zip(matrices, vectors, strict=True)])
    return (matrices @ vectors.unsqueeze(-1)).squeeze(-1)
