"""Fuzz the tracer with modules that read parts of their tables; run by hand or nightly, not by pytest.

    cd tests && python -m nightly.fuzz_longer_inputs --modules 2000 --seed 1

A module is an embedding, two to five steps that read position tables, masks, counters, running statistics, gains by the
step, rows picked by an integer, slices of weights, and a head. It is traced on a short input and must preserve its
function on longer ones, up to the longest that its tables allow, with buffers as training leaves them.
Wrong specs go to standard error with their seed. Prints one line of JSON; exits with 1 if there was any.
"""

from __future__ import annotations

import random
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import rebasin_fast as rf
from nightly.driver import fuzz

WIDTH, LONGEST, WORDS = 8, 12, 7
Step = Callable[[Any, torch.Tensor], torch.Tensor]


class Parts(nn.Module):
    """The state that a step may read: tables longer than the traced input, masks, statistics, a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.square = nn.Linear(WIDTH, WIDTH)
        self.wide = nn.Linear(WIDTH, 2 * WIDTH)
        self.positions = nn.Parameter(torch.randn(LONGEST, WIDTH))
        self.table = nn.Embedding(LONGEST, WIDTH)
        self.kinds = nn.Embedding(5, WIDTH)
        self.gain = nn.Parameter(torch.rand(LONGEST) + 0.5)
        self.gains = nn.Parameter(torch.rand(LONGEST, WIDTH) + 0.5)
        self.mix = nn.Parameter(torch.randn(LONGEST, LONGEST))
        self.project = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.BatchNorm1d(WIDTH)
        self.register_buffer("mask", torch.tril(torch.ones(LONGEST, LONGEST)))
        self.register_buffer("bias", torch.triu(torch.full((1, LONGEST, LONGEST), -1e4), 1))
        self.register_buffer("sines", torch.sin(torch.arange(LONGEST * WIDTH).float()).view(LONGEST, WIDTH))
        self.register_buffer("counter", torch.tensor(20000))
        self.register_buffer("average", torch.rand(LONGEST, WIDTH))


def count(h: torch.Tensor) -> int:
    return h.shape[1]


def masked(m: Parts, h: torch.Tensor) -> torch.Tensor:
    n = count(h)
    scores = m.square(h) @ h.transpose(1, 2) + m.bias[:, :n, :n]
    return scores.softmax(-1) @ m.project(h)


STEPS: dict[str, Step] = {
    "position table": lambda m, h: h + m.positions[: count(h)],
    "position table from the second": lambda m, h: h + m.positions[1 : count(h) + 1],
    "last positions": lambda m, h: h + m.positions[-count(h) :],
    "embedded positions": lambda m, h: h + m.table(torch.arange(count(h))),
    "computed positions": lambda m, h: h + m.project(m.positions)[: count(h)],
    "scaled positions": lambda m, h: h + (m.positions * 0.5 + m.average)[: count(h)],
    "sines": lambda m, h: h * m.sines[: count(h)],
    "row by an integer": lambda m, h: h + m.kinds.weight[3],
    "rows by a slice": lambda m, h: h + m.kinds.weight[1:3].sum(0),
    "gain by the step": lambda m, h: torch.stack([h[:, t] * m.gain[t] for t in range(count(h))], 1),
    "gains by the step": lambda m, h: torch.stack([h[:, t] * m.gains[t] for t in range(count(h))], 1),
    "mixed positions": lambda m, h: m.mix[: count(h), : count(h)] @ h,
    "mask": lambda m, h: m.mask[: count(h), : count(h)] @ h,
    "masked attention": masked,
    "mean of positions": lambda m, h: h + m.positions[: count(h)].mean(0),
    "counter": lambda m, h: h * (1.0 + 1.0 / m.counter),
    "norm": lambda m, h: m.norm(h.transpose(1, 2)).transpose(1, 2),
    "half of a layer": lambda m, h: m.wide(h)[..., :WIDTH],
    "inactive width": lambda m, h: F.linear(h, m.wide.weight[:WIDTH], m.wide.bias[:WIDTH]),
    "residual": lambda m, h: h + m.square(h).relu(),
    "relu": lambda m, h: m.square(h).relu(),
}


class Net(nn.Module):
    """Words in, the steps, two numbers a word out."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.parts = nn.ModuleList(Parts() for _ in names)
        self.head = nn.Linear(WIDTH, 2)
        self.names = names

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.words(x)
        for part, name in zip(self.parts, self.names, strict=True):
            h = STEPS[name](part, h)
        return self.head(h)


def fault(names: list[str]) -> str | None:
    """The fault of the module's spec, or None."""
    net = Net(names)
    try:
        spec = rf.trace_spec(net, torch.arange(8).view(2, 4) % WORDS)
        for length in (5, LONGEST - 1):
            spec.verify(net, torch.arange(2 * length).view(2, length) * 3 % WORDS)
    except rf.SpecError as error:
        return None if "overflow" in str(error) else str(error)
    if not spec.permutations:
        return "nothing moves"
    return None


def main() -> int:
    def one(seed: int, k: int, options: Namespace) -> str | None:
        draw = random.Random(f"{seed} {k}")
        torch.manual_seed(k)
        names = draw.choices(sorted(STEPS), k=draw.randint(2, options.longest))
        wrong = fault(names)
        return None if wrong is None else f"{names}\n    {wrong}"

    torch.set_num_threads(1)
    return fuzz(__doc__, "modules", one, count=500, longest=5)


if __name__ == "__main__":
    sys.exit(main())
