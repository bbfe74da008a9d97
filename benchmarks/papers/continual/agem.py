"""Averaged gradient episodic memory, Chaudhry et al., ICLR 2019."""

from typing import Any

import torch
from torch import Tensor

from papers.continual.finetuning import Finetuning
from papers.continual.streams import Task, masked_loss


class AGEM(Finetuning):
    """A step's gradient may not raise the loss on a batch of remembered images of earlier tasks.

    ``per_class`` images of each class of each task are remembered; ``memory_batch`` of them are drawn at each step.
    """

    def __init__(self, *args: Any, per_class: int, memory_batch: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self.per_class, self.memory_batch = per_class, memory_batch
        self.memory: list[Tensor] = []  # inputs, targets, and the outputs that each may use

    def adjust(self, task: Task) -> None:
        """Project the gradient."""
        if not self.memory:
            return
        drawn = torch.randperm(len(self.memory[0]))[: self.memory_batch]
        inputs, targets, masks = (part[drawn] for part in self.memory)
        reference = torch.autograd.grad(masked_loss(self.model(inputs), targets, masks), self.params)
        for param, gradient in zip(self.params, projected(self.gradients(), list(reference)), strict=True):
            param.grad = gradient

    def gradients(self) -> list[Tensor]:
        """Gradients of the batch."""
        return [param.grad for param in self.params if param.grad is not None]

    def after(self, task: Task) -> None:
        """Remember images of the task."""
        stored, targets = task.load("train")
        order = torch.randperm(len(targets))
        rows = torch.cat([order[targets[order] == label][: self.per_class] for label in targets.unique()])
        inputs, count = task.ready(stored[rows]), len(self.params[-1])
        mask = task.mask(targets[rows], count)
        masks = torch.ones(len(rows), count, dtype=torch.bool) if mask is None else mask.expand(len(rows), -1)
        new = [inputs, targets[rows], masks]
        self.memory = [torch.cat(pair) for pair in zip(self.memory, new, strict=True)] if self.memory else new

    def state_dict(self) -> dict[str, Any]:
        """Parameters and memory."""
        return super().state_dict() | {"memory": self.memory}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.memory = state["memory"]


def projected(gradient: list[Tensor], reference: list[Tensor]) -> list[Tensor]:
    """Gradient g - (g.r / r.r) r where g.r < 0, else g (equation 11)."""
    agreement = sum(torch.sum(g * r) for g, r in zip(gradient, reference, strict=True))
    if agreement >= 0:
        return gradient
    share = agreement / sum(r.square().sum() for r in reference)
    return [g - share * r for g, r in zip(gradient, reference, strict=True)]
