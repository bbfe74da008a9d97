"""The learner of re-basin incremental learning against slow loops, known permutations, and its own resumed self."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import rebasin_fast as rf
from helpers.networks import mlp
from rebasin_fast.continual import Episode, RebasinLearner
from rebasin_fast.permutation import random_permutation
from reference.continual import anchored_training, plain_training, soft_episode

SPEC = rf.specs.mlp(["0", "2", "4"])
SIZES = {"P0": 12, "P1": 12}


def network(seed=0):
    torch.manual_seed(seed)
    return mlp([6, 12, 12, 3])


def batches(seed=0, count=8, size=10):
    generator = torch.Generator().manual_seed(seed)
    teacher = torch.randn(6, 3, generator=generator)
    inputs = torch.randn(count, size, 6, generator=generator)
    return [(x, (x @ teacher).argmax(1)) for x in inputs]


def learner(model=None, spec=SPEC, **options):
    return RebasinLearner(
        network() if model is None else model, spec, **{"loss": cross_entropy, "trained": True, **options}
    )


def assert_same(params, others, **tolerances):
    assert list(params) == list(others)
    for name, value in params.items():
        torch.testing.assert_close(value, others[name], **(tolerances or {"rtol": 0, "atol": 0}))


def test_the_first_episode_is_plain_training():
    wanted = plain_training(network(), batches(), learning_rate=0.1, momentum=0.5)
    found = learner(trained=False, alpha=0.7, beta=3.0, learning_rate=0.1, momentum=0.5)
    episode = found.learn(batches())
    assert_same(found.params(), wanted, rtol=1e-6, atol=1e-7)
    assert (episode.number, episode.alpha, episode.beta, episode.moved_share) == (1, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_the_identity_and_no_average_is_training_with_a_penalty(momentum):
    model = network()
    wanted = anchored_training(model, batches(), learning_rate=0.1, momentum=momentum, beta=0.4)
    found = learner(model, relaxation=None, alpha=0.0, beta=0.4, learning_rate=0.1, momentum=momentum)
    found.learn(batches())
    assert_same(found.params(), wanted, rtol=1e-5, atol=1e-6)


def test_the_penalty_has_the_stationary_points_of_its_gradient():
    target = torch.tensor([1.0, -2.0])

    def loss(outputs, targets):
        return (outputs - target).square().sum()

    model = nn.Linear(1, 2, bias=False)
    nn.init.zeros_(model.weight)
    data = [(torch.ones(1, 1), torch.zeros(1))] * 400
    for momentum in (0.0, 0.8):
        found = learner(
            model, rf.PermutationSpec({"weight": (None, None)}), loss=loss, beta=3.0, momentum=momentum,
            learning_rate=0.05,
        )  # fmt: skip
        found.learn(data)
        # (1 + beta) δ = target
        torch.testing.assert_close(found.params()["weight"].ravel(), target / 4.0)


@pytest.mark.parametrize("relaxation", ["sinkhorn", "straight_through"])
@pytest.mark.parametrize("every", [1, 3])
def test_an_episode_follows_the_slow_loop(relaxation, every):
    model, options = network(), {"alpha": 0.3, "beta": 0.2, "learning_rate": 0.05, "tau": 0.2}
    found = learner(
        model, relaxation=relaxation, permutation_learning_rate=0.4, permutation_every=every, rng=3,
        iterations=200, **options,
    )  # fmt: skip
    episode = found.learn(batches())
    scores = np.random.default_rng([3, 1])
    start = {name: np.eye(n) + 0.1 * scores.standard_normal((n, n)) for name, n in SIZES.items()}
    params, permutation, losses = soft_episode(
        model, batches(), start, rate_of_scores=0.4, every=every, hard=relaxation != "sinkhorn", **options
    )
    assert episode.moved_share > 0.0
    for name, index in permutation.items():
        np.testing.assert_array_equal(episode.permutation[name], index)
    np.testing.assert_allclose(episode.losses, losses, rtol=1e-4)
    assert_same(found.params(), params, rtol=1e-3, atol=1e-4)


def test_a_permuted_network_is_the_same_function_where_nothing_else_changes():
    planted = random_permutation(SPEC, SIZES, np.random.default_rng(0))
    found = learner(alpha=1.0, learning_rate=0.0, noise=0.0, permutation_learning_rate=0.0)
    inputs, before = batches(1)[0][0], found.params()
    with torch.no_grad():
        outputs = found.model(inputs)
        episode = found.learn(batches(), init=planted)
        torch.testing.assert_close(found.model(inputs), outputs)
    for name, index in planted.items():
        np.testing.assert_array_equal(episode.permutation[name], index)
        assert episode.moved[name] == np.mean(index != np.arange(12))
    assert_same(found.params(), rf.apply_permutation(SPEC, planted, before))
    assert episode.delta_norm == 0.0
    assert episode.change_norm > 0.0


def test_without_a_relaxation_the_permutation_stays_at_its_start():
    planted = random_permutation(SPEC, SIZES, np.random.default_rng(0))
    found = learner(relaxation=None, alpha=0.25, learning_rate=0.0)
    before = found.params()
    permuted = rf.apply_permutation(SPEC, planted, before)
    halfway = rf.interpolate(before, permuted, 0.5)
    episode = found.learn(batches(), init=planted)
    model = network()
    model.load_state_dict(halfway)
    with torch.no_grad():
        assert episode.losses[0] == pytest.approx(
            float(cross_entropy(model(batches()[0][0]), batches()[0][1]))
        )
    assert_same(found.params(), rf.interpolate(before, permuted, 0.25), rtol=1e-6, atol=1e-7)


def with_buffers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 3))


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_a_restored_learner_goes_on_as_if_it_had_not_stopped(suffix, tmp_path):
    options = {
        "spec": None, "permutation_learning_rate": 0.1, "rng": 7, "trained": False,
        "beta": lambda number: 0.1 * number,
    }  # fmt: skip
    tasks = [batches(seed) for seed in range(4)]
    whole = learner(with_buffers(), **options)
    for task in tasks:
        last = whole.learn(task)
    first = learner(with_buffers(), **options)
    for task in tasks[:2]:
        first.learn(task)
    first.save(tmp_path / f"state.{suffix}")
    torch.manual_seed(99)  # the random state outside plays no part
    second = learner(with_buffers(), **options)
    second.restore(tmp_path / f"state.{suffix}")
    assert second.episodes == 2
    for task in tasks[2:]:
        again = second.learn(task)
    assert_same(second.params(), whole.params())
    np.testing.assert_array_equal(again.losses, last.losses)
    assert again.number == 4
    assert again.beta == pytest.approx(0.4)


def test_statistics_follow_training_and_the_model_and_the_random_state_outside_stay():
    model = with_buffers()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = learner(model, None, relaxation=None)
    state = torch.random.get_rng_state()
    found.learn(batches())
    assert torch.equal(state, torch.random.get_rng_state())
    assert_same(dict(model.state_dict()), before)
    params = found.params()
    assert int(params["1.num_batches_tracked"]) == 8
    assert not torch.equal(params["1.running_mean"], before["1.running_mean"])
    assert not found.model.training


def test_statistics_move_with_their_units():
    found = learner(
        with_buffers(), None, alpha=1.0, learning_rate=0.0, noise=0.0, permutation_learning_rate=0.0, tau=1e-3
    )
    found.learn(batches())
    inputs, (name,) = batches(1)[0][0], found.spec.perm_to_axes
    with torch.no_grad():
        outputs = found.model(inputs)
    still = found.params()["1.running_mean"]
    index = np.roll(np.arange(12), 1)
    # No steps on data: the statistics would follow the batches.
    found.learn(
        [(torch.zeros(2, 6), torch.zeros(2, dtype=torch.int64))],
        lambda o, t: o.sum() * 0.0,
        init={name: index},
    )
    assert torch.equal(found.params()["1.running_mean"] != still, torch.ones(12, dtype=torch.bool))
    with torch.no_grad():
        assert outputs.shape == found.model(inputs).shape


def test_parameters_without_gradients_stay():
    model = network()
    model[0].weight.requires_grad_(False)
    found = learner(model, relaxation=None, trained=False)
    found.learn(batches())
    torch.testing.assert_close(found.params()["0.weight"], model[0].weight.detach(), rtol=0, atol=0)
    assert not torch.equal(found.params()["2.weight"], model[2].weight)


def test_a_loss_of_the_episode_reads_the_outputs_of_its_task():
    found = learner(trained=False, loss=None, learning_rate=0.5)
    data = [(x, torch.zeros(len(x), dtype=torch.int64)) for x, _ in batches()]
    last = found.params()["4.bias"]
    found.learn(data, lambda outputs, targets: cross_entropy(outputs[:, :2], targets))
    assert found.params()["4.bias"][2] == last[2]
    assert found.params()["4.bias"][0] > last[0]


def test_an_own_optimizer_is_made_anew_in_each_episode():
    made = []

    def optimizer(tensors):
        made.append(torch.optim.Adam(tensors, lr=0.01))
        return made[-1]

    found = learner(optimizer=optimizer)
    for seed in range(2):
        found.learn(batches(seed))
    assert len(made) == 2
    assert [len(one.param_groups[0]["params"]) for one in made] == [6, 6]


def test_schedules_are_functions_of_the_episodes_number():
    found = learner(alpha=lambda number: 0.1 * number, learning_rate=lambda number: 0.1 / number)
    episodes = [found.learn(batches(seed)) for seed in range(3)]
    assert [episode.alpha for episode in episodes] == pytest.approx([0.1, 0.2, 0.3])
    assert [episode.learning_rate for episode in episodes] == pytest.approx([0.1, 0.05, 0.1 / 3])


def test_epochs_and_progress():
    seen = []
    found = learner(epochs=3)
    episode = found.learn(batches(), progress=lambda done, total: seen.append((done, total)))
    assert len(episode.losses) == 24
    assert seen[-1] == (24, 24)
    assert len(found.learn(lambda: iter(batches())).losses) == 24


def test_an_episode_is_a_result(tmp_path):
    episode = learner(permutation_learning_rate=0.1).learn(batches())
    episode.save(tmp_path / "episode.npz")
    again = Episode.load(tmp_path / "episode.npz")
    np.testing.assert_array_equal(again.losses, episode.losses)
    np.testing.assert_array_equal(again.permutation["P1"], episode.permutation["P1"])
    assert (again.moved, again.moved_share) == (episode.moved, episode.moved_share)
    assert list(episode.to_pandas().columns) == ["step", "loss", "penalty"]
    axes = episode.plot()
    assert [line.get_label() for line in axes.lines] == ["loss", "loss + penalty"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.2}, "alpha"), ({"beta": -1.0}, "beta"), ({"beta": float("inf")}, "beta"),
        ({"learning_rate": -0.1}, "learning_rate"), ({"momentum": 1.0}, "momentum"), ({"tau": 0.0}, "tau"),
        ({"iterations": 0}, "iterations"), ({"noise": -1.0}, "noise"), ({"epochs": 0}, "epochs"),
        ({"permutation_every": 0}, "permutation_every"), ({"relaxation": "soft"}, "relaxation"),
        ({"permutation_learning_rate": -1.0}, "permutation_learning_rate"),
    ],
)  # fmt: skip
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        learner(**options)


def test_a_schedule_out_of_range_is_found_in_its_episode():
    found = learner(alpha=lambda number: 0.6 * number)
    found.learn(batches())
    with pytest.raises(ValueError, match=r"alpha .* got 1\.2"):
        found.learn(batches())
    assert found.episodes == 1


def test_errors_leave_the_learner_as_it_was():
    found = learner(learning_rate=0.1)
    before = found.params()
    for fault, kind, data, options in (
        ("there is no loss", ValueError, batches(), {"loss": None}),
        ("it is empty", rf.DataError, [], {}),
        ("pair of inputs", rf.DataError, [torch.zeros(2, 6)], {}),
        ("lower the learning rate", ValueError, batches(), {"loss": lambda o, t: o.sum() * float("nan")}),
    ):
        if options.get("loss", 0) is None:
            found._loss = None
        with pytest.raises(kind, match=fault):
            found.learn(data, options.get("loss"))
        found._loss = cross_entropy
        assert_same(found.params(), before)
        assert found.episodes == 0
    with pytest.raises(rf.PermutationError):
        found.learn(batches(), init={"P0": np.arange(12)})


def test_errors_of_the_first_calls(tmp_path):
    with pytest.raises(TypeError, match="Module"):
        RebasinLearner({"0.weight": np.zeros((2, 2))})
    with pytest.raises(rf.ParamsError, match="no parameters"):
        RebasinLearner(nn.ReLU())
    with pytest.raises(rf.SpecError):
        learner(spec=rf.PermutationSpec({"0.weight": ("P", None, None)}))
    with pytest.raises(ValueError, match="trained=True"):
        learner(trained=False).learn(batches(), init={"P0": np.arange(12), "P1": np.arange(12)})
    with pytest.raises(rf.DataError, match="not an iterator"):
        learner(epochs=2).learn(iter(batches()))


def test_a_state_of_other_options_or_another_model_is_refused(tmp_path):
    learner(beta=1.0).save(tmp_path / "state.npz")
    with pytest.raises(rf.FileFormatError, match=r"beta = 1\.0; this one has 2\.0"):
        learner(beta=2.0).restore(tmp_path / "state.npz")
    other = learner(mlp([6, 5, 12, 3]))
    with pytest.raises(rf.FileFormatError, match="shape"):
        other.restore(tmp_path / "state.npz")
    with pytest.raises(rf.FileFormatError):
        learner().save(tmp_path / "state.txt")
    rf.save_params(tmp_path / "other.npz", {"w": np.zeros(2)})
    with pytest.raises(rf.FileFormatError, match="continual learner"):
        learner().restore(tmp_path / "other.npz")


def test_the_same_seed_gives_the_same_episode_and_another_one_another():
    runs = [learner(with_buffers(), None, rng=seed) for seed in (1, 1, 2)]
    losses = [run.learn(batches()).losses for run in runs]
    np.testing.assert_array_equal(losses[0], losses[1])
    assert any(a != b for a, b in itertools.zip_longest(losses[0], losses[2]))
