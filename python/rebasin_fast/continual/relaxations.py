"""The trained permutation of an episode: matrices that are soft, or hard with gradients passed through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rebasin_fast._models.inference import import_torch
from rebasin_fast.matching.trained.sinkhorn.scores import soft_by_size

if TYPE_CHECKING:
    from rebasin_fast.continual.options import EpisodeOptions
    from rebasin_fast.matching.trained.sinkhorn.scores import ScoreMatrices


def relaxed(scores: ScoreMatrices, options: EpisodeOptions) -> dict[str, Any]:
    """A matrix (..., n, n) for each permutation, differentiable in the scores."""
    if options.relaxation == "sinkhorn":
        return soft_by_size(scores.tensors, tau=options.tau, iterations=options.iterations)
    torch = import_torch("RebasinLearner")
    matrices = {}
    for name, index in scores.hard().items():
        tensor = scores.tensors[name]
        columns = torch.as_tensor(index, device=tensor.device).unsqueeze(-1)
        hard = torch.zeros_like(tensor).scatter_(-1, columns, 1.0)
        matrices[name] = hard + tensor - tensor.detach()
    return matrices
