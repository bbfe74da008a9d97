"""Re-basin incremental learning without its permutations: a pull towards the old parameters, an average with them."""

from typing import Any

from torch import Tensor

from papers.continual.finetuning import Finetuning
from papers.continual.streams import Task


class Anchored(Finetuning):
    """The loss plus beta ||theta - theta_old||^2, then theta <- theta_old + share (theta - theta_old).

    theta_old are the parameters before the task; neither is done on the first task. Statistics of BatchNorm are
    averaged with the same share.
    """

    def __init__(self, *args: Any, beta: float = 0.0, share: float = 1.0, **options: Any) -> None:
        super().__init__(*args, **options)
        self.beta, self.share = beta, share
        self.learned = 0
        self.old: dict[str, Tensor] = {}

    def before(self, task: Task) -> None:
        """Keep the old parameters."""
        self.old = {name: value.clone() for name, value in self.model.state_dict().items()}

    def adjust(self, task: Task) -> None:
        """Add the gradient of the pull."""
        if self.learned and self.beta:
            for name, param in self.model.named_parameters():
                assert param.grad is not None
                param.grad += 2 * self.beta * (param.detach() - self.old[name])

    def after(self, task: Task) -> None:
        """Average."""
        if self.learned and self.share < 1:
            for name, value in self.model.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(self.old[name], 1 - self.share)
        self.learned += 1

    def state_dict(self) -> dict[str, Any]:
        """Parameters and the number of learned tasks."""
        return super().state_dict() | {"learned": self.learned}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.learned = state["learned"]
