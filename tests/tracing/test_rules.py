"""Each operation in a program of its own: its free permutations, proven on the program."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import rebasin_fast as rf
from helpers.programs import Program, between, between_convolutions, symmetries

ROWS = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
IMAGES = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def written(target: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    target[..., : h.shape[-1]] = h
    return target


def scaled_in_place(h: torch.Tensor) -> torch.Tensor:
    copy = h.clone()
    copy[..., :4] *= 2
    return copy


def turned(h: torch.Tensor) -> torch.Tensor:
    """Three heads of two complex numbers, each turned by an angle of its own."""
    angles = torch.polar(torch.ones(2), torch.arange(2.0)).to(torch.complex128)
    pairs = torch.view_as_complex(h.double().unflatten(-1, (3, 2, 2)))
    return torch.view_as_real(pairs * angles).flatten(2).to(h.dtype)


# A head dimension is the last of its tuple, the heads that it stands within come before it.
CASES = {
    "vector product": (Program(lambda m, x: torch.vdot(m.a(x)[0, 0], m.a(x)[1, 1]), a=nn.Linear(3, 6)), [(6,)]),
    "distances": (between(lambda m, h: torch.cdist(h, h), 6, 5), [(6,)]),
    "cosines": (Program(lambda m, x: F.cosine_similarity(m.a(x)[:, :1], m.a(x), dim=-1), a=nn.Linear(3, 6)), [(6,)]),
    "pairwise distances": (Program(lambda m, x: F.pairwise_distance(m.a(x), m.b(x)), a=nn.Linear(3, 6),
                                   b=nn.Linear(3, 6)), [(6,)]),
    "values of the maximum over units": (between(lambda m, h: h * torch.max(h, -1, keepdim=True)[0], 6, 6), [(6,)]),
    "number of the maximum": (between(lambda m, h: h * torch.max(h, -1, keepdim=True)[1], 6, 6), []),
    "top as a threshold": (between(lambda m, h: h * (h >= h.topk(3, -1)[0][..., -1:]), 6, 6), [(6,)]),
    "top by number": (between(lambda m, h: h.gather(-1, h.topk(3, -1)[1]), 6, 3), []),
    "k-th as a threshold": (between(lambda m, h: h * (h > h.kthvalue(2, -1, keepdim=True)[0]), 6, 6), [(6,)]),
    "added by index": (
        between(lambda m, h: torch.zeros_like(h).index_add(1, torch.tensor([0, 0, 2, 3, 1]), h), 6, 6), [(6,)]
    ),
    "scattered": (
        between(lambda m, h: torch.zeros_like(h).scatter_add(
            1, torch.tensor([0, 0, 2, 3, 1])[None, :, None].expand_as(h), h), 6, 6),
        [(6,)],
    ),
    "scattered by unit": (
        between(lambda m, h: torch.zeros_like(h).scatter_add(
            1, (torch.arange(2 * 5 * 6) % 5).view(2, 5, 6), h), 6, 6),
        [],
    ),
    "noise": (between(lambda m, h: h + torch.randn_like(h) * h.exp(), 6, 6), [(6,)]),
    "noise about a mean": (between(lambda m, h: torch.normal(h, h.exp()), 6, 6), [(6,)]),
    "linear": (between(lambda m, h: h, 6, 6), [(6,)]),
    "relu in place": (between(lambda m, h: h.relu_(), 6, 6), [(6,)]),
    "matmul": (between(lambda m, h: h @ m.w, 6, 4, w=(6, 4)), [(6,), (4,)]),
    "matmul from the left": (between(lambda m, h: m.w @ h, 6, 6, w=(4, 5)), [(6,)]),
    "addmm": (between(lambda m, h: torch.addmm(m.b, h[:, 0], m.w), 6, 4, w=(6, 4), b=(4,)), [(6,), (4,)]),
    "bmm": (between(lambda m, h: torch.bmm(h, h.mT), 6, 5), [(6,)]),
    "einsum": (between(lambda m, h: torch.einsum("b...i,io->b...o", h, m.w), 6, 4, w=(6, 4)), [(6,), (4,)]),
    "einsum of heads": (
        between(lambda m, h: torch.einsum("bnhd,hde->bne", h.view(2, 5, 3, 2), m.w), 6, 4, w=(3, 2, 4)),
        [(3,), (3, 2), (4,)],
    ),
    "bilinear": (
        Program(lambda m, x: m.last(m.mix(m.a(x), m.b(x))), a=nn.Linear(3, 4), b=nn.Linear(3, 5),
                mix=nn.Bilinear(4, 5, 6), last=nn.Linear(6, 2)),
        [(4,), (5,), (6,)],
    ),
    "bias that broadcasts": (between(lambda m, h: h * m.s + m.t, 6, 6, s=(6,), t=(5, 1)), [(6,)]),
    "one bias for all": (between(lambda m, h: h + m.t, 6, 6, t=(1,)), [(6,)]),
    "constant that differs": (between(lambda m, h: h * torch.arange(6.0), 6, 6), []),
    "constant that does not": (between(lambda m, h: h * torch.full((6,), 2.0), 6, 6), [(6,)]),
    "where": (between(lambda m, h: torch.where(h > m.t, h, -h), 6, 6, t=(6,)), [(6,)]),
    "lerp and maximum": (between(lambda m, h: torch.maximum(h, m.t).lerp(h, 0.3), 6, 6, t=(6,)), [(6,)]),
    "residual": (between(lambda m, h: h + m.w(h).relu(), 6, 6, w=nn.Linear(6, 6)), [(6,)]),
    "bottleneck": (
        between(lambda m, h: h + m.up(m.down(h).relu()), 6, 6, down=nn.Linear(6, 4), up=nn.Linear(4, 6)),
        [(6,), (4,)],
    ),
    "sum over units": (between(lambda m, h: h.sum(-1, keepdim=True), 6, 1), [(6,)]),
    "mean over rows": (between(lambda m, h: h.mean(1), 6, 6), [(6,)]),
    "maximum over units": (between(lambda m, h: h.amax(-1, keepdim=True), 6, 1), [(6,)]),
    "variance": (between(lambda m, h: h.var(-1, keepdim=True) * h, 6, 6), [(6,)]),
    "cumulative sum": (between(lambda m, h: h.cumsum(-1), 6, 6), []),
    "sort": (between(lambda m, h: h.sort(-1).values, 6, 6), [(6,)]),
    "numbers of a sort": (between(lambda m, h: h * h.argsort(-1), 6, 6), []),
    "softmax": (between(lambda m, h: h.softmax(-1), 6, 6), [(6,)]),
    "gated": (between(lambda m, h: F.glu(h), 8, 4), [(4,)]),
    "gated by chunks": (between(lambda m, h: h.chunk(2, -1)[0] * h.chunk(2, -1)[1].sigmoid(), 8, 4), [(4,)]),
    "layer norm": (between(lambda m, h: m.n(h), 6, 6, n=nn.LayerNorm(6)), [(6,)]),
    "rms norm": (between(lambda m, h: m.n(h), 6, 6, n=nn.RMSNorm(6)), [(6,)]),
    "rms norm by hand": (
        between(lambda m, h: m.w * h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-6), 6, 6, w=(6,)),
        [(6,)],
    ),
    "norm of heads": (between(lambda m, h: m.n(h.view(2, 5, 3, 2)).flatten(2), 6, 6, n=nn.LayerNorm(2)), [(3,), (2,)]),
    "cat": (between(lambda m, h: torch.cat([h, m.w(h)], -1), 6, 10, w=nn.Linear(6, 4)), [(6,), (4,)]),
    "cat of one with itself": (between(lambda m, h: torch.cat([h, -h], -1), 6, 12), [(6,)]),
    "cat of one with itself, as a residual": (
        between(lambda m, h: torch.cat([h, -h], -1) + m.w(h), 6, 12, w=nn.Linear(6, 12)), [(6,)],
    ),
    "stack": (between(lambda m, h: torch.stack([h, m.w(h)], -1).flatten(2), 6, 12, w=nn.Linear(6, 6)), [(6,), (6,)]),
    "split": (between(lambda m, h: h.split([2, 4], -1)[1], 6, 4), [(4,)]),
    "slice": (between(lambda m, h: h[..., 1:4], 6, 3), [(3,)]),
    "every second": (between(lambda m, h: h[..., ::2], 6, 3), [(3,)]),
    "select": (between(lambda m, h: h * h[..., :1], 6, 6), [(5,)]),
    "select one": (between(lambda m, h: h * h[..., 2].unsqueeze(-1), 6, 6), [(5,)]),
    "unbind": (between(lambda m, h: h.unbind(1)[2], 6, 6), [(6,)]),
    "roll": (between(lambda m, h: h + h.roll(1, -1), 6, 6), []),
    "flip alone": (between(lambda m, h: h.flip(-1), 6, 6), [(6,)]),
    "roll of rows": (between(lambda m, h: h.roll(2, 1), 6, 6), [(6,)]),
    "view and back": (between(lambda m, h: h.view(2, 5, 2, 3).relu().view(2, 5, 6), 6, 6), [(6,)]),
    "flatten of rows": (between(lambda m, h: h.flatten(1), 6, 30), [(6,)]),
    "permute": (between(lambda m, h: h.permute(2, 0, 1).relu().permute(1, 2, 0), 6, 6), [(6,)]),
    "channel shuffle": (
        between(lambda m, h: h.view(2, 5, 2, 3).transpose(2, 3).reshape(2, 5, 6), 6, 6), [(6,)],
    ),
    "channel shuffle, half used": (
        between(lambda m, h: h.view(2, 5, 2, 4).transpose(2, 3).reshape(2, 5, 8)[..., :4], 8, 4), [(4,)],
    ),
    "expand": (between(lambda m, h: (h.mean(-1, keepdim=True).expand(-1, -1, 6) + h), 6, 6), [(6,)]),
    "repeat": (between(lambda m, h: h.repeat(1, 1, 2), 6, 12), [(6,), (2,)]),
    "repeat interleave": (between(lambda m, h: h.repeat_interleave(2, -1), 6, 12), [(6,), (6, 2)]),
    "squeeze": (between(lambda m, h: h.unsqueeze(1).squeeze(1), 6, 6), [(6,)]),
    "movedim": (between(lambda m, h: h.movedim(-1, 0).movedim(0, -1), 6, 6), [(6,)]),
    "written through a slice": (
        between(lambda m, h: written(h.new_zeros(2, 5, 8), h), 6, 8), [(6,), (2,)],
    ),
    "written through a view of an expansion": (
        between(lambda m, h: written(h.new_zeros(1).expand(2, 5, 8).contiguous(), h), 6, 8), [(6,), (2,)],
    ),
    "weight norm": (
        between(lambda m, h: m.w(h), 6, 4, w=nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))), [(6,), (4,)],
    ),
    "complex pairs": (between(lambda m, h: turned(h), 12, 12), [(3,)]),
    # All heads would have to share their dimensions, which a spec says of a norm's scale, and not by itself.
    "softmax over heads": (
        between(lambda m, h: h.unflatten(-1, (3, 4)).softmax(-2).flatten(2), 12, 12), [(3,)],
    ),
    "halves computed apart": (
        between(lambda m, h: torch.cat([-h[..., 6:], h[..., :6]], -1), 12, 12), [(6,), (6,)],
    ),
    "a part scaled in place": (between(lambda m, h: scaled_in_place(h), 12, 12), [(4,), (8,)]),
    "a part of each of two copies": (
        between(lambda m, h: torch.cat([h, h.sigmoid()], -1)[..., 2:10], 6, 8), [(2,), (2,), (2,)],
    ),
    "windows that cut across heads": (
        between(lambda m, h: (F.pad(h[..., 2:10], (2, 2)) + h).unflatten(-1, (3, 4)).softmax(-2).flatten(2), 12, 12),
        [(2,), (2,)],
    ),
    "prelu": (
        between_convolutions(lambda m, h: m.p(h), 6, 6, p=nn.PReLU(6)), [(6,)],
    ),
    "batch norm": (between_convolutions(lambda m, h: m.n(h), 6, 6, n=nn.BatchNorm2d(6)), [(6,)]),
    "instance norm": (between_convolutions(lambda m, h: m.n(h), 6, 6, n=nn.InstanceNorm2d(6, affine=True)), [(6,)]),
    "group norm": (between_convolutions(lambda m, h: m.n(h), 6, 6, n=nn.GroupNorm(2, 6)), [(2,), (2, 3)]),
    "group norm of one group": (between_convolutions(lambda m, h: m.n(h), 6, 6, n=nn.GroupNorm(1, 6)), [(6,)]),
    "depthwise": (
        between_convolutions(lambda m, h: m.c(h), 6, 6, c=nn.Conv2d(6, 6, 3, padding=1, groups=6)), [(6,)],
    ),
    "depthwise with two each": (
        between_convolutions(lambda m, h: m.c(h), 6, 12, c=nn.Conv2d(6, 12, 3, padding=1, groups=6)),
        [(6,), (6, 2)],
    ),
    "grouped": (
        between_convolutions(lambda m, h: m.c(h), 6, 4, c=nn.Conv2d(6, 4, 3, padding=1, groups=2)),
        [(2,), (2, 3), (2, 2)],
    ),
    "transposed": (
        between_convolutions(lambda m, h: m.c(h), 6, 4, c=nn.ConvTranspose2d(6, 4, 2, 2)), [(6,), (4,)],
    ),
    "transposed, grouped": (
        between_convolutions(lambda m, h: m.c(h), 6, 4, c=nn.ConvTranspose2d(6, 4, 2, 2, groups=2)),
        [(2,), (2, 3), (2, 2)],
    ),
    "pooling": (between_convolutions(lambda m, h: F.max_pool2d(F.avg_pool2d(h, 2), 2), 6, 6), [(6,)]),
    "adaptive pooling": (between_convolutions(lambda m, h: F.adaptive_avg_pool2d(h, 1), 6, 6), [(6,)]),
    "resizing": (
        between_convolutions(lambda m, h: F.interpolate(h, scale_factor=2, mode="bilinear"), 6, 6), [(6,)],
    ),
    "padding of pixels": (between_convolutions(lambda m, h: F.pad(h, (1, 1, 1, 1), mode="reflect"), 6, 6), [(6,)]),
    "padding of channels": (
        between_convolutions(lambda m, h: F.pad(h, (0, 0, 0, 0, 1, 2)) + m.c(h), 6, 9, c=nn.Conv2d(6, 9, 1)),
        [(6,), (3,)],
    ),
    "pixel shuffle": (between_convolutions(lambda m, h: F.pixel_shuffle(h, 2), 12, 3), [(3,)]),
    "pixel unshuffle": (between_convolutions(lambda m, h: F.pixel_unshuffle(h, 2), 6, 24), [(6,)]),
    "squeeze and excite": (
        between_convolutions(
            lambda m, h: h * m.b(m.a(h.mean((2, 3), keepdim=True)).relu()).sigmoid(), 6, 6,
            a=nn.Conv2d(6, 4, 1), b=nn.Conv2d(4, 6, 1),
        ),
        [(6,), (4,)],
    ),
    "flatten of images": (
        Program(lambda m, x: m.b(m.a(x).flatten(1)), a=nn.Conv2d(3, 6, 3, padding=1), b=nn.Linear(6 * 36, 2)),
        [(6,)],
    ),
    "tied weights": (
        Program(lambda m, x: F.linear(m.a(x).relu(), m.a.weight.T), a=nn.Linear(3, 6)), [(6,)],
    ),
}  # fmt: skip
OTHERS = {
    "conv1d": (
        Program(lambda m, x: m.b(m.a(x).relu()), a=nn.Conv1d(5, 6, 3), b=nn.Conv1d(6, 2, 1)), ROWS, [(6,)],
    ),
    "conv3d": (
        Program(lambda m, x: m.b(m.a(x).relu()), a=nn.Conv3d(3, 6, 3), b=nn.Conv3d(6, 2, 1)),
        IMAGES.unsqueeze(2).expand(-1, -1, 3, -1, -1), [(6,)],
    ),
    "embedding": (
        Program(lambda m, x: m.b(m.a(x)), a=nn.Embedding(7, 6), b=nn.Linear(6, 2)),
        torch.arange(10).view(2, 5) % 7, [(6,)],
    ),
    "lstm of two layers, both ways": (
        Program(lambda m, x: m.b(m.a(x)[0]), a=nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True),
                b=nn.Linear(8, 2)),
        ROWS, [(4,)] * 4,
    ),
    "gru cell": (
        Program(lambda m, x: m.b(m.a(x[:, 1], m.a(x[:, 0]))), a=nn.GRUCell(3, 4), b=nn.Linear(4, 2)), ROWS, [(4,)],
    ),
    "lstm cell": (
        Program(lambda m, x: m.b(m.a(x[:, 1], m.a(x[:, 0]))[0]), a=nn.LSTMCell(3, 4), b=nn.Linear(4, 2)),
        ROWS, [(4,)],
    ),
    "rnn cell": (
        Program(lambda m, x: m.b(m.a(x[:, 1], m.a(x[:, 0]))), a=nn.RNNCell(3, 4), b=nn.Linear(4, 2)), ROWS, [(4,)],
    ),
    "bag of embeddings": (
        Program(lambda m, x: m.b(m.a(x)), a=nn.EmbeddingBag(9, 4), b=nn.Linear(4, 2)),
        torch.arange(8).view(2, 4), [(4,)],
    ),
    "gru, last state": (
        Program(lambda m, x: m.b(m.a(x)[1][-1]), a=nn.GRU(3, 4, 2, batch_first=True), b=nn.Linear(4, 2)),
        ROWS, [(4,)] * 2,
    ),
    "attention": (
        Program(lambda m, x: m.o(m.a(m.i(x), m.i(x), m.i(x), need_weights=False)[0]), i=nn.Linear(3, 6),
                a=nn.MultiheadAttention(6, 3, batch_first=True), o=nn.Linear(6, 2)),
        ROWS, [(6,), (6,), (3,), (3, 2), (3, 2)],
    ),
    "attention with weights": (
        Program(lambda m, x: m.a(x, x, x), a=nn.MultiheadAttention(3, 3, batch_first=True)), ROWS, [(3,)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_free(name: str) -> None:
    model, expected = CASES[name]
    inputs = IMAGES if "m.first" and isinstance(getattr(model, "first", None), nn.Conv2d) else ROWS
    if name == "flatten of images":
        inputs = IMAGES
    check(model, inputs, expected)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_free_in_layers(name: str) -> None:
    check(*OTHERS[name])


def check(model: nn.Module, inputs: torch.Tensor, expected: list[tuple[int, ...]]) -> None:
    spec = rf.trace_spec(model, inputs)
    assert symmetries(spec) == Counter(expected)
    assert not [axis for axis in spec.frozen if "rule" in axis.operation]
    assert rf.PermutationSpec.from_json(spec.to_json()) == spec
