"""The Fisher matrix of past episodes: its factors, its permutations, and the penalty with it."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import rebasin_fast as rf
from helpers.networks import mlp
from rebasin_fast._models.functional import FunctionalModel
from rebasin_fast.continual import RebasinLearner
from rebasin_fast.continual.anchors import Distance, Fisher
from rebasin_fast.continual.importance import measured
from rebasin_fast.permutation import random_permutation
from reference.continual import fisher_by_examples

SPEC = rf.specs.mlp(["0", "2", "4"])


def network(seed=0):
    torch.manual_seed(seed)
    return mlp([6, 8, 8, 3])


def batches(seed=0, count=4, size=10, shape=(6,)):
    generator = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(size, *shape, generator=generator), torch.randint(3, (size,), generator=generator))
        for _ in range(count)
    ]


def importance_of(model, data):
    function = FunctionalModel(model, "test")
    return measured(function, function.tensors(model.state_dict(), "it"), data, cross_entropy)


def test_the_factors_are_moments_of_single_examples():
    found, wanted = importance_of(network(), batches()), fisher_by_examples(network(), batches())
    assert sorted(found.factors) == list(wanted) == ["0", "2", "4"]
    for name, (inputs, outputs) in wanted.items():
        torch.testing.assert_close(found.factors[name].inputs, inputs)
        torch.testing.assert_close(found.factors[name].outputs, outputs)


def test_a_convolution_of_one_place_is_a_linear_layer():
    torch.manual_seed(0)
    kernel = nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5, 3))
    flat = nn.Sequential(nn.Linear(18, 5), nn.ReLU(), nn.Flatten(), nn.Linear(5, 3))
    flat.load_state_dict(
        {name: value.reshape(flat.state_dict()[name].shape) for name, value in kernel.state_dict().items()}
    )
    data = batches(shape=(2, 3, 3))
    found = importance_of(kernel, data)
    wanted = importance_of(flat, [(inputs.flatten(1), targets) for inputs, targets in data])
    for name in ("0", "3"):
        torch.testing.assert_close(found.factors[name].inputs, wanted.factors[name].inputs)
        torch.testing.assert_close(found.factors[name].outputs, wanted.factors[name].outputs)


def test_places_of_a_convolution_are_summed_in_inputs_and_averaged_in_outputs():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(80, 3)
    )
    data = batches(shape=(2, 4, 4), count=1, size=1)
    rows = torch.nn.functional.unfold(data[0][0], 3, padding=1)[0].T
    found = importance_of(model, data).factors["0"]
    torch.testing.assert_close(found.inputs, sum(torch.outer(row, row) for row in rows))
    assert found.outputs.shape == (5, 5)
    assert not found.has_bias


def test_the_importance_of_permuted_units_is_the_permuted_importance():
    model = network()
    planted = random_permutation(SPEC, {"P0": 8, "P1": 8}, np.random.default_rng(0))
    tensors = dict(model.state_dict())
    moved = network()
    moved.load_state_dict(rf.apply_permutation(SPEC, planted, tensors))
    wanted = importance_of(moved, batches())
    for share, target in ((1.0, wanted), (0.0, importance_of(model, batches()))):
        found = importance_of(model, batches()).permuted(SPEC, planted, tensors, share)
        for name, factors in target.factors.items():
            torch.testing.assert_close(found.factors[name].inputs, factors.inputs)
            torch.testing.assert_close(found.factors[name].outputs, factors.outputs)


def test_the_proximal_step_solves_the_system_of_the_whole_matrix():
    importance = importance_of(network(), batches()) + importance_of(network(1), batches(1))
    generator = torch.Generator().manual_seed(0)
    deltas = {
        name: torch.randn(value.shape, generator=generator) for name, value in network().state_dict().items()
    }
    shrunk = {name: value.clone() for name, value in deltas.items()}
    penalty = Fisher(importance).shrink(shrunk, 0.7)
    total = 0.0
    for layer, factors in importance.factors.items():
        fisher = torch.kron(factors.outputs, factors.inputs).double() / 2  # two episodes
        flat, after = (
            torch.cat((one[f"{layer}.weight"], one[f"{layer}.bias"][:, None]), 1).ravel().double()
            for one in (deltas, shrunk)
        )
        total += float(flat @ fisher @ flat)
        torch.testing.assert_close(after + 1.4 * fisher @ after, flat, rtol=1e-4, atol=1e-4)
    assert penalty == pytest.approx(total, rel=1e-4)


def test_parameters_outside_the_layers_have_the_mean_importance():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    importance = importance_of(model, batches())
    diagonals = [torch.outer(f.outputs.diagonal(), f.inputs.diagonal()) for f in importance.factors.values()]
    mean = float(sum(one.sum() for one in diagonals) / sum(one.numel() for one in diagonals))
    deltas = {"1.weight": torch.ones(8)}
    assert Fisher(importance).shrink(deltas, 3.0) == pytest.approx(8 * mean, rel=1e-3)
    torch.testing.assert_close(deltas["1.weight"], torch.full((8,), 1 / (1 + 6 * mean)))


def test_the_distance_is_the_squared_norm():
    deltas = {"a": torch.tensor([3.0, 4.0])}
    assert Distance().shrink(deltas, 0.5) == 25.0
    torch.testing.assert_close(deltas["a"], torch.tensor([1.5, 2.0]))


def test_the_penalty_holds_back_what_past_episodes_need():
    """The first task reads one input, the second has the labels of another: the first weight is to stay."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 20, 2, generator=generator)
    first = [(x * torch.tensor([1.0, 0.0]), (x[:, 0] > 0).long()) for x in inputs]
    second = [(x, (x[:, 1] > 0).long()) for x in inputs]

    torch.manual_seed(0)
    found = RebasinLearner(
        nn.Sequential(nn.Linear(2, 2, bias=False)),
        rf.PermutationSpec({"0.weight": (None, None)}),
        loss=cross_entropy, learning_rate=0.5, relaxation=None, alpha=0.0, penalty="fisher", beta=30.0,
    )  # fmt: skip
    found.learn(first)
    start = found.params()["0.weight"]
    found.learn(second)
    change = (found.params()["0.weight"] - start).diff(dim=0).abs().squeeze()
    assert change[0] < 0.3 * change[1]


def learner(**options):
    return RebasinLearner(network(), SPEC, **{"loss": cross_entropy, "penalty": "fisher", **options})


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_a_restored_learner_keeps_the_importance(suffix, tmp_path):
    options = {"permutation_learning_rate": 0.4, "alpha": 0.5}
    whole = learner(**options)
    for seed in range(4):
        last = whole.learn(batches(seed, count=9))
    first, second = learner(**options), learner(**options)
    for seed in range(2):
        first.learn(batches(seed, count=9))
    first.save(tmp_path / f"state.{suffix}")
    second.restore(tmp_path / f"state.{suffix}")
    for seed in (2, 3):
        again = second.learn(batches(seed, count=9))
    assert last.moved_share > 0
    for name, value in whole.params().items():
        torch.testing.assert_close(second.params()[name], value, rtol=0, atol=0)
    np.testing.assert_array_equal(again.penalties, last.penalties)
    assert len(again.penalties) == len(again.losses) == 9


def test_a_trained_model_is_to_be_remembered_first():
    found = learner(trained=True)
    with pytest.raises(ValueError, match="remember"):
        found.learn(batches())
    with pytest.raises(rf.DataError, match="empty"):
        found.remember([])
    found.remember(batches())
    assert found.learn(batches()).penalties[-1] > 0


@pytest.mark.parametrize("options", [{"penalty": "ewc"}, {"fisher_batches": 0}])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        learner(**options)


def test_the_distance_does_not_read_the_importance():
    runs = [learner(trained=True, penalty="distance") for _ in range(2)]
    runs[0].remember(batches(5))
    for run in runs:
        run.learn(batches())
    for name, value in runs[0].params().items():
        torch.testing.assert_close(runs[1].params()[name], value, rtol=0, atol=0)
