"""MNIST perceptrons whose units have symmetries beyond their order: signs under tanh, scales under ReLU."""

from dataclasses import dataclass
from pathlib import Path

from networks import mnist
from networks.storage import DEFAULT_CACHE, Params, cached_arrays

WIDTH = 256
EPOCHS = 10


@dataclass(frozen=True)
class Recipe:
    """How a perceptron is trained: its activation (a class of ``torch.nn``), hidden layers, and decay of weights."""

    activation: str
    layers: int
    decay: float = 0.0

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        return (WIDTH,) * self.layers

    def name(self, seed: int) -> str:
        """In the cache."""
        widths = "-".join(map(str, self.hidden))
        return (
            f"mnist_{self.activation.lower()}_{widths}_decay{self.decay:g}_{EPOCHS}epochs_bfloat16_seed{seed}"
        )

    def trained(self, seed: int, cache: Path = DEFAULT_CACHE) -> Params:
        """The parameters, from the cache where they are there."""
        return cached_arrays(cache, self.name(seed), lambda: self._train(seed))  # type: ignore[return-value]

    def _train(self, seed: int) -> Params:
        return mnist.train(
            seed, self.hidden, epochs=EPOCHS, fast=True, activation=self.activation, decay=self.decay
        )
