"""Fuzz the recognition of architectures by shuffled names; run by hand or nightly, not by pytest.

    cd tests && python -m nightly.fuzz_recognition --networks 5000 --seed 1

A network is a chain, an autoencoder, a chain with a sum around some layers, a gate, branches, a recurrent network or
a convolutional one, of few and often equal widths. Its layers get random words for names, and its parameters a random
order, as a file might have them. ``for_params`` may refuse it; a spec that it gives must preserve the function of the
network. Numbers in names count as evidence, so that only plain chains bear them, in the order of the data.
Wrong specs go to standard error with their seed. Prints one line of JSON; exits with 1 if any was accepted.
"""

from __future__ import annotations

import random
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import rebasin_fast as rf
from nightly.driver import fuzz

_WORDS = """
alpha bravo cedar delta ember fable grove haven ivory jolly karma lemon mango noble ocean piano quilt river
sugar tiger ultra vivid whale xenon yacht zebra input hidden output stem body head encoder decoder up down
first second third middle left right to_latent from_latent main side a b c x1 y7 z3 net inner
"""
WORDS = _WORDS.split()
WIDTHS = (4, 6, 6, 8, 8, 8, 12)


class Net(nn.Module):
    """Named layers, and what is done with them."""

    def __init__(
        self, layers: dict[str, nn.Module], body: Callable[[Any, torch.Tensor], torch.Tensor]
    ) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.program = body
        self.order = list(layers)

    def __getitem__(self, index: int) -> nn.Module:
        return getattr(self, self.order[index])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.program(self, x)


def names(draw: random.Random, count: int) -> list[str]:
    return draw.sample(WORDS, count)


def linears(draw: random.Random, widths: list[int], called: list[str] | None = None) -> dict[str, nn.Module]:
    bias = draw.random() < 0.7
    called = called or names(draw, len(widths) - 1)
    pairs = zip(called, widths, widths[1:], strict=False)
    return {name: nn.Linear(i, o, bias=bias) for name, i, o in pairs}


def in_turn(m: Net, x: torch.Tensor) -> torch.Tensor:
    for index in range(len(m.order) - 1):
        x = m[index](x).tanh()
    return m[-1](x)


def chain(draw: random.Random) -> tuple[Net, torch.Tensor]:
    count = draw.randint(2, 6)
    widths = [draw.choice(WIDTHS) for _ in range(count + 1)]
    called = names(draw, count) if draw.random() < 0.7 else [f"fc{i}" for i in range(count)]
    return Net(linears(draw, widths, called), in_turn), torch.randn(3, widths[0])


def residual(draw: random.Random) -> tuple[Net, torch.Tensor]:
    """A sum around one layer or two."""
    count = draw.randint(3, 6)
    start = draw.randint(0, count - 2)
    end = draw.randint(start + 1, count - 1)
    widths = [draw.choice(WIDTHS) for _ in range(count + 1)]
    widths[end] = widths[start]

    def body(m: Net, x: torch.Tensor) -> torch.Tensor:
        kept = x
        for index in range(count):
            if index == start:
                kept = x
            x = m[index](x)
            x = x if index == count - 1 else x.tanh()
            if index == end - 1:
                x = x + kept
        return x

    return Net(linears(draw, widths), body), torch.randn(3, widths[0])


def gated(draw: random.Random) -> tuple[Net, torch.Tensor]:
    inputs, hidden, outputs = (draw.choice(WIDTHS) for _ in range(3))
    bias = draw.random() < 0.7
    gate, up, down = names(draw, 3)
    layers = {
        gate: nn.Linear(inputs, hidden, bias=bias),
        up: nn.Linear(inputs, hidden, bias=bias),
        down: nn.Linear(hidden, outputs, bias=bias),
    }
    return Net(layers, lambda m, x: m[2](m[0](x).sigmoid() * m[1](x))), torch.randn(3, inputs)


def branches(draw: random.Random) -> tuple[Net, torch.Tensor]:
    """A body with two heads of one or two layers."""
    inputs, width, first, second, between = (draw.choice(WIDTHS) for _ in range(5))
    bias = draw.random() < 0.7
    called = names(draw, 4)
    sizes = [(inputs, width), (width, first), (width, between), (between, second)]
    layers = {name: nn.Linear(i, o, bias=bias) for name, (i, o) in zip(called, sizes, strict=True)}

    def body(m: Net, x: torch.Tensor) -> torch.Tensor:
        h = m[0](x).tanh()
        return torch.cat([m[1](h), m[3](m[2](h).tanh())], -1)

    return Net(layers, body), torch.randn(3, inputs)


def recurrent(draw: random.Random) -> tuple[Net, torch.Tensor]:
    """Linear layers before and after a recurrent one, a sum around it now and then."""
    before, after = draw.randint(0, 2), draw.randint(1, 2)
    widths = [draw.choice(WIDTHS) for _ in range(before + after + 2)]
    skip = draw.random() < 0.3
    if skip:
        widths[before + 1] = widths[before]
    called = names(draw, before + after + 1)
    bias = draw.random() < 0.7
    kind = draw.choice([nn.LSTM, nn.GRU, nn.RNN])
    layers: dict[str, nn.Module] = {}
    for index, name in enumerate(called):
        i, o = widths[index], widths[index + 1]
        layers[name] = kind(i, o, batch_first=True) if index == before else nn.Linear(i, o, bias=bias)

    def body(m: Net, x: torch.Tensor) -> torch.Tensor:
        for index in range(len(called)):
            if index == before:
                x = m[index](x)[0] + (x if skip else 0.0)
            else:
                x = m[index](x)
                x = x.tanh() if index + 1 < len(called) else x
        return x

    return Net(layers, body), torch.randn(2, 4, widths[0])


def convolutional(draw: random.Random) -> tuple[Net, torch.Tensor]:
    """Plain and transposed convolutions, norms, sums, and linear layers after a flatten or a mean."""
    count = draw.randint(1, 4)
    widths = [draw.choice((1, 3, 4, 4, 6, 8)) for _ in range(count + 1)]
    flat = draw.random() < 0.5
    bias, normed = draw.random() < 0.6, draw.random() < 0.4
    transposed = [draw.random() < 0.25 for _ in range(count)]
    sums = draw.random() < 0.3
    linear = draw.randint(0, 2)
    called = names(draw, 2 * count + linear)
    layers: dict[str, nn.Module] = {}
    for index in range(count):
        kind = nn.ConvTranspose2d if transposed[index] else nn.Conv2d
        layers[called[index]] = kind(widths[index], widths[index + 1], 3, padding=1, bias=bias)
        if normed:
            layers[called[count + index]] = nn.BatchNorm2d(widths[index + 1])
    tail = [widths[-1] * (9 if flat else 1), *(draw.choice(WIDTHS) for _ in range(linear))]
    for index in range(linear):
        layers[called[2 * count + index]] = nn.Linear(tail[index], tail[index + 1])
    step = 2 if normed else 1

    def body(m: Net, x: torch.Tensor) -> torch.Tensor:
        for index in range(count):
            y = m[step * index](x)
            y = m[step * index + 1](y) if normed else y
            last = index + 1 == count and not linear
            y = y if last else y.tanh()
            x = y + x if sums and y.shape == x.shape else y
        if linear:
            x = x.flatten(1) if flat else x.mean((2, 3))
        for index in range(linear):
            x = m[step * count + index](x)
            x = x if index + 1 == linear else x.tanh()
        return x

    return Net(layers, body), torch.randn(2, widths[0], 3, 3)


KINDS = (chain, residual, gated, branches, recurrent, convolutional)


def outcome(seed: str) -> tuple[str, str]:
    """("refused" | "right" | "wrong", what it was)."""
    draw = random.Random(seed)
    torch.manual_seed(draw.randrange(1 << 30))
    kind = draw.choice(KINDS)
    network, inputs = kind(draw)
    items = list(network.state_dict().items())
    if draw.random() < 0.3:
        items.sort()
    elif draw.random() < 0.7:
        draw.shuffle(items)
    try:
        spec = rf.specs.for_params(dict(items))
    except rf.SpecError:
        return "refused", kind.__name__
    try:
        spec.verify(network, inputs)
    except rf.SpecError as error:
        return "wrong", f"{kind.__name__} {network.order} {spec.statement()} {error}"
    return "right", kind.__name__


def main() -> int:
    def one(seed: int, k: int, options: Namespace) -> str | None:
        found, network = outcome(f"{seed} {k}")
        return network if found == "wrong" else None

    torch.set_num_threads(1)
    return fuzz(__doc__, "networks", one, count=2000)


if __name__ == "__main__":
    sys.exit(main())
