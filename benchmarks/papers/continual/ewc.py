"""Elastic weight consolidation, Kirkpatrick et al., PNAS 2017."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from papers.continual.finetuning import Finetuning
from papers.continual.streams import Task, masked

FISHER_BATCH = 10


class EWC(Finetuning):
    """The loss plus strength / 2 sum_t sum_i F_ti (theta_i - theta*_ti)^2 over earlier tasks t (equation 3).

    F_t is the diagonal of the Fisher information at theta*_t, on ``samples`` of the task's images. The penalty is a
    quadratic, so that sum_t F_t and sum_t F_t theta*_t hold all that its gradient needs. A step is implicit in the
    penalty (its proximal step), which has the same stationary points, and is stable at every strength.
    """

    def __init__(self, *args: Any, strength: float, samples: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self.strength, self.samples = strength, samples
        self.curvature = [torch.zeros_like(param) for param in self.params]
        self.pull = [torch.zeros_like(param) for param in self.params]

    def adjust(self, task: Task) -> None:
        """Let the step of SGD be implicit in the penalty."""
        for param, curvature, pull in zip(self.params, self.curvature, self.pull, strict=True):
            assert param.grad is not None
            param.grad += penalty_gradient(param.detach(), curvature, pull, self.strength)
            param.grad /= 1 + self.rate * self.strength * curvature

    def after(self, task: Task) -> None:
        """Add the task's penalty."""
        fisher = fisher_diagonal(self.model, task, self.samples)
        for param, found, curvature, pull in zip(self.params, fisher, self.curvature, self.pull, strict=True):
            curvature += found
            pull += found * param.detach()

    def state_dict(self) -> dict[str, Any]:
        """Parameters and penalties."""
        return super().state_dict() | {"curvature": self.curvature, "pull": self.pull}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.curvature, self.pull = state["curvature"], state["pull"]


def penalty_gradient(param: Tensor, curvature: Tensor, pull: Tensor, strength: float) -> Tensor:
    """Gradient of strength / 2 sum_t F_t (theta - theta*_t)^2, from sum_t F_t and sum_t F_t theta*_t."""
    return strength * (curvature * param - pull)


def fisher_diagonal(model: nn.Module, task: Task, samples: int, batch: int = FISHER_BATCH) -> list[Tensor]:
    """Estimate of the mean over images of the squared gradient of log p(y | x), in evaluation mode.

    As y is drawn from the model the gradients have mean zero, so that ``batch`` times the square of a batch's mean
    gradient has the same expectation as the mean square of its images.
    """
    params = list(model.parameters())
    totals = [torch.zeros_like(param) for param in params]
    was_training = model.training
    model.eval()
    stored, targets = task.load("train")
    rows = torch.randperm(len(targets))[:samples]
    for some in rows.split(batch):
        outputs = model(task.ready(stored[some]))
        outputs = masked(outputs, task.mask(targets[some], outputs.shape[1]))
        drawn = torch.multinomial(outputs.detach().softmax(1), 1).squeeze(1)
        gradients = torch.autograd.grad(functional.cross_entropy(outputs, drawn, reduction="sum"), params)
        for total, gradient in zip(totals, gradients, strict=True):
            total += gradient.square() / len(rows)
    model.train(was_training)
    return totals
