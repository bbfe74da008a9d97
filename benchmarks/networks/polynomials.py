"""The networks of the Sinkhorn re-basin paper's first experiment (Peña et al., CVPR 2023), and their data.

Perceptrons with tanh that map one number to one number; freshly initialised, or fitted to 100 points of a polynomial
of degree one or three, x + 3 on [-4, -2] or (x - 3)³ on [2, 4], with noise of deviation 0.05.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

POINTS, NOISE = 100, 0.05
WIDTH = 10
RATE, STEPS = 1e-2, 500


@dataclass(frozen=True)
class Polynomial:
    """A function on an interval."""

    start: float
    end: float
    value: Callable[[Tensor], Tensor]

    def data(self, seed: int) -> tuple[Tensor, Tensor]:
        """Points and noisy values, (100, 1) each."""
        generator = torch.Generator().manual_seed(seed)
        x = torch.linspace(self.start, self.end, POINTS)[:, None]
        return x, self.value(x) + NOISE * torch.randn(POINTS, 1, generator=generator)


POLYNOMIALS = {
    "Pol1": Polynomial(-4.0, -2.0, lambda x: x + 3),
    "Pol3": Polynomial(2.0, 4.0, lambda x: (x - 3) ** 3),
}


def regressor(layers: int, width: int = WIDTH) -> nn.Sequential:
    """So many hidden layers with tanh, with torch's first weights."""
    modules: list[nn.Module] = [nn.Linear(1, width), nn.Tanh()]
    for _ in range(layers - 1):
        modules += [nn.Linear(width, width), nn.Tanh()]
    return nn.Sequential(*modules, nn.Linear(width, 1))


def fitted(kind: str, layers: int, seed: int, width: int = WIDTH, steps: int = STEPS) -> dict[str, Tensor]:
    """Parameters of a fresh network (``"random"``), or of one fitted with Adam to all points of a polynomial."""
    torch.manual_seed(seed)
    model = regressor(layers, width)
    if kind != "random":
        x, y = POLYNOMIALS[kind].data(seed)
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
        for _ in range(steps):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
