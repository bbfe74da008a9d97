"""Learning without forgetting, Li and Hoiem, ECCV 2016."""

import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from papers.continual.finetuning import Finetuning
from papers.continual.streams import Task


class LwF(Finetuning):
    """The loss plus, for every head of earlier tasks, the distillation from the network before this task.

    Tasks that share all classes share one head. The old network runs in evaluation mode on the same images.
    """

    def __init__(self, *args: Any, weight: float, temperature: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self.weight, self.temperature = weight, temperature
        self.heads: list[list[int]] = []
        self.old = copy.deepcopy(self.model).eval()

    def before(self, task: Task) -> None:
        """Keep the network of the earlier tasks."""
        self.old.load_state_dict(self.model.state_dict())

    def loss(self, task: Task, inputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch with the distillation."""
        outputs = self.model(inputs)
        loss = task.loss(outputs, targets)
        if self.heads:
            with torch.no_grad():
                wanted = self.old(inputs)
            distilled = [
                distillation(outputs[:, head], wanted[:, head], self.temperature) for head in self.heads
            ]
            loss = loss + self.weight * torch.stack(distilled).sum()
        return loss

    def after(self, task: Task) -> None:
        """The task's head is an old one from now on."""
        head = list(task.classes or range(len(self.params[-1])))
        if head not in self.heads:
            self.heads.append(head)

    def state_dict(self) -> dict[str, Any]:
        """Parameters and old heads."""
        return super().state_dict() | {"heads": self.heads}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.heads = state["heads"]


def distillation(outputs: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Mean over rows of -sum_i p'_i log q'_i, p' and q' softmaxes at the temperature (equations 2 to 4)."""
    return functional.cross_entropy(outputs / temperature, (wanted / temperature).softmax(1))
