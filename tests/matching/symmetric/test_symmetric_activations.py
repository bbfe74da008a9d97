"""Activation matching over all groups: planted transforms, starts of weight matching, and wrong input."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from rebasin_fast.errors import DataError, SpecError
from rebasin_fast.permutation import random_transform

WIDTH, HEADS, TOKENS = 8, 2, 11


class Block(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.norm1, self.norm2 = norm(WIDTH), norm(WIDTH)
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH)

    def forward(self, x):
        normed = self.norm1(x)
        q, k, v = (
            part(normed).view(*x.shape[:2], HEADS, -1).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        scores = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS), -1)
        x = x + self.out((scores @ v).transpose(1, 2).reshape(x.shape))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.embed = nn.Embedding(TOKENS, WIDTH)
        self.blocks = nn.Sequential(Block(norm), Block(norm))
        self.norm, self.head = norm(WIDTH), nn.Linear(WIDTH, TOKENS)

    def forward(self, tokens):
        return self.head(self.norm(self.blocks(self.embed(tokens))))


def tokens(count):
    return torch.randint(TOKENS, (count, 6), generator=torch.Generator().manual_seed(5))


def rows(count):
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


CASES = {
    "tanh": (
        lambda: nn.Sequential(nn.Linear(5, 9), nn.Tanh(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, 2)),
        rows,
    ),
    "relu": (
        lambda: nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 2)),
        rows,
    ),
    "LayerNorm": (lambda: Transformer(nn.LayerNorm), tokens),
    "RMSNorm": (lambda: Transformer(nn.RMSNorm), tokens),
}


def planted(name, seed=0):
    """A: B under a random transform of all groups, both of float64, B's norms and biases not trivial."""
    build, draw = CASES[name]
    torch.manual_seed(seed)
    model_a, model_b = build().double(), build().double()
    for parameter in model_b.parameters():
        nn.init.normal_(parameter, 1.0 if "Norm" in name and parameter.ndim == 1 else 0.0, 0.4)
    spec = rf.trace_spec(model_b, draw(3))
    b = rf.normalise(spec, model_b.state_dict()).params
    transform = random_transform(spec, spec.sizes(b), np.random.default_rng(seed))
    model_a.load_state_dict(rf.apply_transform(spec, transform, b))
    return spec, model_a, model_b, draw


@pytest.mark.parametrize("name", CASES)
def test_a_planted_transform_is_recovered_from_activations(name):
    spec, model_a, model_b, draw = planted(name)
    assert {symmetry.group for symmetry in spec.symmetries} & {"signs", "orthogonal", "scales"}
    found = rf.activation_matching(spec, model_a, model_b, [draw(200), draw(100)], symmetries="all")
    a, b = found.endpoints(model_a.state_dict(), model_b.state_dict())
    for parameter, weights in a.items():
        assert torch.allclose(b[parameter], weights, rtol=0, atol=1e-6), parameter
    assert found.objective > found.first_objective


@pytest.mark.parametrize("name", ["tanh", "LayerNorm"])
def test_the_models_given_are_as_before(name):
    spec, model_a, model_b, draw = planted(name)
    before = [
        {key: value.clone() for key, value in model.state_dict().items()} for model in (model_a, model_b)
    ]
    rf.activation_matching(spec, model_a, model_b, [draw(50)], symmetries="all")
    for model, kept in zip((model_a, model_b), before, strict=True):
        assert all(torch.equal(model.state_dict()[key], value) for key, value in kept.items())


@pytest.mark.parametrize("name", CASES)
def test_the_function_of_the_aligned_model_is_that_of_b(name):
    build, draw = CASES[name]
    torch.manual_seed(3)
    model_a, model_b = build().double(), build().double()
    spec = rf.trace_spec(model_a, draw(3))
    found = rf.activation_matching(
        spec, model_a, model_b, [draw(100)], symmetries="all", similarity="inner_product"
    )
    expected = model_b(draw(20))
    model_b.load_state_dict(found.apply(model_b.state_dict()))
    assert torch.allclose(model_b(draw(20)), expected, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_weights_go_on_from_activations_and_never_fall_below(name):
    build, draw = CASES[name]
    torch.manual_seed(4)
    model_a, model_b = build().double(), build().double()
    spec = rf.trace_spec(model_a, draw(3))
    a, b = model_a.state_dict(), model_b.state_dict()
    start = rf.activation_matching(spec, model_a, model_b, [draw(100)], symmetries="all")
    found = rf.weight_matching(spec, a, b, symmetries="all", init=start)
    of_start = inner_product_of_moved(spec, *start.endpoints(a, b))
    assert found.first_objective == pytest.approx(of_start, rel=1e-9)
    assert found.objective >= found.first_objective
    stopped = rf.weight_matching(spec, a, b, symmetries="all", init=start, max_iter=0)
    for parameter, weights in start.apply(b).items():
        assert torch.allclose(stopped.apply(b)[parameter], weights, atol=1e-9), parameter


def inner_product_of_moved(spec, a, b):
    moved = [name for name, axes in spec.axes_to_perm.items() if any(entry is not None for entry in axes)]
    return float(sum((a[name] * b[name]).sum() for name in moved))


def test_correlations_of_units_do_not_see_a_scale():
    spec, model_a, model_b, draw = planted("relu")
    with torch.no_grad():
        model_b[0].weight *= 3.0
        model_b[0].bias *= 3.0
        model_b[2].weight /= 3.0
    found = rf.activation_matching(spec, model_a, model_b, [draw(100)], symmetries="all")
    a, b = found.endpoints(model_a.state_dict(), model_b.state_dict())
    assert all(torch.allclose(b[parameter], weights, atol=1e-6) for parameter, weights in a.items())


def test_wrong_input_is_told():
    spec, model_a, model_b, draw = planted("tanh")
    with pytest.raises(DataError, match="empty"):
        rf.activation_matching(spec, model_a, model_b, [], symmetries="all")
    with pytest.raises(DataError, match="needs 2 or more"):
        rf.activation_matching(spec, model_a, model_b, [draw(1)], symmetries="all")
    with pytest.raises(ValueError, match="symmetries"):
        rf.activation_matching(spec, model_a, model_b, [draw(9)], symmetries="some")
    a, b = model_a.state_dict(), model_b.state_dict()
    with pytest.raises(ValueError, match="SymmetricMatching"):
        rf.weight_matching(spec, a, b, symmetries="all", init=rf.weight_matching(spec, a, b))
    of_others, others, _, draw_others = planted("relu")
    start = rf.activation_matching(of_others, others, others, [draw_others(9)], symmetries="all")
    signed = rf.activation_matching(spec, model_a, model_b, [draw(9)], symmetries="all")
    with pytest.raises(SpecError, match="signs"):
        rf.weight_matching(of_others, others.state_dict(), others.state_dict(), symmetries="all", init=signed)
    assert rf.weight_matching(
        of_others, others.state_dict(), others.state_dict(), symmetries="all", init=start
    )


class Unread(nn.Module):
    """Its hidden units are read and written by no module."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(9, 5)), nn.Parameter(torch.randn(2, 9))
        self.act = nn.Tanh()

    def forward(self, x):
        return self.act(x @ self.first.T) @ self.second.T


def test_units_without_a_tap_are_told_and_taps_name_them():
    torch.manual_seed(0)
    one, two = Unread().double(), Unread().double()
    spec = rf.trace_spec(one, rows(3))
    (units,) = spec.permutations

    def match(**options):
        return rf.activation_matching(spec, one, two, [rows(50)], symmetries="all", **options)

    with pytest.raises(SpecError, match=rf"no layer that ran reads .*taps=\{{'{units}': \.\.\.\}}"):
        match()
    assert set(match(strict=False).report) == {"first", "second"}
    found = match(taps={units: "act"})
    assert not found.report
    assert found.isometry.signs
    with pytest.raises(SpecError, match="the model has no such module"):
        match(taps={units: "third"})


def test_taps_of_another_width_are_told():
    model = nn.Sequential(nn.Linear(5, 9), nn.Tanh(), nn.Linear(9, 2)).double()
    spec = rf.trace_spec(model, rows(3))
    (units,) = spec.permutations
    with pytest.raises(SpecError, match=r"at module '2' a tensor of shape \(9, 2\) passes; expected 9 units"):
        rf.activation_matching(spec, model, model, [rows(9)], symmetries="all", taps={units: "2"})


def test_a_transform_planted_in_the_gpt_of_the_benchmark_is_recovered(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))
    from networks.character_gpt import CharacterGPT

    torch.manual_seed(0)
    model_a, model_b = (CharacterGPT(TOKENS, 2, 16, 4, tied=False).double() for _ in range(2))
    for parameter in model_b.parameters():
        nn.init.normal_(parameter, 0.0, 0.4)
    spec = rf.trace_spec(model_b, tokens(3))
    b = rf.normalise(spec, model_b.state_dict()).params
    transform = random_transform(spec, spec.sizes(b), np.random.default_rng(0))
    model_a.load_state_dict(rf.apply_transform(spec, transform, b))
    found = rf.activation_matching(spec, model_a, model_b, [tokens(400)], symmetries="all")
    a, aligned = found.endpoints(model_a.state_dict(), model_b.state_dict())
    for parameter, weights in a.items():
        assert torch.allclose(aligned[parameter], weights, rtol=0, atol=1e-6), parameter
