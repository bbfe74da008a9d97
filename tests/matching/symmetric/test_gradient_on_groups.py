"""Gradient steps on the groups: slopes are derivatives, B keeps its function, runs continue, mistakes are named."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import rebasin_fast as rf
from rebasin_fast.matching.trained.straight_through.lie_steps import LieSteps
from rebasin_fast.permutation import identity_transform

cross_entropy = functional.cross_entropy
GROUP = {"symmetries": "all", "gradient": "group", "evaluate_every": 2}


class Block(nn.Module):
    """Attention of two heads and a ReLU perceptron, pre-norm: class numbers of the last token."""

    def __init__(self, characters=5, width=6, heads=2):
        super().__init__()
        self.heads = heads
        self.embed = nn.Embedding(characters, width)
        self.norm1, self.norm2, self.norm = (nn.LayerNorm(width) for _ in range(3))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 8), nn.Linear(8, width)
        self.head = nn.Linear(width, characters)

    def forward(self, tokens):
        x = self.embed(tokens)
        batch, length, width = x.shape
        h = self.norm1(x)
        q, k, v = (
            part(h).view(batch, length, self.heads, -1).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return self.head(self.norm(x + self.down(functional.relu(self.up(self.norm2(x))))))[:, -1]


@pytest.fixture(scope="module")
def pair():
    """A spec, two models of it in float64, and batches."""
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randint(5, (4, 16, 4), generator=rng)
    batches = [(x, (x[:, 0] + x[:, -1]) % 5) for x in tokens]
    models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = Block().double()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for x, y in batches * 10:
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
        models.append({name: value.detach() for name, value in model.state_dict().items()})
    return rf.trace_spec(Block().double(), tokens[0][:2]), *models, batches


def matched(pair, **options):
    spec, a, b, batches = pair
    return rf.straight_through_matching(
        spec, Block().double(), a, b, batches, cross_entropy, **{**GROUP, "learning_rate": 0.05, **options}
    )


def outputs(params, batches):
    model = Block().double()
    model.load_state_dict(params)
    with torch.no_grad():
        return torch.cat([model(x) for x, _ in batches])


def test_slopes_are_the_derivatives_along_the_groups(pair):
    spec, a, b, batches = pair
    normal = rf.normalise(spec, b)
    sizes = spec.sizes(a)
    steps = LieSteps(spec, normal.symmetries, sizes)
    assert {moving.symmetry.group for moving in steps.moving.values()} == {"linear", "orthogonal", "scales"}
    other = rf.normalise(spec, a).params

    def loss_at(params):
        halfway = {name: (other[name] + params[name]) / 2 for name in params}
        x, y = batches[0]
        return cross_entropy(torch.func.functional_call(Block().double(), halfway, (x,)), y)

    leaves = {name: value.clone().requires_grad_() for name, value in normal.params.items()}
    loss_at(leaves).backward()
    slopes = steps.slopes(normal.params, {name: leaf.grad for name, leaf in leaves.items()})
    rng = np.random.default_rng(0)
    for name, moving in steps.moving.items():
        direction = {n: np.zeros(m.shape) for n, m in steps.moving.items()}
        direction[name] = moving.tangent(rng.standard_normal(moving.shape))
        ends = []
        for step in (1e-5, -1e-5):
            element = steps.stepped(
                identity_transform(spec, sizes), {n: step * d for n, d in direction.items()}
            )
            ends.append(float(loss_at(rf.apply_transform(spec, element, normal.params))))
        assert np.vdot(slopes[name], direction[name]) == pytest.approx(
            (ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-9
        )


def test_the_loss_falls_and_both_functions_stay(pair):
    spec, a, b, batches = pair
    found = matched(pair, epochs=8)
    assert found.loss == min(loss for _, loss in found.evaluations) < 0.9 * found.first_loss
    ends = found.endpoints(a, b)
    for given, end in zip((a, b), ends, strict=True):
        assert (outputs(end, batches) - outputs(given, batches)).abs().max() < 1e-9
    halfway = outputs(rf.interpolate(*ends, 0.5), batches)
    reached = float(cross_entropy(halfway, torch.cat([y for _, y in batches])))
    assert found.loss == pytest.approx(reached, rel=1e-9)
    start = rf.weight_matching(spec, a, b, symmetries="all")
    for name, order in start.isometry.permutation.items():
        assert np.array_equal(found.isometry.permutation[name], order)
    for symmetry in found.spec.symmetries:
        if symmetry.group == "orthogonal":
            q = found.isometry.matrices[symmetry.permutation]
            assert np.abs(q @ q.T - np.eye(len(q))).max() < 1e-12
            assert np.abs(q.sum(-1) - 1).max() < 1e-12
    again = matched(pair, init=found)
    assert again.first_loss == pytest.approx(found.loss, rel=1e-9)
    with pytest.raises(rf.PermutationError, match=r"gradient='group'|scales of"):
        matched(pair, init=found, gradient="straight-through")


def test_a_run_that_moved_both_ends_is_a_start(pair):
    both = matched(pair, gradient="straight-through", move_both=True, epochs=2)
    assert matched(pair, init=both).first_loss == pytest.approx(both.loss, rel=1e-9)


def test_a_run_continues_to_the_result_it_would_have_had(pair, tmp_path):
    whole = matched(pair, epochs=3)
    options = {"epochs": 3, "checkpoint": tmp_path / "run.safetensors", "checkpoint_every": 1}
    stopped = matched(pair, stop=lambda event: event.sweep == 2, **options)
    assert stopped.steps == 5
    continued = matched(pair, **options)
    assert continued.losses == whole.losses
    assert continued.loss == whole.loss
    for kind in ("permutation", "scales", "matrices"):
        ours, theirs = (getattr(run.isometry, kind) for run in (continued, whole))
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    with pytest.raises(rf.FileFormatError, match="belongs to another matching"):
        matched(pair, gradient="straight-through", **options)


def test_what_does_not_apply_is_refused_by_name(pair):
    with pytest.raises(ValueError, match="move_both is for gradient='straight-through'"):
        matched(pair, move_both=True)
    with pytest.raises(ValueError, match="max_iter is for gradient='straight-through'"):
        matched(pair, max_iter=2)
    with pytest.raises(ValueError, match="gradient='group' is for symmetries='all'"):
        matched(pair, symmetries="permutations")
    with pytest.raises(ValueError, match="gradient is 'straight-through' or 'group'; got 'none'"):
        matched(pair, gradient="none")
    spec, a, b, batches = pair
    with pytest.raises(ValueError, match="trains matrices and scales of units"):
        matched((spec.with_symmetries([]), a, b, batches))


def test_a_rate_that_is_too_high_is_told_and_a_lower_one_helps(pair):
    with pytest.raises(ValueError, match=r"left the group .* Lower learning_rate"):
        matched(pair, learning_rate=40.0, epochs=8)
    assert matched(pair, learning_rate=0.01).loss <= matched(pair).first_loss
