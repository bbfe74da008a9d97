"""`rebasin_fast.continual.RebasinLearner` as a learner of these benchmarks."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from papers.continual.streams import Task


def available() -> bool:
    """Whether the package has the learner: older versions do not."""
    try:
        from rebasin_fast.continual import RebasinLearner  # noqa: F401
    except ImportError:
        return False
    return True


class Rebasin:
    """Re-basin incremental learning; its spec is traced from the same layers in float32."""

    def __init__(
        self, model: Callable[[], nn.Sequential], *, seed: int, inputs: tuple[int, ...], **options: Any
    ):
        from rebasin_fast.continual import RebasinLearner
        from rebasin_fast.tracing import trace_spec

        torch.manual_seed(seed)
        network = model()
        spec = trace_spec(nn.Sequential(*network).eval(), torch.zeros(inputs))
        self.learner = RebasinLearner(network, spec, rng=seed, **options)

    @property
    def model(self) -> nn.Module:
        """The network as it stands."""
        network: nn.Module = self.learner.model
        return network

    def learn(self, task: Task) -> None:
        """One episode."""
        self.learner.learn(task.train, task.loss)

    def state_dict(self) -> dict[str, Any]:
        """The bytes of the learner's own file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "learner.npz"
            self.learner.save(path)
            return {"file": torch.from_numpy(np.fromfile(path, np.uint8))}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "learner.npz"
            state["file"].numpy().tofile(path)
            self.learner.restore(path)
