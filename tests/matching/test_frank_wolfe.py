"""Frank-Wolfe matching: the relaxed problem against its slow reference, and the promises of the result."""

import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rebasin_fast as rf
from helpers.networks import KNOWN
from helpers.strategies import spec_cases
from rebasin_fast.axis import Concat, Fixed, Joined, Product
from rebasin_fast.matching.relaxed.ascent import best_step
from rebasin_fast.matching.relaxed.linear_minimizer import LinearMinimizer
from rebasin_fast.matching.relaxed.problem import RelaxedProblem
from rebasin_fast.permutation import identity_permutation, random_permutation
from rebasin_fast.specs.layout import length_of
from reference import general

NETWORKS = ["mlp", "resnet20-padded", "resnet18", "vgg16-imagenet-norm"]


def relaxed(spec, a, b, sizes):
    return RelaxedProblem(spec, a, b, sizes, np.float64)


def movable(spec, problem, rng):
    """A random permutation of what the relaxation moves, the rest left where it is."""
    drawn = random_permutation(spec, problem.sizes, rng)
    still = identity_permutation(spec, problem.sizes)
    moved = {name for chain in problem.chains for name in chain}
    return {name: drawn[name] if name in moved else still[name] for name in drawn}


def matrices(problem, permutation):
    return {chain: np.eye(len(units))[units] for chain, units in problem.units(permutation).items()}


def average(problem, permutations):
    stacked = [matrices(problem, permutation) for permutation in permutations]
    return {chain: sum(soft[chain] for soft in stacked) / len(stacked) for chain in problem.chains}


def inner(one, other):
    return sum(float((one[chain] * other[chain]).sum()) for chain in one)


@given(spec_cases(largest=4), st.integers(0, 10**6))
def test_at_permutations_the_relaxed_objective_is_the_objective(case, seed):
    a, b = case.params(seed), case.params(seed + 1)
    problem = relaxed(case.spec, a, b, case.sizes)
    rng = np.random.default_rng(seed)
    still = identity_permutation(case.spec, case.sizes)
    constant = general.objective(case.spec, still, a, b, case.sizes) - problem.value(problem.units(still))
    drawn = movable(case.spec, problem, rng)
    expected = general.objective(case.spec, drawn, a, b, case.sizes) - constant
    assert problem.value(problem.units(drawn)) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert problem.value(matrices(problem, drawn)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(spec_cases(largest=4), st.integers(0, 10**6))
def test_the_gradient_is_the_slope_along_every_line(case, seed):
    a, b = case.params(seed), case.params(seed + 1)
    problem = relaxed(case.spec, a, b, case.sizes)
    rng = np.random.default_rng(seed)
    soft = average(problem, [movable(case.spec, problem, rng) for _ in range(3)])
    towards = matrices(problem, movable(case.spec, problem, rng))
    line = {chain: towards[chain] - soft[chain] for chain in soft}
    values = []
    points = np.linspace(-1.0, 1.0, problem.degree + 1)
    for t in points:
        values.append(problem.value({chain: soft[chain] + t * line[chain] for chain in soft}))
    polynomial = np.polynomial.Polynomial.fit(points, values, problem.degree)
    assert inner(problem.gradient(soft), line) == pytest.approx(polynomial.deriv()(0.0), rel=1e-7, abs=1e-7)


@given(spec_cases(largest=4), st.integers(0, 10**6))
def test_no_permutation_beats_the_linear_minimizer(case, seed):
    problem = relaxed(case.spec, case.params(seed), case.params(seed + 1), case.sizes)
    rng = np.random.default_rng(seed)
    tables = {chain: rng.standard_normal((n, n)) for chain, n in problem.chains.items()}
    finder = LinearMinimizer(case.spec, problem.chains, problem.sizes)
    still = identity_permutation(case.spec, case.sizes)
    best = inner(tables, matrices(problem, still | finder.best(tables)))
    for _ in range(20):
        drawn = matrices(problem, movable(case.spec, problem, rng))
        assert inner(tables, drawn) <= best + 1e-9
    again = inner(tables, matrices(problem, still | finder.best(tables)))  # from the duals it kept
    assert again == pytest.approx(best, rel=1e-12, abs=1e-12)


def test_the_linear_minimizer_of_nested_permutations_is_the_best_of_all():
    spec = rf.PermutationSpec(
        {"q": (Product("H", Product("d", "x")), None), "v": (Product("H", "e"),), "r": ("H",)},
        sizes={"H": 2, "d": 2, "x": 2, "e": 2},
    )
    shapes = {"q": (8, 3), "v": (4,), "r": (2,)}
    rng = np.random.default_rng(0)
    a, b = ({name: rng.standard_normal(shape) for name, shape in shapes.items()} for _ in "ab")
    sizes = spec.sizes(a)
    problem = relaxed(spec, a, b, sizes)
    assert not problem.held
    assert set(problem.chains) == {("H", "d", "x"), ("H", "e"), ("H",)}
    tables = {chain: rng.standard_normal((n, n)) for chain, n in problem.chains.items()}
    best = inner(tables, matrices(problem, LinearMinimizer(spec, problem.chains, sizes).best(tables)))
    swap = [np.array([0, 1]), np.array([1, 0])]
    values = []
    for h in swap:
        for pair in itertools.product(swap, repeat=8):
            d, x, e = np.stack(pair[:2]), np.stack(pair[2:6]).reshape(2, 2, 2), np.stack(pair[6:])
            values.append(inner(tables, matrices(problem, {"H": h, "d": d, "x": x, "e": e})))
    assert best == pytest.approx(max(values), rel=1e-12)


def test_what_no_chain_can_hold_is_left_to_polishing():
    spec = rf.PermutationSpec(
        {
            "w": (Product("H", Product("d", "e")), None),
            "s": (Product("H", "e"),),
            "r": ("H",),
        },
        sizes={"H": 2, "d": 2, "e": 3},
    )
    rng = np.random.default_rng(0)
    shapes = {"w": (12, 3), "s": (6,), "r": (2,)}
    a = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    problem = relaxed(spec, a, a, spec.sizes(a))
    assert problem.held == {"e"}
    planted = random_permutation(spec, spec.sizes(a), rng)
    found = rf.frank_wolfe_matching(spec, a, rf.apply_permutation(spec, planted, a), starts=["random"] * 4)
    assert found.objective >= found.first_objective


@pytest.mark.parametrize("degree", [2, 3, 5])
def test_the_step_is_the_highest_point_of_the_polynomial(degree):
    rng = np.random.default_rng(degree)
    grid = np.linspace(0.0, 1.0, 2001)
    for _ in range(50):
        polynomial = np.polynomial.Polynomial(rng.standard_normal(degree + 1))
        points = [(k + 1) / (degree - 1) for k in range(degree - 2)]
        step, value = best_step(
            polynomial(0.0), polynomial.deriv()(0.0), polynomial(1.0), [(t, polynomial(t)) for t in points]
        )
        assert 0.0 <= step <= 1.0
        assert value == pytest.approx(polynomial(step), abs=1e-8)
        assert value >= polynomial(grid).max() - 1e-8


def test_a_flat_line_is_no_step():
    assert best_step(3.0, 0.0, 3.0) == (0.0, 3.0)
    assert best_step(3.0, -1.0, 2.0)[0] == 0.0
    assert best_step(3.0, 1.0, 4.0) == (1.0, 4.0)


@given(spec_cases(largest=4), st.integers(0, 10**6))
def test_never_worse_than_its_start(case, seed):
    a, b = case.params(seed), case.params(seed + 1)
    start = random_permutation(case.spec, case.sizes, np.random.default_rng(seed))
    found = rf.frank_wolfe_matching(case.spec, a, b, init=start, max_iter=4, starts=["random", "identity"])
    first = general.objective(case.spec, start, a, b, case.sizes)
    assert found.first_objective == pytest.approx(first, rel=1e-9, abs=1e-9)
    reached = general.objective(case.spec, found.permutation, a, b, case.sizes)
    assert found.objective == pytest.approx(reached, rel=1e-9, abs=1e-9)
    assert found.objective >= found.first_objective - 1e-9 * abs(found.first_objective)


def test_the_relaxed_objective_rises_and_ends_above_coordinate_descent():
    spec = KNOWN["resnet18"].spec()
    better = 0
    for seed in range(5):
        a, b = KNOWN["resnet18"].arrays(seed), KNOWN["resnet18"].arrays(seed + 100)
        found = rf.frank_wolfe_matching(spec, a, b, rng=seed)
        assert all(later >= earlier for earlier, later in itertools.pairwise(found.relaxed_history))
        assert all(0.0 < step <= 1.0 for step in found.step_sizes)
        assert len(found.restarts) == 2
        assert found.objective == max(run.objective for run in found.restarts) >= found.rounded_objective
        better += found.objective > rf.weight_matching(spec, a, b, rng=seed).objective
    assert better >= 4


def test_nested_permutations_of_grouped_convolutions():
    spec = rf.PermutationSpec(
        {
            "c1": (Product("G", "m"), None),
            "c2": (Product("G", "o"), Joined("m"), None),
            "c3": (None, Concat(Product("G", "o"), Fixed(2))),
        },
        sizes={"G": 4},
    )
    shapes = {"c1": (12, 5), "c2": (20, 3, 3), "c3": (6, 22)}
    assert length_of(Product("G", "o"), {"G": 4, "o": 5}) == 20
    rng = np.random.default_rng(1)
    a = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    b = rf.apply_permutation(spec, random_permutation(spec, spec.sizes(a), rng), a)
    found = rf.frank_wolfe_matching(spec, a, b)
    assert found.permutation["m"].shape == (4, 3)
    aligned = rf.apply_permutation(spec, found.permutation, b)
    assert all(np.array_equal(aligned[name], a[name]) for name in a)


def test_same_seed_same_permutation_and_progress():
    spec, a, b = KNOWN["mlp"].spec(), KNOWN["mlp"].arrays(0), KNOWN["mlp"].arrays(1)
    events = []
    runs = [
        rf.frank_wolfe_matching(spec, a, b, rng=3, starts=["random"], progress=events.append)
        for _ in range(2)
    ]
    for name, index in runs[0].permutation.items():
        np.testing.assert_array_equal(index, runs[1].permutation[name])
    steps = [event for event in events if event.permutation == ""]
    assert len(steps) == 2 * len(runs[0].step_sizes)
    assert [event.objective for event in steps[: len(steps) // 2]] == runs[0].relaxed_history[1:]
    assert {event.permutation for event in events} == {"", *spec.permutations}
    fields = json.loads(json.dumps(runs[0].to_dict()))
    assert fields["start"] == "random"
    assert fields["objective"] == runs[0].objective


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_torch_tensors_of_any_dtype(dtype):
    spec = KNOWN["mlp"].spec()
    sides = [{name: torch.tensor(w).to(dtype) for name, w in KNOWN["mlp"].arrays(s).items()} for s in (0, 1)]
    wide = [{name: w.double().numpy() for name, w in side.items()} for side in sides]
    found, reference = rf.frank_wolfe_matching(spec, *sides), rf.frank_wolfe_matching(spec, *wide)
    assert found.objective == pytest.approx(reference.objective, rel=1e-6)


def test_mistakes_are_named():
    spec, a, b = KNOWN["mlp"].spec(), KNOWN["mlp"].arrays(0), KNOWN["mlp"].arrays(1)
    for wrong in ("identity", [], ["middle"]):
        with pytest.raises((TypeError, ValueError), match="starts is a sequence"):
            rf.frank_wolfe_matching(spec, a, b, starts=wrong)
    with pytest.raises(ValueError, match="max_iter"):
        rf.frank_wolfe_matching(spec, a, b, max_iter=-1)
    with pytest.raises(ValueError, match="tolerance"):
        rf.frank_wolfe_matching(spec, a, b, tolerance=float("nan"))
    broken = b["0.weight"].copy()
    broken[1, 2] = np.nan
    with pytest.raises(rf.ParamsError, match=r"'0\.weight' of model B holds 1 entries that are NaN"):
        rf.frank_wolfe_matching(spec, a, b | {"0.weight": broken})
    with pytest.raises(rf.PermutationError, match="'P1' is missing"):
        rf.frank_wolfe_matching(spec, a, b, init={"P0": np.arange(8)})
    short = {name: w for name, w in b.items() if name != "6.bias"}
    with pytest.raises(rf.SpecError, match=r"6\.bias"):
        rf.frank_wolfe_matching(spec, a, short)
    assert rf.frank_wolfe_matching(spec, a, short, strict=False).report == {"6.bias": "in model A only"}
    assert rf.frank_wolfe_matching(spec, a, b, max_iter=0).step_sizes == []
