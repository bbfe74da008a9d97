"""The trainable scores behind soft permutations: one matrix a permutation, Sinkhorn batched over equal sizes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast._models.inference import import_torch
from rebasin_fast.assignment import Assignment, solve_assignment
from rebasin_fast.matching.trained.sinkhorn.operator import soft_permutations

if TYPE_CHECKING:
    from rebasin_fast.typing import Index, Permutation

# Beyond this a CPU gains nothing from a batch, which costs copies of the scores and of their gradients.
_BATCHED_UP_TO = 256


class ScoreMatrices:
    """Scores that start at a permutation and some noise, their soft permutations, and their rounding.

    ``tensors[p]`` has the shape of the index array of p with one more axis: (..., n, n).
    """

    def __init__(
        self,
        start: Permutation,
        *,
        noise: float,
        rng: np.random.Generator,
        dtype: Any,
        device: Any,
    ) -> None:
        self._torch = import_torch("sinkhorn")
        self._starts: dict[str, Assignment] = {}
        self.tensors: dict[str, Any] = {}
        for name, index in start.items():
            n = index.shape[-1]
            scores = np.eye(n)[index] + noise * rng.standard_normal((*index.shape, n))
            tensor = self._torch.tensor(scores, dtype=dtype, device=device)
            self.tensors[name] = tensor.requires_grad_()

    @property
    def count(self) -> int:
        """The number of matrices, and of assignments that :meth:`hard` solves."""
        return sum(prod(tensor.shape[:-2]) for tensor in self.tensors.values())

    def hard(self) -> dict[str, Index]:
        """The permutations of the largest sums of scores; solved exactly, from the last call's duals."""
        found = {}
        for name, tensor in self.tensors.items():
            scores = tensor.detach().cpu().numpy()
            flat = scores.reshape(-1, *scores.shape[-2:])
            solved = solve_assignment(flat, maximize=True, warm_start=self._starts.get(name))
            assert isinstance(solved, Assignment)
            self._starts[name] = solved
            found[name] = solved.columns.reshape(scores.shape[:-1])
        return found


def soft_by_size(scores: Mapping[str, Any], *, tau: float, iterations: int) -> dict[str, Any]:
    """Doubly stochastic matrices of named scores (..., n, n), those of one size in one batch where that is faster."""
    torch = import_torch("sinkhorn")
    names_of_size: dict[int, list[str]] = {}
    for name, tensor in scores.items():
        names_of_size.setdefault(int(tensor.shape[-1]), []).append(name)
    soft: dict[str, Any] = {}
    for n, names in names_of_size.items():
        flat = [scores[name].reshape(-1, n, n) for name in names]
        if flat[0].device.type == "cpu" and n > _BATCHED_UP_TO:
            pieces = [soft_permutations(part, tau=tau, iterations=iterations) for part in flat]
        else:
            batch = flat[0] if len(flat) == 1 else torch.cat(flat)
            soft_batch = soft_permutations(batch, tau=tau, iterations=iterations)
            pieces = soft_batch.split([len(part) for part in flat])
        for name, piece in zip(names, pieces, strict=True):
            soft[name] = piece.reshape(scores[name].shape)
    return {name: soft[name] for name in scores}
