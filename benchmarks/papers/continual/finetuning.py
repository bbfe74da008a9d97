"""Finetuning, and the loop of steps that the other learners share."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from papers.continual.streams import Task


class Finetuning:
    """Plain SGD on each task in turn, one epoch each; nothing is done against forgetting.

    A learner of another kind overrides the loss of a batch, the gradient after it, or what happens around a task.
    """

    def __init__(
        self, model: Callable[[], nn.Module], *, seed: int, rate: float, momentum: float = 0.0
    ) -> None:
        torch.manual_seed(seed)
        self.model = model()
        self.rate, self.momentum = rate, momentum

    @property
    def params(self) -> list[nn.Parameter]:
        """The parameters in the order of the model."""
        return list(self.model.parameters())

    def learn(self, task: Task) -> None:
        """One epoch on the task."""
        self.before(task)
        optimizer = torch.optim.SGD(self.params, lr=self.rate, momentum=self.momentum)
        self.model.train()
        for inputs, targets in task.train():
            optimizer.zero_grad()
            self.loss(task, inputs, targets).backward()
            self.adjust(task)
            optimizer.step()
        self.after(task)

    def loss(self, task: Task, inputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch."""
        return task.loss(self.model(inputs), targets)

    def before(self, task: Task) -> None:
        """Called before the first step of a task."""

    def adjust(self, task: Task) -> None:
        """Change the gradients before a step."""

    def after(self, task: Task) -> None:
        """Called after the last step of a task."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that learning goes on from."""
        return {"model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.model.load_state_dict(state["model"])
