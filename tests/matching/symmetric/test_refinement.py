"""The straight-through estimator over all groups: the loss falls, functions stay, runs continue, mistakes are named."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import rebasin_fast as rf
from rebasin_fast.matching.state_file import _digest as digest
from rebasin_fast.matching.trained.straight_through.projection import Projection, standing

cross_entropy = functional.cross_entropy


class Block(nn.Module):
    """One pre-norm block of two heads between an embedding and a head: class numbers of the last token."""

    def __init__(self, characters=7, width=8, heads=2):
        super().__init__()
        self.heads = heads
        self.embed = nn.Embedding(characters, width)
        self.norm1, self.norm2, self.norm = (nn.LayerNorm(width) for _ in range(3))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 12), nn.Linear(12, width)
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
        x = x + self.down(functional.gelu(self.up(self.norm2(x))))
        return self.head(self.norm(x))[:, -1]


def perceptron():
    return nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 10), nn.Tanh(), nn.Linear(10, 3))


class Case:
    """A model, its spec, two trained networks of it and the batches they were trained on, in float64."""

    def __init__(self, build, batches, steps, rate, reached):
        """``reached``: the share of the loss without data that refinement at this rate falls below."""
        self.rate, self.reached = rate, reached
        self.build, self.batches = lambda: build().double(), batches
        self.spec = rf.trace_spec(self.build(), batches[0][0][:2])
        self.a, self.b = (self.trained(seed, steps) for seed in (0, 1))

    def trained(self, seed, steps):
        torch.manual_seed(seed)
        model = self.build()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for step in range(steps):
            optimizer.zero_grad()
            x, y = self.batches[step % len(self.batches)]
            cross_entropy(model(x), y).backward()
            optimizer.step()
        return {name: value.detach() for name, value in model.state_dict().items()}

    def match(self, **options):
        options = {"symmetries": "all", "evaluate_every": 2, "learning_rate": self.rate, **options}
        return rf.straight_through_matching(
            self.spec, self.build(), self.a, self.b, self.batches, cross_entropy, **options
        )

    def outputs(self, params):
        model = self.build()
        model.load_state_dict(params)
        with torch.no_grad():
            return torch.cat([model(x) for x, _ in self.batches])

    def loss(self, params):
        targets = torch.cat([y for _, y in self.batches])
        return float(cross_entropy(self.outputs(params), targets))


def _perceptron_case():
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(4, 24, 5, generator=rng).double()
    teacher = torch.randn(5, 3, generator=rng).double()
    return Case(
        perceptron, [(x, torch.sin(2 * x @ teacher).argmax(1)) for x in inputs], 100, rate=0.1, reached=0.98
    )


def _block_case():
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randint(7, (4, 24, 5), generator=rng)
    return Case(Block, [(x, (x[:, 0] + x[:, -1]) % 7) for x in tokens], 60, rate=0.03, reached=0.92)


@pytest.fixture(params=["perceptron", "block"], scope="module")
def case(request):
    return {"perceptron": _perceptron_case, "block": _block_case}[request.param]()


@pytest.fixture(scope="module")
def refined(case):
    return case.match(epochs=8)


def test_the_loss_falls_and_is_that_of_the_endpoints(case, refined):
    start = rf.weight_matching(case.spec, case.a, case.b, symmetries="all")
    data_free = case.loss(rf.interpolate(*start.endpoints(case.a, case.b), 0.5))
    assert refined.first_loss == pytest.approx(data_free, rel=1e-9)
    reached = case.loss(rf.interpolate(*refined.endpoints(case.a, case.b), 0.5))
    assert refined.loss == pytest.approx(reached, rel=1e-9)
    assert refined.loss == min(loss for _, loss in refined.evaluations) < case.reached * data_free
    assert (refined.best_step, refined.loss) in refined.evaluations
    assert (refined.steps, refined.sweeps, len(refined.history)) == (32, 8, 8)


@pytest.mark.parametrize("move_both", [False, True])
def test_endpoints_compute_the_functions_of_both(case, move_both):
    found = case.match(epochs=2, move_both=move_both)
    assert isinstance(found, rf.StraightThroughMatching)
    assert isinstance(found, rf.SymmetricMatching)
    for given, end in zip((case.a, case.b), found.endpoints(case.a, case.b), strict=True):
        assert list(end) == list(given)
        assert (case.outputs(end) - case.outputs(given)).abs().max() < 1e-9
    for isometry in (found.isometry, found.isometry_a):
        for matrices in isometry.matrices.values():
            identity = np.eye(matrices.shape[-1])
            assert np.abs(matrices @ matrices.swapaxes(-1, -2) - identity).max() < 1e-12
    assert json.loads(json.dumps(found.to_dict()))["loss"] == found.loss


def test_both_ends_move_if_asked(case, refined):
    found = case.match(epochs=8, move_both=True)
    assert found.loss < case.reached * found.first_loss
    assert found.first_loss == refined.first_loss
    normal = rf.normalise(case.spec, case.a).params
    assert any(
        (found.endpoints(case.a, case.b)[0][name] - normal[name]).abs().max() > 1e-3 for name in normal
    )
    assert all(torch.equal(refined.endpoints(case.a, case.b)[0][name], normal[name]) for name in normal)
    moved = rf.apply_transform(case.spec, found.isometry_a, normal)
    assert all(torch.equal(found.endpoints(case.a, case.b)[0][name], moved[name]) for name in normal)
    relative = rf.compose_transforms(
        found.isometry, rf.invert_transform(found.isometry_a, found.spec), found.spec
    )
    from_a = rf.apply_transform(case.spec, relative, rf.normalise(case.spec, case.b).params)
    assert case.loss(rf.interpolate(normal, from_a, 0.5)) == pytest.approx(found.loss, rel=1e-9)
    assert set(found.transform_a.matrices) == set(found.transform.matrices)


@pytest.mark.parametrize("move_both", [False, True])
def test_a_run_continues_to_the_result_it_would_have_had(case, tmp_path, move_both):
    options = {"epochs": 3, "move_both": move_both}
    whole = case.match(**options)
    options |= {"checkpoint": tmp_path / "run.safetensors", "checkpoint_every": 1}

    def interrupt(event):
        if (event.sweep, event.visit) == (2, 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        case.match(progress=interrupt, **options)
    events = []
    continued = case.match(progress=events.append, **options)
    assert len(events) == 6
    assert continued.losses == whole.losses
    assert continued.evaluations == whole.evaluations
    assert continued.history == whole.history
    for ours, theirs in ((continued.isometry, whole.isometry), (continued.isometry_a, whole.isometry_a)):
        for kind in ("permutation", "signs", "matrices"):
            parts, others = getattr(ours, kind), getattr(theirs, kind)
            assert parts.keys() == others.keys()
            assert all(np.array_equal(parts[name], others[name]) for name in parts)


def test_a_projection_never_lowers_its_objective(case):
    """Towards targets drawn anew, from where the one before led."""
    a, b = (rf.normalise(case.spec, params) for params in (case.a, case.b))
    projection = Projection(case.spec, a.params, b.params, a.symmetries, strict=True)
    isometry = rf.weight_matching(case.spec, case.a, case.b, symmetries="all").isometry
    rng = torch.Generator().manual_seed(1)
    for _ in range(5):
        target = {
            name: value + 0.5 * torch.randn(value.shape, generator=rng, dtype=value.dtype)
            for name, value in a.params.items()
        }
        before = projection.objective(target, isometry)
        isometry, stats = projection.towards(target, isometry, 1)
        assert stats.accepted_steps > 0
        assert projection.objective(target, isometry) > before
        moved = rf.apply_transform(case.spec, isometry, b.params)
        state = standing(projection.problem, isometry)
        for name, values in zip(projection.problem.names, state.b, strict=True):
            assert np.abs(moved[name].numpy().ravel() - values.ravel()).max() < 1e-12


def test_a_run_starts_from_an_isometry_as_it_is(case, refined):
    again = case.match(init=refined)
    assert again.first_loss == pytest.approx(refined.loss, rel=1e-9)
    assert again.loss <= again.first_loss
    assert case.match(init=refined.isometry).losses == again.losses
    permutation = rf.permutation.random_permutation(
        case.spec, case.spec.sizes(case.a), np.random.default_rng(0)
    )
    found = case.match(init=permutation, learning_rate=1e-12, epochs=1, evaluate=lambda params: 0.0)
    normals = [rf.normalise(case.spec, params).params for params in (case.a, case.b)]
    ends = found.endpoints(case.a, case.b)
    moved = rf.apply_permutation(case.spec, permutation, normals[1])
    assert all((ends[1][name] - moved[name]).abs().max() < 1e-12 for name in moved)


def test_what_does_not_apply_is_refused_by_name(case):
    with pytest.raises(ValueError, match="momentum is for symmetries='permutations'"):
        case.match(momentum=0.5)
    with pytest.raises(ValueError, match="move_both is for symmetries='all'"):
        case.match(symmetries="permutations", move_both=True)
    with pytest.raises(ValueError, match="symmetries is 'permutations' or 'all'; got 'some'"):
        case.match(symmetries="some")
    with pytest.raises(ValueError, match="max_iter is a whole number, 1 or more"):
        case.match(max_iter=0)
    units = case.spec.sizes(case.a)
    name = next(iter(units))
    transform = rf.permutation.identity_transform(case.spec, units)
    scaled = rf.Transform(transform.permutation, matrices={name: 2.0 * np.eye(units[name])})
    with pytest.raises(rf.PermutationError, match=repr(name)):
        case.match(init=scaled)
    with pytest.raises(TypeError, match="a Transform is for 'all'"):
        case.match(symmetries="permutations", init=transform)


def test_states_of_other_runs_and_damaged_ones_are_refused(case, tmp_path):
    path = tmp_path / "run.npz"
    found = case.match(checkpoint=path)
    assert case.match(checkpoint=path).losses == found.losses  # nothing left to do
    for options in ({"move_both": True}, {"symmetries": "permutations"}):
        with pytest.raises(rf.FileFormatError, match="belongs to another matching"):
            case.match(checkpoint=path, **options)
    whole = {name: np.array(array) for name, array in rf.load_params(path).items()}
    turned = [name for name in whole if name.startswith("best/b/") and not name.endswith("/heads")]
    for name in turned:
        contents = {key: array for key, array in whole.items() if key != "digest"}
        contents[name] = contents[name] * 2
        rf.save_params(path, {**contents, "digest": digest(contents)}, overwrite=True)
        with pytest.raises(rf.FileFormatError, match="damaged"):
            case.match(checkpoint=path)


def test_the_optimizer_can_be_chosen():
    case = _perceptron_case()
    plain = case.match(learning_rate=None, epochs=4)
    for name, rate in (("learning_rate", 0.01), ("optimizer", lambda t: torch.optim.Adam(t, lr=0.01))):
        assert case.match(**{"learning_rate": None, name: rate}, epochs=4).losses == plain.losses
    assert case.match(learning_rate=0.5, epochs=4).losses != plain.losses


def test_comparisons_and_ends_of_a_run():
    case = _perceptron_case()
    asked = []

    def evaluate(params):
        asked.append(params)
        return {"loss": float(len(asked))}

    ended = case.match(evaluate=evaluate, patience=2, evaluate_every=1, epochs=20)
    assert ended.converged
    assert ended.loss == ended.first_loss == 1.0
    stopped = case.match(stop=lambda event: event.visit == 3)
    assert stopped.steps == 3
