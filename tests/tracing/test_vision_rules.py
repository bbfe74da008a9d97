"""Operations of image models on channels, each in a program of its own: its free permutations, proven on it."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import rebasin_fast as rf
from helpers.programs import Program, between_convolutions, symmetries

IMAGES = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def folded(h: torch.Tensor) -> torch.Tensor:
    return F.fold(F.unfold(h, 3, padding=1), (6, 6), 3, padding=1)


def outlook(m: Program, h: torch.Tensor) -> torch.Tensor:
    """Every place weighs the 3 x 3 values around it, in three heads of two channels."""
    return weighed(m, m.values(h), h)


def own_outlook(m: Program, h: torch.Tensor) -> torch.Tensor:
    """Heads are on both sides of what weighs: its rows, and the channels that it reads."""
    return weighed(m, h, h)


def weighed(m: Program, v: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    values = F.unfold(v, 3, padding=1).reshape(2, 3, 2, 9, 36)
    weights = m.weigh(h).reshape(2, 3, 1, 9, 36).softmax(-2)
    return F.fold((values * weights).reshape(2, 54, 36), (6, 6), 3, padding=1)


def shuffled(m: Program, h: torch.Tensor) -> torch.Tensor:
    """Two maps in turns, of which the second half is worked on."""
    mixed = torch.cat([h, m.other(h)], dim=1).unflatten(1, (2, 6)).transpose(1, 2).flatten(1, 2)
    first, second = mixed.chunk(2, dim=1)
    return torch.cat([first, m.inner(second)], dim=1)


def in_turns(m: Program, h: torch.Tensor) -> torch.Tensor:
    """Two maps in turns, by stacking them."""
    return torch.stack([h, m.other(h)], dim=2).flatten(1, 2)


def mixed(m: Program, h: torch.Tensor) -> torch.Tensor:
    """Two maps stacked, and added with weights of their own."""
    return (torch.stack([h, m.other(h)], dim=1) * m.share.view(1, 2, 1, 1, 1)).sum(1)


def halves(m: Program, h: torch.Tensor) -> torch.Tensor:
    """The same by concatenation: nothing may swap the weights, for different layers make the halves."""
    return (torch.cat([h, m.other(h)], dim=1).unflatten(1, (2, 6)) * m.share.view(1, 2, 1, 1, 1)).sum(1)


def ghost(m: Program, h: torch.Tensor) -> torch.Tensor:
    return torch.cat([h, m.cheap(h)], dim=1)


def response_norm(m: Program, h: torch.Tensor) -> torch.Tensor:
    energy = h.norm(dim=(2, 3), keepdim=True)
    return h + torch.addcmul(
        m.b.view(1, -1, 1, 1), m.g.view(1, -1, 1, 1), h * (energy / energy.mean(1, keepdim=True))
    )


def standardised(m: Program, h: torch.Tensor) -> torch.Tensor:
    weight = F.batch_norm(m.w.reshape(1, 6, -1), None, None, weight=m.g.view(-1), training=True, momentum=0.0)
    return F.conv2d(h, weight.reshape_as(m.w), padding=1)


def padded_at_one_end(m: Program, h: torch.Tensor) -> torch.Tensor:
    """As convolutions of TensorFlow's padding are where their stride leaves one pixel over."""
    return F.conv2d(F.pad(h, (0, 1, 0, 1)), m.w, stride=2)


# A permutation within another comes after it in its tuple.
CASES = {
    "unfold and fold": (between_convolutions(lambda m, h: folded(h), 4, 4), [(4,)]),
    "unfold": (between_convolutions(lambda m, h: F.unfold(h, 3, padding=1).view(2, 36, 6, 6), 4, 36), [(4,)]),
    "outlook attention": (
        between_convolutions(outlook, 5, 6, values=nn.Conv2d(5, 6, 1), weigh=nn.Conv2d(5, 27, 1)),
        [(5,), (3,), (3, 2)],
    ),
    "outlook attention of its own map": (
        between_convolutions(own_outlook, 6, 6, weigh=nn.Conv2d(6, 27, 1)),
        [(3,), (3, 2)],
    ),
    "interleaved maps, halved": (
        between_convolutions(shuffled, 6, 10, other=nn.Conv2d(6, 6, 1), inner=nn.Conv2d(6, 4, 1)),
        [(3,), (3,), (3,), (3,), (4,)],
    ),
    "maps in turns": (between_convolutions(in_turns, 6, 12, other=nn.Conv2d(6, 6, 1)), [(6,), (6,)]),
    "stacked and added": (between_convolutions(mixed, 6, 6, other=nn.Conv2d(6, 6, 1), share=(2,)), [(6,)]),
    "halves with a weight each": (
        between_convolutions(halves, 6, 6, other=nn.Conv2d(6, 6, 1), share=(2,)),
        [(6,)],
    ),
    "padded at one end": (between_convolutions(padded_at_one_end, 6, 4, w=(4, 6, 3, 3)), [(6,), (4,)]),
    "ghosts": (between_convolutions(ghost, 4, 8, cheap=nn.Conv2d(4, 4, 3, padding=1, groups=4)), [(4,)]),
    "global response norm": (between_convolutions(response_norm, 6, 6, g=(6,), b=(6,)), [(6,)]),
    "standardised weights": (
        between_convolutions(standardised, 4, 6, w=(6, 4, 3, 3), g=(6, 1, 1, 1)),
        [(4,), (6,)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_permutations(name: str) -> None:
    program, expected = CASES[name]
    assert symmetries(rf.trace_spec(program, IMAGES)) == Counter(expected)
