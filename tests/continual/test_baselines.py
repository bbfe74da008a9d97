"""Streams, learners and measures of the benchmarks of incremental learning, on tasks made here."""

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from papers.continual import accuracy, agem, anchors, ewc, finetuning, lwf, rebasin, streams  # noqa: E402

SGD = {"seed": 0, "rate": 0.1}
LEARNERS = {
    "finetuning": (finetuning.Finetuning, {}),
    "ewc": (ewc.EWC, {"strength": 5.0, "samples": 20}),
    "lwf": (lwf.LwF, {"weight": 1.0, "temperature": 2.0}),
    "agem": (agem.AGEM, {"per_class": 2, "memory_batch": 3}),
    "anchored": (anchors.Anchored, {"beta": 1.0, "share": 0.3}),
    "rebasin": (rebasin.Rebasin, {"inputs": (1, 6), "beta": 0.1}),
}


def network():
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))


def learner(name):
    kind, options = LEARNERS[name]
    rate = "learning_rate" if name == "rebasin" else "rate"
    return kind(network, seed=0, **{rate: 0.1}, **options)


def task(number, classes=None):
    rng = torch.Generator().manual_seed(number)
    inputs = torch.randn(40, 6, generator=rng)
    targets = torch.randint(0, 4, (40,), generator=rng)
    if classes is not None:
        targets = torch.tensor(classes)[targets % len(classes)]
    return streams.Task(lambda _: (inputs, targets), lambda inputs: inputs, 8, (7, number), classes)


SHARED_HEAD = streams.Stream("shared", tuple(task(number) for number in range(3)))
OWN_HEADS = streams.Stream("own", (task(0, (0, 1)), task(1, (2, 3))))


def test_measures_of_a_matrix_worked_out_by_hand():
    nan = np.nan
    matrix = np.array([[0.9, nan, nan], [0.6, 0.8, nan], [0.7, 0.5, 1.0]])
    assert accuracy.average_accuracy(matrix) == pytest.approx((0.7 + 0.5 + 1.0) / 3)
    assert accuracy.forgetting(matrix) == pytest.approx(((0.9 - 0.7) + (0.8 - 0.5)) / 2)


def test_forgetting_is_negative_where_later_tasks_help():
    assert accuracy.forgetting(np.array([[0.5, np.nan], [0.75, 0.9]])) == pytest.approx(-0.25)


def test_masked_loss_is_cross_entropy_among_the_classes():
    outputs, targets = torch.randn(9, 4), torch.randint(2, 4, (9,))
    expected = torch.nn.functional.cross_entropy(outputs[:, 2:], targets - 2)
    own = task(0, (2, 3))
    torch.testing.assert_close(own.loss(outputs, targets), expected)
    assert own.hits(outputs, targets) == int((outputs[:, 2:].argmax(1) == targets - 2).sum())


def test_joint_task_masks_each_row_by_its_own_task():
    joint = streams.joined(OWN_HEADS).tasks[0]
    mask = joint.mask(torch.tensor([0, 3, 1]), 4)
    assert mask.tolist() == [
        [True, True, False, False],
        [False, False, True, True],
        [True, True, False, False],
    ]
    assert sum(len(targets) for _, targets in joint.train()) == 80


def test_order_of_batches_is_that_of_the_seed():
    first, again, other = (torch.cat([x for x, _ in t.train()]) for t in (task(0), task(0), task(1)))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("degrees", [0.0, -6.3, 90.0, 151.7])
def test_rotation_is_that_of_pillow(degrees):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    expected = np.asarray(image.fromarray(pixels).rotate(degrees, image.Resampling.NEAREST))
    padded = torch.from_numpy(np.append(pixels.reshape(-1), 0))
    assert np.array_equal(padded[streams.rotated_sources(degrees)].numpy(), expected.reshape(-1))


def test_rotations_of_both_protocols():
    drawn = np.array(streams.rotations(3, 20, "drawn"))
    assert ((drawn <= 10 * np.arange(20)) & (drawn > 10 * np.arange(20) - 10)).all()
    assert streams.rotations(3, 3, "equal") == [0.0, 90.0, 180.0]


def test_gradient_of_ewc_is_that_of_all_penalties():
    fishers, optima = torch.rand(3, 5), torch.randn(3, 5)
    param = torch.randn(5, requires_grad=True)
    penalty = 7.0 / 2 * sum((f * (param - old) ** 2).sum() for f, old in zip(fishers, optima, strict=True))
    (expected,) = torch.autograd.grad(penalty, param)
    found = ewc.penalty_gradient(param.detach(), fishers.sum(0), (fishers * optima).sum(0), 7.0)
    torch.testing.assert_close(found, expected)


def test_step_of_ewc_minimises_slope_and_penalty_exactly():
    """theta minimises g.theta + penalty + ||theta - start||^2 / (2 rate)."""
    one = ewc.EWC(network, **SGD, strength=1e4, samples=10)
    one.learn(SHARED_HEAD.tasks[0])
    start, slopes = [p.detach().clone() for p in one.params], [torch.randn_like(p) for p in one.params]
    for param, slope in zip(one.params, slopes, strict=True):
        param.grad = slope.clone()
    one.adjust(SHARED_HEAD.tasks[1])
    torch.optim.SGD(one.params, lr=one.rate).step()
    for param, slope, old, f, pull in zip(one.params, slopes, start, one.curvature, one.pull, strict=True):
        condition = (
            slope + ewc.penalty_gradient(param.detach(), f, pull, 1e4) + (param.detach() - old) / one.rate
        )
        assert float(condition.abs().max()) < 1e-2 * float(1 + (1e4 * f).max())


@pytest.mark.parametrize(("batch", "samples"), [(1, 1500), (10, 5000)])
def test_fisher_of_softmax_regression(batch, samples):
    """F of W[k, j] is the mean of x_j^2 p_k (1 - p_k), and of the bias that of p_k (1 - p_k)."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 4))
    inputs, targets = torch.randn(5000, 6), torch.zeros(5000, dtype=torch.int64)
    many = streams.Task(lambda _: (inputs, targets), lambda inputs: inputs, 8, (0,))
    weight, bias = ewc.fisher_diagonal(model, many, samples, batch)
    variance = (p := model(inputs).softmax(1)).detach() * (1 - p.detach())
    torch.testing.assert_close(bias, variance.mean(0), rtol=0.2, atol=0.005)
    torch.testing.assert_close(weight, variance.T @ inputs.square() / 5000, rtol=0.3, atol=0.01)
    assert float(weight.mean()) == pytest.approx(
        float((variance.T @ inputs.square()).mean()) / 5000, rel=0.06
    )


def test_fisher_leaves_outputs_of_other_tasks_alone():
    weight, bias = ewc.fisher_diagonal(torch.nn.Sequential(torch.nn.Linear(6, 4)), task(0, (0, 1)), 40)
    assert not weight[2:].any()
    assert not bias[2:].any()
    assert bool(bias[:2].all())


def test_projection_of_agem():
    rng = torch.Generator().manual_seed(0)
    gradient, reference = ([torch.randn(shape, generator=rng) for shape in ((3, 2), (4,))] for _ in range(2))

    def inner(a, b):
        return float(sum((x * y).sum() for x, y in zip(a, b, strict=True)))

    if inner(gradient, reference) > 0:
        reference = [-r for r in reference]
    found = agem.projected(gradient, reference)
    assert inner(found, reference) == pytest.approx(0, abs=1e-5)
    away = [f - g for f, g in zip(found, gradient, strict=True)]
    cosine = inner(away, reference) / (inner(away, away) * inner(reference, reference)) ** 0.5
    assert cosine == pytest.approx(1, abs=1e-5)
    against = [-r for r in reference]
    assert agem.projected(gradient, against) is gradient


def test_memory_of_agem_has_images_of_every_class_of_every_task():
    one = learner("agem")
    accuracy.run(OWN_HEADS, one)
    _, targets, masks = one.memory
    assert sorted(targets.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert bool(masks[torch.arange(8), targets].all())
    assert masks.sum(1).tolist() == [2] * 8


def test_distillation_is_least_at_the_old_outputs():
    wanted = torch.randn(5, 4, dtype=torch.float64)
    outputs = (wanted + 3).requires_grad_()
    value = lwf.distillation(outputs, wanted, 2.0)
    (slope,) = torch.autograd.grad(value, outputs)
    assert float(slope.abs().max()) < 1e-12
    p = (wanted / 2).softmax(1)
    assert float(value.detach()) == pytest.approx(float(-(p * p.log()).sum(1).mean()))


def test_lwf_distils_every_old_head_with_the_old_network():
    one = learner("lwf")
    first, second = OWN_HEADS.tasks
    one.learn(first)
    one.before(second)
    inputs, targets = next(second.train())
    outputs = one.model(inputs)
    entropy = lwf.distillation(outputs[:, :2], outputs[:, :2], 2.0)
    torch.testing.assert_close(one.loss(second, inputs, targets), second.loss(outputs, targets) + entropy)
    one.after(second)
    assert one.heads == [[0, 1], [2, 3]]


def test_average_lies_between_old_and_finetuned():
    plain, half = learner("finetuning"), anchors.Anchored(network, **SGD, share=0.5)
    for one in (plain, half):
        one.learn(SHARED_HEAD.tasks[0])
    start = [param.detach().clone() for param in half.params]
    for one in (plain, half):
        one.learn(SHARED_HEAD.tasks[1])
    for old, new, found in zip(start, plain.params, half.params, strict=True):
        torch.testing.assert_close(found.detach(), (old + new.detach()) / 2)


def test_strong_anchor_holds_the_parameters():
    anchored, plain = anchors.Anchored(network, **SGD, beta=4.0), learner("finetuning")
    moved = []
    for one in (anchored, plain):
        one.learn(SHARED_HEAD.tasks[0])
        start = [param.detach().clone() for param in one.params]
        one.learn(SHARED_HEAD.tasks[1])
        moved.append(
            sum(float((p.detach() - s).square().sum()) for p, s in zip(one.params, start, strict=True))
        )
    assert moved[0] < moved[1] / 4


@pytest.mark.parametrize("name", LEARNERS)
def test_a_run_that_was_interrupted_goes_on(name, tmp_path, monkeypatch):
    whole = accuracy.run(SHARED_HEAD, learner(name))
    path, one = tmp_path / "run.pt", learner(name)
    learn, calls = one.learn, []

    def stopping(task):
        calls.append(task)
        if len(calls) == 3:
            raise KeyboardInterrupt
        learn(task)

    monkeypatch.setattr(one, "learn", stopping)
    with pytest.raises(KeyboardInterrupt):
        accuracy.run(SHARED_HEAD, one, path)
    resumed = accuracy.run(SHARED_HEAD, learner(name), path)
    np.testing.assert_array_equal(resumed, whole)
    np.testing.assert_array_equal(accuracy.run(SHARED_HEAD, learner(name), path), whole)


def test_seconds_end_a_run_early():
    matrix = accuracy.run(SHARED_HEAD, learner("finetuning"), seconds=0)
    assert np.isnan(matrix).all()
