"""Fuzz the tracer with random programs, each spec proven on its program; run by hand or nightly, not by pytest.

    cd tests && python -m nightly.fuzz_tracing --programs 10000 --seed 1

A program is two to five operations on 12 hidden units: heads, groups, norms, slices, copies, gates. Verification
applies random permutations of what the tracer left free, and compares the outputs. Names of operations that gave a
wrong spec, an error, or a report of an operation without a rule go to standard error, with their seed.
Prints one line of JSON; exits with 1 if any program failed.
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
from helpers.programs import Program
from nightly.driver import fuzz

WIDTH = 12
Step = Callable[[Any, torch.Tensor], torch.Tensor]


def heads(h: torch.Tensor, number: int) -> torch.Tensor:
    return h.unflatten(-1, (number, -1))


def attention(*tensors: torch.Tensor, number: int) -> torch.Tensor:
    mixed = F.scaled_dot_product_attention(*(heads(t, number).transpose(1, 2) for t in tensors))
    return mixed.transpose(1, 2).flatten(2)


def over_channels(layer: Callable[[torch.Tensor], torch.Tensor], h: torch.Tensor) -> torch.Tensor:
    return layer(h.transpose(1, 2)).transpose(1, 2)


def written(h: torch.Tensor) -> torch.Tensor:
    copy = h.clone()
    copy[..., :4] = h[..., 4:8] * 2
    return copy


# ``m`` holds the parameters of one step (see ``parts``).
STEPS: dict[str, Step] = {
    "relu": lambda m, h: h.relu(),
    "linear": lambda m, h: m.square(h),
    "residual": lambda m, h: h + m.square(h),
    "layer norm": lambda m, h: F.layer_norm(h, (WIDTH,)),
    "layer norm of threes": lambda m, h: F.layer_norm(heads(h, 4), (3,)).flatten(2),
    "softmax within heads": lambda m, h: heads(h, 3).softmax(-1).flatten(2),
    "softmax over heads": lambda m, h: heads(h, 3).softmax(-2).flatten(2),
    "attention to itself": lambda m, h: attention(h, m.square(h), h, number=3),
    "attention": lambda m, h: attention(*m.triple(h).chunk(3, -1), number=2),
    "swap halves": lambda m, h: torch.cat([h[..., 6:], h[..., :6]], -1),
    "turn halves": lambda m, h: torch.cat([-h[..., 6:], h[..., :6]], -1),
    "add halves": lambda m, h: torch.cat([h[..., :6] + h[..., 6:], h[..., 6:]], -1),
    "tile halves": lambda m, h: torch.cat([h[..., :6], h[..., :6].sigmoid()], -1),
    "tile halves as a residual": lambda m, h: torch.cat([h[..., :6], h[..., :6].sigmoid()], -1) + m.square(h),
    "shuffle": lambda m, h: heads(h, 3).transpose(-1, -2).flatten(2),
    "roll": lambda m, h: h + h.roll(6, -1),
    "flip": lambda m, h: h.flip(-1),
    "means of twos": lambda m, h: heads(h, 6).mean(-1).repeat_interleave(2, -1) + h,
    "means of halves": lambda m, h: heads(h, 2).mean(-2).repeat(1, 1, 2) * h,
    "gate": lambda m, h: torch.cat([h[..., :4] * h[..., 4:8].sigmoid(), h[..., 4:]], -1),
    "group norm of threes": lambda m, h: over_channels(lambda c: F.group_norm(c, 4), h),
    "group norm of fours": lambda m, h: over_channels(lambda c: F.group_norm(c, 3), h),
    "group norm of twos": lambda m, h: over_channels(lambda c: F.group_norm(c, 6), h),
    "three groups": lambda m, h: over_channels(m.three, h),
    "two groups": lambda m, h: over_channels(m.two, h),
    "depthwise": lambda m, h: over_channels(m.depthwise, h),
    "squeeze and excite": lambda m, h: h * m.square(h.mean(1, keepdim=True)).sigmoid(),
    "scale of dimensions": lambda m, h: (heads(h, 3) * m.of_dimensions).flatten(2),
    "scale of heads": lambda m, h: (heads(h, 3) * m.of_heads.unsqueeze(-1)).flatten(2),
    "sum of heads": lambda m, h: (heads(h, 3) + heads(h, 3).sum(-2, keepdim=True)).flatten(2),
    "maximum within heads": lambda m, h: heads(h, 3).amax(-1).repeat_interleave(4, -1) + h,
    "by one unit": lambda m, h: h * h[..., 5:6],
    "outer product": lambda m, h: torch.einsum("bna,bnc->bnac", h[..., :3], h[..., 3:7]).flatten(2),
    "pad": lambda m, h: F.pad(h[..., 2:10], (1, 3)),
    "pad as a residual": lambda m, h: F.pad(h[..., 2:10], (2, 2)) + h,
    "write a part": lambda m, h: written(h),
    "matrix a head": lambda m, h: torch.einsum("bnhd,hde->bnhe", heads(h, 3), m.a_head).flatten(2),
    "mix heads": lambda m, h: torch.einsum("bnhd,hg->bngd", heads(h, 3), m.between_heads).flatten(2),
    "stack halves": lambda m, h: torch.stack([h[..., :6], h[..., 6:]], -1).flatten(2),
}


def parts() -> nn.Module:
    """The parameters that a step may use."""
    return Program(
        lambda m, h: h,
        square=nn.Linear(WIDTH, WIDTH),
        triple=nn.Linear(WIDTH, 3 * WIDTH),
        two=nn.Conv1d(WIDTH, WIDTH, 1, groups=2),
        three=nn.Conv1d(WIDTH, WIDTH, 1, groups=3),
        depthwise=nn.Conv1d(WIDTH, WIDTH, 1, groups=WIDTH),
        of_dimensions=(4,),
        of_heads=(3,),
        a_head=(3, 4, 4),
        between_heads=(3, 3),
    )


def program(names: list[str]) -> nn.Module:
    """A linear layer to ``WIDTH`` units, the steps, and a linear layer."""

    def body(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.first(x)
        for step, name in zip(m.steps, names, strict=True):
            h = STEPS[name](step, h)
        return m.last(h)

    steps = nn.ModuleList(parts() for _ in names)
    return Program(body, first=nn.Linear(2, WIDTH), last=nn.Linear(WIDTH, 2), steps=steps)


def fault(names: list[str], inputs: torch.Tensor) -> str | None:
    """The fault of the program's spec, or None."""
    try:
        spec = rf.trace_spec(program(names), inputs)
    except rf.SpecError as error:
        # Products of products leave float64's range under random parameters: they prove nothing.
        return None if "overflow" in str(error) else str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    unknown = {axis.operation for axis in spec.frozen if "rule" in axis.operation}
    return f"left in place: {sorted(unknown)}" if unknown else None


def main() -> int:
    def one(seed: int, k: int, options: Namespace) -> str | None:
        draw = random.Random(f"{seed} {k}")
        torch.manual_seed(k)
        names = draw.choices(sorted(STEPS), k=draw.randint(2, options.longest))
        wrong = fault(names, torch.randn(2, 5, 2))
        return None if wrong is None else f"{names}\n    {wrong}"

    torch.set_num_threads(1)
    return fuzz(__doc__, "programs", one, count=1000, longest=5)


if __name__ == "__main__":
    sys.exit(main())
