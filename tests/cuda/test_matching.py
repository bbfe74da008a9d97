"""Weight matching on a device's backend, its arrays NumPy's or torch's on the CPU: the CPU's visits and results."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given

import rebasin_fast as rf
from helpers.host_library import HostLibrary
from helpers.host_module import HostModule
from helpers.networks import KNOWN
from helpers.strategies import spec_cases
from rebasin_fast._arrays.operations import NumpyOperations, TorchOperations
from rebasin_fast._native import cuda as native
from rebasin_fast.axis import Fixed, Product
from rebasin_fast.matching.device import on_device
from rebasin_fast.matching.device.assigners import DeviceAssigner, HostAssigner
from rebasin_fast.matching.device.backend import DeviceBackend
from rebasin_fast.matching.device.problem import make_resident
from rebasin_fast.matching.pair import check_pair

LIBRARIES = {"numpy": lambda: NumpyOperations(), "torch": lambda: TorchOperations("cpu")}
COUNTS = (
    "visits",
    "skipped_visits",
    "assignments",
    "accepted_steps",
    "shakes",
    "shakes_kept",
    "product_flop",
)


@pytest.fixture(params=sorted(LIBRARIES))
def library(request, monkeypatch):
    pretend(monkeypatch, LIBRARIES[request.param]())


def pretend(monkeypatch, ops, assigner=None):
    chosen = ops, assigner or HostAssigner(ops, 2)
    monkeypatch.setattr(on_device, "choose_operations", lambda *_: chosen)


def assert_same(found, expected, counts=COUNTS):
    assert found.objective == pytest.approx(expected.objective, rel=1e-9, abs=1e-9)
    assert found.visiting == expected.visiting
    assert len(found.restarts) == len(expected.restarts)
    if found.restarts:  # rounding decides which of equally good runs is the best
        for one, other in zip(found.restarts, expected.restarts, strict=True):
            assert_same(one, other, counts)
        return
    assert found.first_objective == pytest.approx(expected.first_objective, rel=1e-9, abs=1e-9)
    assert found.history == pytest.approx(expected.history, rel=1e-9, abs=1e-9)
    assert found.converged == expected.converged
    for name, index in expected.permutation.items():
        np.testing.assert_array_equal(found.permutation[name], index)
    for name in counts:
        assert getattr(found.stats, name) == getattr(expected.stats, name), name


def assert_same_on_device(spec, a, b, counts=COUNTS, **options):
    expected = rf.weight_matching(spec, a, b, strict=False, **options)
    assert_same(rf.weight_matching(spec, a, b, strict=False, device="cuda", **options), expected, counts)
    return expected


def sweeps(spec, count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.permutation(spec.permutations).tolist() for _ in range(count)]


def shared(known):
    spec, a, b = known.spec(), known.arrays(0), known.arrays(1)
    axes = {name: entries for name, entries in spec.axes_to_perm.items() if name in a}
    return rf.PermutationSpec(axes, spec.unmatched), a, b


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_networks_match_as_on_the_cpu(library, name):
    spec, a, b = shared(KNOWN[name])
    assert_same_on_device(spec, a, b, order=sweeps(spec, 8))
    planned = assert_same_on_device(spec, a, b)
    assert planned.visiting == "auto"
    assert_same_on_device(spec, a, b, visiting="random", rng=3)


@pytest.mark.parametrize(
    "options",
    [
        {"effort": "low"},
        {"effort": "high"},
        {"rng": 5},
        {"restarts": 3, "threads": 2},
        {"restarts": 2, "visiting": "random"},
        {"max_iter": 1},
        {"memory_limit": 1 << 25},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["mlp", "resnet20-projected"])
def test_options_mean_the_same(library, name, options):
    spec, a, b = shared(KNOWN[name])
    assert_same_on_device(spec, a, b, **options)


def test_starts_mean_the_same(library):
    spec, a, b = shared(KNOWN["mlp"])
    start = rf.weight_matching(spec, a, b, max_iter=1, effort="low")
    assert_same_on_device(spec, a, b, init=start)


@given(spec_cases())
def test_every_axis_entry_matches_as_on_the_cpu(case):
    with pytest.MonkeyPatch.context() as monkeypatch:
        pretend(monkeypatch, NumpyOperations())
        for options in ({"order": sweeps(case.spec, 3)}, {}, {"rng": 1, "effort": "high", "max_iter": 3}):
            assert_same_on_device(case.spec, case.params(0), case.params(1), counts=("visits",), **options)


def heads(*extra, sizes=None):
    entries = {
        "q": (Product("heads", "qk"), "stream"),
        "v": (Product("heads", "vo"), "stream"),
        "out": ("stream", Product("heads", "vo")),
        "scale": (Product("heads", Fixed(3)),),
        "q.bias": (Product("heads", "qk"),),
    }
    shapes = {"q": (20, 6), "v": (12, 6), "out": (6, 12), "scale": (12,), "q.bias": (20,)}
    rng = np.random.default_rng(3)
    a, b = ({k: rng.standard_normal(s).astype("float32") for k, s in shapes.items()} for _ in range(2))
    spec = rf.PermutationSpec({name: entries[name] for name in extra}, sizes={"heads": 4})
    return spec, *({name: params[name] for name in extra} for params in (a, b))


def test_heads_match_as_on_the_cpu(library):
    alike = heads("q", "v", "out", "q.bias")
    assert_same_on_device(*alike, order=sweeps(alike[0], 6))
    assert_same_on_device(*alike)
    # An axis of heads alone leaves the CPU one product a pair of heads; on a device they stay one batch.
    scaled = heads("q", "v", "out", "q.bias", "scale")
    assert_same_on_device(*scaled, counts=("visits", "accepted_steps"))


def test_pairs_of_heads_are_one_batch(monkeypatch):
    module = HostModule()
    monkeypatch.setattr(native, "load", lambda: module)
    ops = NumpyOperations()
    pretend(monkeypatch, ops, DeviceAssigner(ops, 1, HostLibrary()))
    spec, a, b = heads("q", "v", "out", "q.bias", "scale")
    assert_same_on_device(spec, a, b, counts=("visits",), order=[["heads"]])
    assert [call[1] for call in module.calls] == [(16, 5, 5), (16, 3, 3)]


def test_kept_similarities_change_nothing(library):
    spec, a, b = shared(KNOWN["resnet20-projected"])
    options = {"order": sweeps(spec, 10, seed=4), "device": "cuda"}
    kept = rf.weight_matching(spec, a, b, **options)
    least = 4 * (max(spec.sizes(a).values()) ** 2 + 4 * (1 << 20))
    whole = rf.weight_matching(spec, a, b, memory_limit=least, **options)
    assert kept.history == pytest.approx(whole.history, rel=1e-9)
    assert kept.stats.product_flop < whole.stats.product_flop


def test_visits_that_do_not_depend_on_each_other_are_one_batch(monkeypatch):
    module = HostModule()
    monkeypatch.setattr(native, "load", lambda: module)
    ops = NumpyOperations()
    pretend(monkeypatch, ops, DeviceAssigner(ops, 1, HostLibrary()))
    spec, a, b = shared(KNOWN["resnet32-projected"])
    inner = [name for name in spec.permutations if sum(name in axis for axis in _axes(spec)) <= 6]
    orders = [[*inner, *(name for name in spec.permutations if name not in inner)]] * 4
    assert_same_on_device(spec, a, b, order=orders)
    batches = Counter(call[1] for call in module.calls)
    assert batches
    assert all(shape[0] >= DeviceAssigner.fewest for shape in batches)
    # The duals of an earlier assignment are there from the second sweep on.
    starts = [call[2] for call in module.calls]
    assert not starts[0]
    assert any(starts)


def _axes(spec):
    return [
        {name for name in spec.permutations if name in repr(entries)}
        for entries in spec.axes_to_perm.values()
    ]


def test_random_sweeps_batch_fewer_calls_than_visits(monkeypatch):
    ops = NumpyOperations()
    calls = []

    class Counting(HostAssigner):
        def assign(self, matrices, starts):
            calls.append(len(matrices))
            return super().assign(matrices, starts)

    pretend(monkeypatch, ops, Counting(ops, 1))
    spec, a, b = shared(KNOWN["resnet32-projected"])
    found = assert_same_on_device(spec, a, b, visiting="random")
    assert sum(calls) == found.stats.assignments
    assert len(calls) < found.stats.assignments


def test_a_checkpoint_goes_on_where_it_stopped(library, tmp_path):
    spec, a, b = shared(KNOWN["mlp"])
    expected = rf.weight_matching(spec, a, b, rng=2)
    events = []

    def stop(event):
        events.append(event)
        if len(events) == 4:
            raise KeyboardInterrupt

    path = tmp_path / "steps.npz"
    with pytest.raises(KeyboardInterrupt):
        rf.weight_matching(spec, a, b, rng=2, device="cuda", checkpoint=path, progress=stop)
    again = rf.weight_matching(spec, a, b, rng=2, device="cuda", checkpoint=path)
    assert_same(again, expected, counts=("visits", "accepted_steps"))
    assert again.stats.assignments < expected.stats.assignments
    # Its steps are the CPU's: one may go on where the other stopped.
    assert_same(rf.weight_matching(spec, a, b, rng=2, checkpoint=path), expected, counts=("visits",))


@pytest.mark.parametrize("method", ["objective", "gain", "entries", "refresh", "assign", "rows"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_what_the_backend_raises_ends_the_matching(library, monkeypatch, method, error):
    def fail(*_):
        raise error("here")

    monkeypatch.setattr(DeviceBackend, method, fail)
    spec, a, b = shared(KNOWN["mlp"])
    with pytest.raises(error, match="here"):
        rf.weight_matching(spec, a, b, device="cuda")


def test_progress_is_the_cpus(library):
    spec, a, b = shared(KNOWN["mlp"])
    events = {}
    for device in (None, "cuda"):
        events[device] = []
        rf.weight_matching(spec, a, b, device=device, progress=events[device].append)
    assert [(e.sweep, e.visit, e.visits, e.permutation) for e in events["cuda"]] == [
        (e.sweep, e.visit, e.visits, e.permutation) for e in events[None]
    ]
    assert events["cuda"][-1].seconds_left is not None


def test_overflow_is_named(monkeypatch):
    pretend(monkeypatch, TorchOperations("cpu"))
    spec, *models = shared(KNOWN["mlp"])
    a, b = ({name: array * np.float32(1e25) for name, array in model.items()} for model in models)
    with pytest.raises(rf.ParamsError, match="overflow"):
        rf.weight_matching(spec, a, b, device="cuda")


def test_bfloat16_products_lose_little(monkeypatch):
    spec, a, b = shared(KNOWN["mlp"])
    exact = rf.weight_matching(spec, a, b)
    pretend(monkeypatch, TorchOperations("cpu", "bfloat16"))
    rounded = rf.weight_matching(spec, a, b, device="cuda", products="bfloat16")
    assert rounded.objective > exact.first_objective
    assert rounded.objective == pytest.approx(exact.objective, rel=0.05)


def test_parameters_of_two_dtypes_are_widened(monkeypatch):
    spec, a, b = shared(KNOWN["mlp"])
    pretend(monkeypatch, TorchOperations("cpu"))
    assert_same_on_device(spec, a, {name: torch.from_numpy(array).bfloat16() for name, array in b.items()})


def test_diverged_weights_are_named():
    known = KNOWN["mlp"]
    a, b = known.arrays(0), known.arrays(1)
    b["2.weight"][0, 0] = np.nan
    ops = NumpyOperations()
    with pytest.raises(rf.ParamsError, match=r"'2.weight' of model B"):
        make_resident(check_pair(known.spec(), a, b, strict=True), ops, HostAssigner(ops, 1))
