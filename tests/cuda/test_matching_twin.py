"""The resident engine on NumPy and on torch's CPU tensors, against the core's descent for the same visits."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings

import rebasin_fast as rf
from helpers.host_library import HostLibrary
from helpers.host_module import HostModule
from helpers.networks import KNOWN
from helpers.strategies import spec_cases
from rebasin_fast._arrays.operations import NumpyOperations, TorchOperations
from rebasin_fast._native import cuda as native
from rebasin_fast.axis import Fixed, Product
from rebasin_fast.matching.device.assigners import DeviceAssigner, HostAssigner
from rebasin_fast.matching.device.descent import ResidentDescent
from rebasin_fast.matching.device.graph import Graph
from rebasin_fast.matching.device.problem import make_resident
from rebasin_fast.permutation import identity_permutation


def descend(spec, a, b, orders, ops, **options):
    sizes = spec.sizes(a)
    problem = make_resident(spec, a, b, sizes, ops)
    engine = ResidentDescent(
        problem, ops, HostAssigner(ops, 2), identity_permutation(spec, sizes), tolerance=1e-9, **options
    )
    return engine.run(orders)


def assert_same(found, expected):
    assert found.first_objective == pytest.approx(expected.first_objective, rel=1e-9, abs=1e-9)
    assert found.history == pytest.approx(expected.history, rel=1e-9, abs=1e-9)
    assert found.converged == expected.converged
    for name, index in found.permutations.items():
        np.testing.assert_array_equal(index, expected.permutation[name])


def sweeps(spec, count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.permutation(spec.permutations).tolist() for _ in range(count)]


@pytest.mark.parametrize("name", sorted(KNOWN))
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_networks_match_as_in_the_core(name, library):
    known = KNOWN[name]
    spec, a, b = known.spec(), known.arrays(0), known.arrays(1)
    spec = rf.PermutationSpec({p: e for p, e in spec.axes_to_perm.items() if p in a}, spec.unmatched)
    orders = sweeps(spec, 8)
    expected = rf.weight_matching(spec, a, b, order=orders, strict=False)
    ops = NumpyOperations() if library == "numpy" else TorchOperations("cpu")
    found = descend(spec, a, b, orders, ops)
    assert_same(found, expected)
    assert found.stats.visits == expected.stats.visits
    assert found.stats.skipped_visits == expected.stats.skipped_visits
    assert found.stats.accepted_steps == expected.stats.accepted_steps


@given(spec_cases())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_axis_entry_matches_as_in_the_core(case):
    a, b = case.params(0), case.params(1)
    orders = sweeps(case.spec, 3)
    expected = rf.weight_matching(case.spec, a, b, order=orders)
    found = descend(case.spec, a, b, orders, NumpyOperations())
    assert found.history == pytest.approx(expected.history, rel=1e-9, abs=1e-9)
    for name, index in found.permutations.items():
        np.testing.assert_array_equal(index, expected.permutation[name])


def test_heads_match_as_in_the_core():
    spec = rf.PermutationSpec(
        {
            "q": (Product("heads", "qk"), "stream"),
            "v": (Product("heads", "vo"), "stream"),
            "out": ("stream", Product("heads", "vo")),
            "scale": (Product("heads", Fixed(3)),),
            "q.bias": (Product("heads", "qk"),),
        }
    )
    shapes = {"q": (20, 6), "v": (12, 6), "out": (6, 12), "scale": (12,), "q.bias": (20,)}
    rng = np.random.default_rng(3)
    a, b = ({k: rng.standard_normal(s).astype("float32") for k, s in shapes.items()} for _ in range(2))
    orders = sweeps(spec, 6)
    expected = rf.weight_matching(spec, a, b, order=orders)
    assert_same(descend(spec, a, b, orders, TorchOperations("cpu")), expected)


def test_pairs_of_heads_as_a_batch_equal_one_by_one(monkeypatch):
    spec = rf.PermutationSpec({"q": (Product("heads", "qk"), None), "k": (Product("heads", "qk"), None)})
    rng = np.random.default_rng(3)
    a, b = ({k: rng.standard_normal((20, 7)) for k in ("q", "k")} for _ in range(2))
    sizes = {"heads": 4, "qk": 5}
    spec = rf.PermutationSpec(spec.axes_to_perm, sizes=sizes)
    orders = [["heads", "qk"]] * 4
    together = descend(spec, a, b, orders, NumpyOperations())
    monkeypatch.setattr(Graph, "_is_chain", lambda *_: False)
    apart = descend(spec, a, b, orders, NumpyOperations())
    assert together.history == pytest.approx(apart.history, rel=1e-12)
    np.testing.assert_array_equal(together.permutations["qk"], apart.permutations["qk"])


def test_kept_similarities_change_nothing():
    known = KNOWN["resnet20-projected"]
    spec, a, b = known.spec(), known.arrays(0), known.arrays(1)
    orders = sweeps(spec, 10, seed=4)
    kept = descend(spec, a, b, orders, NumpyOperations())
    whole = descend(spec, a, b, orders, NumpyOperations(), bytes_to_keep=0)
    assert kept.history == pytest.approx(whole.history, rel=1e-9)
    assert kept.stats.product_flop < whole.stats.product_flop


def test_independent_permutations_are_one_batch_on_the_device(monkeypatch):
    module = HostModule()
    monkeypatch.setattr(native, "load", lambda: module)
    known = KNOWN["resnet32-projected"]
    spec, a, b = known.spec(), known.arrays(0), known.arrays(1)
    problem = make_resident(spec, a, b, spec.sizes(a), NumpyOperations())
    neighbours = Graph(problem).neighbours
    apart = []
    for name in sorted(spec.permutations, key=lambda name: len(neighbours[name])):
        if not neighbours[name].intersection(apart):
            apart.append(name)
    orders = [[*apart, *(name for name in spec.permutations if name not in apart)]] * 4
    expected = rf.weight_matching(spec, a, b, order=orders)
    ops = NumpyOperations()
    engine = ResidentDescent(
        problem,
        ops,
        DeviceAssigner(ops, 1, HostLibrary()),
        identity_permutation(spec, problem.sizes),
        tolerance=1e-9,
    )
    assert_same(engine.run(orders), expected)
    shapes = [call[1] for call in module.calls]
    assert shapes
    assert all(shape[0] >= DeviceAssigner.fewest for shape in shapes)
    # Starts come with the second sweep.
    assert [call[2] for call in module.calls[:3]] == [False] * 3


def test_bfloat16_products_lose_little():
    known = KNOWN["mlp"]
    spec, a, b = known.spec(), known.arrays(0), known.arrays(1)
    orders = sweeps(spec, 10)
    exact = descend(spec, a, b, orders, TorchOperations("cpu"))
    rounded = descend(spec, a, b, orders, TorchOperations("cpu", "bfloat16"))
    assert rounded.objective > exact.first_objective
    assert rounded.objective == pytest.approx(exact.objective, rel=0.05)


def test_parameters_of_two_dtypes_are_widened():
    known = KNOWN["mlp"]
    spec, a, b = known.spec(), known.arrays(0), known.arrays(1)
    b = {name: torch.from_numpy(array).bfloat16() for name, array in b.items()}
    orders = sweeps(spec, 4)
    found = descend(spec, a, b, orders, TorchOperations("cpu"))
    expected = rf.weight_matching(spec, a, b, order=orders)
    assert_same(found, expected)


def test_diverged_weights_are_named():
    known = KNOWN["mlp"]
    a, b = known.arrays(0), known.arrays(1)
    b["2.weight"][0, 0] = np.nan
    with pytest.raises(rf.ParamsError, match=r"'2.weight' of model B"):
        make_resident(known.spec(), a, b, known.spec().sizes(a), NumpyOperations())
