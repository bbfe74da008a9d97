"""Sinkhorn re-basin: the operator and its gradient, soft permutations on parameters, and the matching."""

import json

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import rebasin_fast as rf
from helpers.networks import mlp
from helpers.strategies import spec_cases
from rebasin_fast.matching.sinkhorn_operator import soft_permutations
from rebasin_fast.matching.trained.sinkhorn.gradient import implicit_gradient
from rebasin_fast.matching.trained.sinkhorn.scores import soft_by_size
from rebasin_fast.matching.trained.soft_layout import SoftApplication
from rebasin_fast.permutation import random_permutation

SPEC = rf.specs.mlp(["0", "2", "4"])
WIDTHS = [6, 10, 10, 3]


def plain(scores, tau, iterations):
    """Columns, then rows, in the log domain."""
    logits = scores.double() / tau
    for _ in range(iterations):
        logits = logits - logits.logsumexp(-2, keepdim=True)
        logits = logits - logits.logsumexp(-1, keepdim=True)
    return logits.exp()


def scores_of(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("tau", [3.0, 1.0, 0.1, 0.01, 1e-4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(7, 7), (3, 40, 40), (2, 1, 1)])
def test_the_scaling_is_sinkhorns(shape, dtype, tau):
    scores = scores_of(*shape, dtype=dtype)
    soft = soft_permutations(scores, tau=tau, iterations=20)
    assert soft.dtype == dtype
    accuracy = 2e-5 / min(tau, 1.0) if dtype == torch.float32 else 1e-9
    torch.testing.assert_close(soft.double(), plain(scores, tau, 20), atol=min(accuracy, 2e-2), rtol=0)
    torch.testing.assert_close(soft.sum(-1), torch.ones(shape[:-1], dtype=dtype))


def test_a_wide_range_of_scores_is_absorbed():
    scores = scores_of(30, 30, dtype=torch.float32) * 300 + 400 * torch.eye(30)[torch.randperm(30)]
    soft = soft_permutations(scores, iterations=200)
    assert torch.isfinite(soft).all()
    torch.testing.assert_close(soft.double(), plain(scores, 1.0, 200), atol=1e-3, rtol=0)


def test_the_tolerance_ends_the_iterations():
    scores = scores_of(2, 20, 20)
    soft = soft_permutations(scores, tau=0.3, iterations=100_000, tolerance=1e-12)
    assert float((soft.sum(-2) - 1).abs().max()) <= 2e-12
    assert not torch.allclose(soft_permutations(scores, tau=0.3, iterations=2), soft, atol=1e-6)


@pytest.mark.parametrize("solver", ["schur", "conjugate_gradients", "auto", "dense"])
@pytest.mark.parametrize("tau", [1.0, 0.3])
@pytest.mark.slow
def test_gradcheck(solver, tau):
    scores = scores_of(2, 6, 6).requires_grad_()

    def soft(x):
        return soft_permutations(x, tau=tau, iterations=200_000, tolerance=1e-12, solver=solver)

    assert torch.autograd.gradcheck(soft, scores, eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("solver", ["schur", "conjugate_gradients"])
@pytest.mark.parametrize("tau", [1.0, 0.2, 0.08])
@pytest.mark.parametrize("n", [2, 33, 150])
def test_the_gradient_is_that_of_the_dense_system(solver, tau, n):
    soft = soft_permutations(scores_of(2, n, n), tau=tau, iterations=5)  # far from balanced, as in training
    gradient = scores_of(2, n, n, seed=1)
    expected = implicit_gradient(soft, gradient, tau, "dense")
    found = implicit_gradient(soft, gradient, tau, solver)
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, atol=1e-8 * scale, rtol=0)
    narrow = implicit_gradient(soft.float(), gradient.float(), tau, solver)
    torch.testing.assert_close(narrow.double(), expected, atol=2e-3 * scale, rtol=0)


@pytest.mark.parametrize("tau", [1.0, 0.05, 0.01, 1e-3, 1e-5])
def test_float32_is_safe_at_small_temperatures(tau):
    scores = scores_of(150, 150, dtype=torch.float32).requires_grad_()
    weights = scores_of(150, 150, seed=1, dtype=torch.float32)
    soft_permutations(scores, tau=tau).mul(weights).sum().backward()
    assert torch.isfinite(scores.grad).all()
    # Scaled by tau, as large as weights at most; compared with the float64 solution for the same matrix.
    soft = soft_permutations(scores.detach(), tau=tau).double()[None]
    expected = implicit_gradient(soft, weights.double()[None], 1.0, "conjugate_gradients")[0]
    assert float((scores.grad.double() * tau - expected).abs().max()) < 1e-5
    assert float(expected.abs().max()) < float(weights.abs().max())


@pytest.mark.parametrize("tau", [1.0, 0.05, 0.01, 1e-3])
def test_large_matrices_in_float32_fall_back_to_float64(tau):
    scores = scores_of(300, 300, dtype=torch.float32)
    soft = soft_permutations(scores, tau=tau)[None]
    weights = scores_of(1, 300, 300, seed=1)
    expected = implicit_gradient(soft.double(), weights, 1.0, "conjugate_gradients")
    found = implicit_gradient(soft, weights.float(), 1.0, "auto")
    assert float((found - expected).abs().max()) < 1e-3


def test_mistakes_of_the_operator():
    with pytest.raises(ValueError, match="tau is a positive"):
        soft_permutations(scores_of(2, 2), tau=0.0)
    with pytest.raises(ValueError, match="iterations is a positive"):
        soft_permutations(scores_of(2, 2), iterations=0)
    with pytest.raises(ValueError, match="square"):
        soft_permutations(scores_of(2, 3))


def test_equal_sizes_are_one_batch():
    scores = {"a": scores_of(4, 4), "b": scores_of(2, 4, 4, seed=1), "c": scores_of(5, 5, seed=2)}
    soft = soft_by_size(scores, tau=0.5, iterations=7)
    assert list(soft) == ["a", "b", "c"]
    for name, value in scores.items():
        torch.testing.assert_close(soft[name], soft_permutations(value, tau=0.5, iterations=7))


def one_hot(permutation, mix=0.0):
    return {
        name: torch.eye(index.shape[-1], dtype=torch.float64)[torch.from_numpy(index)] * (1 - mix)
        + mix / index.shape[-1]
        for name, index in permutation.items()
    }


@given(spec_cases(largest=4), st.integers(0, 10**6))
def test_matrices_of_permutations_act_as_permutations(case, seed):
    params = {name: torch.from_numpy(w) for name, w in case.params(seed).items()}
    drawn = random_permutation(case.spec, case.sizes, np.random.default_rng(seed))
    application = SoftApplication(case.spec, params, case.sizes)
    moved = application(params, one_hot(drawn))
    for name, expected in rf.apply_permutation(case.spec, drawn, params).items():
        torch.testing.assert_close(moved[name], expected, msg=name)
    assert all(moved[name] is params[name] for name in params if name not in application.moved)


@settings(max_examples=20)
@given(spec_cases(largest=3, parameters=(1, 2)), st.integers(0, 10**6))
def test_soft_application_is_differentiable(case, seed):
    params = {name: torch.from_numpy(w) for name, w in case.params(seed).items()}
    drawn = random_permutation(case.spec, case.sizes, np.random.default_rng(seed))
    soft = one_hot(drawn, 0.3)
    assume(soft)
    application = SoftApplication(case.spec, params, case.sizes)

    def moved(*matrices):
        result = application(params, dict(zip(soft, matrices, strict=True)))
        return sum((value**2).sum() * (i + 1) for i, value in enumerate(result.values()))

    assert torch.autograd.gradcheck(moved, tuple(value.requires_grad_() for value in soft.values()))


def arrays(seed, widths=WIDTHS):
    torch.manual_seed(seed)
    return {name: value.detach() for name, value in mlp(widths).state_dict().items()}


def aligned(spec, found, a, b):
    moved = rf.apply_permutation(spec, found.permutation, b)
    return all(torch.equal(moved[name], a[name]) for name in a)


@pytest.mark.parametrize("direction", ["b_to_a", "a_to_b"])
@pytest.mark.parametrize("seed", range(2))
def test_a_planted_permutation_is_recovered(direction, seed):
    a = arrays(seed)
    b = rf.apply_permutation(SPEC, random_permutation(SPEC, SPEC.sizes(a), np.random.default_rng(seed)), a)
    found = rf.sinkhorn_matching(SPEC, mlp(WIDTHS), a, b, direction=direction, rng=seed, steps=150)
    assert aligned(SPEC, found, a, b)
    assert found.loss == 0.0 < found.first_loss


def test_nested_permutations_are_trained():
    from rebasin_fast.axis import Product

    spec = rf.PermutationSpec(
        {"q": (Product("H", "d"), None), "o": (None, Product("H", "d")), "r": ("H", None)}, sizes={"H": 3}
    )
    shapes = {"q": (12, 8), "o": (5, 12), "r": (3, 6)}
    rng = np.random.default_rng(0)
    a = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    b = rf.apply_permutation(spec, random_permutation(spec, spec.sizes(a), rng), a)
    for direction in ("b_to_a", "a_to_b"):
        found = rf.sinkhorn_matching(spec, None, a, b, direction=direction, steps=120)
        moved = rf.apply_permutation(spec, found.permutation, b)
        assert all(np.array_equal(moved[name], a[name]) for name in a)


def batches(count=6):
    rng = torch.Generator().manual_seed(0)
    teacher = torch.randn(6, 3, generator=rng)
    return [(x, (x @ teacher).argmax(1)) for x in torch.randn(count, 32, 6, generator=rng)]


@pytest.mark.parametrize("objective", ["midpoint", "random"])
def test_losses_on_data_fall(objective):
    a = arrays(0)
    b = rf.apply_permutation(SPEC, random_permutation(SPEC, SPEC.sizes(a), np.random.default_rng(0)), a)
    model = mlp(WIDTHS)
    options = {"objective": objective, "steps": 120, "learning_rate": 0.3}
    events = []
    found = rf.sinkhorn_matching(
        SPEC, model, a, b, batches(), nn.functional.cross_entropy, progress=events.append, **options
    )
    assert found.steps == len(events) == 120
    assert found.loss == min(loss for _, loss in found.evaluations) < found.first_loss
    moved = rf.apply_permutation(SPEC, found.permutation, b)
    model.load_state_dict({name: (a[name] + moved[name]) / 2 for name in a})
    with torch.no_grad():
        loss = np.mean([float(nn.functional.cross_entropy(model(x), y)) for x, y in batches()[:4]])
    assert found.loss == pytest.approx(loss, rel=1e-5)
    again = rf.sinkhorn_matching(SPEC, model, a, b, batches(), nn.functional.cross_entropy, **options)
    assert again.losses == found.losses
    assert json.loads(json.dumps(found.to_dict()))["steps"] == 120


@given(spec_cases(largest=3, parameters=(1, 3)), st.integers(0, 10**6))
@settings(max_examples=15)
def test_never_worse_than_its_start(case, seed):
    a, b = case.params(seed), case.params(seed + 1)
    start = random_permutation(case.spec, case.sizes, np.random.default_rng(seed))
    direction = ("b_to_a", "a_to_b")[seed % 2]
    found = rf.sinkhorn_matching(
        case.spec, None, a, b, init=start, steps=5, evaluate_every=2, direction=direction
    )
    assert found.loss <= found.first_loss
    assert found.objective >= found.first_objective - 1e-9 * abs(found.first_objective)
    first = rf.weight_matching(case.spec, a, b, init=start, max_iter=0)
    assert found.first_objective == pytest.approx(first.objective, rel=1e-12)


def test_options_stand_in_for_keywords():
    a, b = arrays(0), arrays(1)
    options = rf.matching.SinkhornOptions(steps=6, tau=0.5, direction="a_to_b")
    found = rf.sinkhorn_matching(SPEC, None, a, b, options=options)
    assert found.losses == rf.sinkhorn_matching(SPEC, None, a, b, steps=6, tau=0.5, direction="a_to_b").losses
    assert rf.sinkhorn_matching(SPEC, None, a, b, options=options, steps=2).losses == found.losses[:2]


def test_patience_and_stop():
    a, b = arrays(0), arrays(1)
    found = rf.sinkhorn_matching(
        SPEC, None, a, b, learning_rate=50.0, evaluate_every=1, patience=3, noise=0.0, steps=200,
        schedule=lambda optimizer: torch.optim.lr_scheduler.ConstantLR(optimizer),
    )  # fmt: skip
    assert found.converged
    assert found.steps < 200
    stopped = rf.sinkhorn_matching(SPEC, None, a, b, stop=lambda event: event.visit == 4)
    assert (stopped.steps, stopped.converged) == (4, False)
    assert stopped.history[0] == pytest.approx(stopped.first_objective, rel=1e-12)


def test_mistakes_are_named():
    a, b, loss = arrays(0), arrays(1), nn.functional.cross_entropy
    for option in ("steps", "epochs", "iterations", "evaluate_every", "kept_batches", "patience"):
        with pytest.raises(ValueError, match=f"{option} is a whole number, 1 or more"):
            rf.sinkhorn_matching(SPEC, None, a, b, **{option: 0})
    for options, message in (
        ({"tau": 0.0}, "tau is a temperature, finite above 0"),
        ({"noise": -1.0}, "noise is a standard deviation"),
        ({"direction": "both"}, "direction is"),
        ({"objective": "l1"}, "objective is"),
        ({"objective": "midpoint"}, "needs batches and a loss"),
        ({"objective": "l2", "batches": batches()}, "takes no batches"),
    ):
        with pytest.raises(ValueError, match=message):
            rf.sinkhorn_matching(SPEC, None, a, b, **options)
    with pytest.raises(rf.ParamsError, match="needs the model"):
        rf.sinkhorn_matching(SPEC, None, a, b, batches(), loss)
    with pytest.raises(ValueError, match="it is empty"):
        rf.sinkhorn_matching(SPEC, mlp(WIDTHS), a, b, [], loss)
    with pytest.raises(rf.ParamsError, match="NaN or infinite"):
        rf.sinkhorn_matching(SPEC, None, a, b | {"0.bias": b["0.bias"] * float("nan")})
    with pytest.raises(ValueError, match="lower the learning rate"):
        rf.sinkhorn_matching(SPEC, mlp(WIDTHS), a, b, batches(), lambda x, y: loss(x, y) * float("inf"))
