"""The promises of every matching method: a new method is picked up without an edit here.

A method is any ``*_matching`` of :mod:`rebasin_fast.matching`; its parameters without a default say what it needs, and
are filled in by name. Ways to use a method that promise something of their own are in ``VARIANTS``.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.matchings import StoppedError, assert_same
from helpers.networks import KNOWN
from rebasin_fast import matching
from rebasin_fast.cli.methods import METHODS as OF_COMMAND_LINE
from rebasin_fast.permutation import check_permutation, random_permutation

cross_entropy = nn.functional.cross_entropy
NETWORKS = ("mlp", "resnet8-padded", "vgg16-cifar")


@dataclass(frozen=True)
class Case:
    """A network, two models of it, and data: the arguments that methods take."""

    network: str
    params_a: dict[str, Any]
    params_b: dict[str, Any]
    planted: dict[str, Any]

    @property
    def spec(self):
        return KNOWN[self.network].spec()

    def model(self, params=None):
        model = KNOWN[self.network].build().eval()
        if params is not None:
            model.load_state_dict({name: torch.as_tensor(np.asarray(w)) for name, w in params.items()})
        return model

    def batches(self, count=3):
        rng = torch.Generator().manual_seed(0)
        shape = KNOWN[self.network].input_shape
        classes = self.model()(torch.zeros(2, *shape)).shape[1]
        return [(torch.randn(64, *shape, generator=rng), torch.arange(64) % classes) for _ in range(count)]

    def arguments(self, function):
        """The arguments of ``function`` that have no default, by name."""
        offered = {
            "spec": lambda: self.spec,
            "params_a": lambda: self.params_a,
            "params_b": lambda: self.params_b,
            "model": self.model,
            "model_a": lambda: self.model(self.params_a),
            "model_b": lambda: self.model(self.params_b),
            "batches": self.batches,
            "loss": lambda: cross_entropy,
        }
        needed = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
        return {name: offered[name]() for name in needed if name != "options"}


def many(spec, params_a, params_b, method="merge_many", **options):
    """Two models through ``merge_many``, as a matching of the second onto the first."""
    found = rf.merge_many(spec, [params_a, params_b], method=method, start="identity", **options)
    stats = rf.MatchingStats(0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0)
    return rf.Matching(
        found.permutations[1], found.objective, found.first_objective, found.history, found.sweeps,
        found.converged, stats, found.report,
    )  # fmt: skip


def cycle_consistent(spec, params_a, params_b, **options):
    return many(spec, params_a, params_b, "cycle_consistent", **options)


def sinkhorn_on_data(spec, model, params_a, params_b, batches, loss, **options):
    return rf.sinkhorn_matching(spec, model, params_a, params_b, batches, loss, epochs=5, **options)


def weight_loop(spec, params_a, params_b, **options):
    return rf.weight_matching(spec, params_a, params_b, visiting="random", **options)


METHODS = {name: getattr(matching, name) for name in matching.__all__ if name.endswith("_matching")}
VARIANTS = {
    "merge_many": many,
    "cycle_consistent": cycle_consistent,
    "sinkhorn_on_data": sinkhorn_on_data,
    "weight_loop": weight_loop,
}
ALL = METHODS | VARIANTS
FEW_STEPS = {"sinkhorn_matching": {"steps": 20}}
every_method = pytest.mark.parametrize("name", list(ALL))
every_network = pytest.mark.parametrize(
    "network", [pytest.param(name, marks=[] if name == "mlp" else [pytest.mark.slow]) for name in NETWORKS]
)
# The loss of this one decides, on few and random data: it need not lead back.
PLANTED = [
    pytest.param(name, network, marks=[pytest.mark.slow] if "sinkhorn" in name and network != "mlp" else [])
    for name in ALL
    if name != "sinkhorn_on_data"
    for network in NETWORKS
]


def case_of(network, kind):
    """``same``: A twice; ``planted``: A and a reordered copy; ``unrelated``: two models."""
    known = KNOWN[network]
    spec, a = known.spec(), known.arrays(0)
    sizes = spec.sizes(a)
    planted = random_permutation(spec, sizes, np.random.default_rng(1))
    b = {
        "same": lambda: {name: w.copy() for name, w in a.items()},
        "planted": lambda: rf.apply_permutation(spec, planted, a),
        "unrelated": lambda: known.arrays(1),
    }[kind]()
    return Case(network, a, b, planted)


def run(name, case, **options):
    """The method with its defaults, but for the number of steps where the quality of the result is not tested."""
    function = ALL[name]
    return function(**{**case.arguments(function), **FEW_STEPS.get(name, {}), **options})


def takes(name, option):
    parameters = inspect.signature(ALL[name]).parameters
    if "options" in parameters:
        inner = {"weight_loop": rf.weight_matching, "sinkhorn_on_data": rf.sinkhorn_matching}
        parameters = inspect.signature(inner.get(name, rf.merge_many)).parameters
    return option in parameters


def inner_product(spec, permutation, a, b):
    moved = rf.apply_permutation(spec, permutation, b)
    places = {name for moved in spec.perm_to_axes.values() for name, _ in moved}
    names = [name for name in places if name in a and name not in spec.unmatched]
    return sum(float(np.vdot(np.asarray(a[n], np.float64), np.asarray(moved[n], np.float64))) for n in names)


def test_the_command_line_has_every_method():
    names = {name.removesuffix("_matching").replace("_", "-") for name in METHODS}
    assert names | {"both"} == set(OF_COMMAND_LINE)  # activations and weights in one similarity


@every_network
@every_method
def test_identical_models_keep_the_identitys_objective(name, network):
    case = case_of(network, "same")
    found = run(name, case)
    if name == "sinkhorn_on_data":  # the loss decides, and units that do nothing on the data may go anywhere
        assert found.loss <= found.first_loss
        return
    assert found.objective == pytest.approx(found.first_objective, rel=1e-6)
    a, b = case.params_a, case.params_b
    identity = {p: np.broadcast_to(np.arange(i.shape[-1]), i.shape) for p, i in found.permutation.items()}
    expected = inner_product(case.spec, identity, a, b)
    assert inner_product(case.spec, found.permutation, a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("name", "network"), PLANTED)
def test_a_planted_permutation_is_recovered(name, network):
    case = case_of(network, "planted")
    found = ALL[name](**case.arguments(ALL[name]))
    aligned = rf.apply_permutation(case.spec, found.permutation, case.params_b)
    if name == "activation_matching":  # units that do nothing on the data may go anywhere
        middle = case.model(rf.interpolate(case.params_a, aligned, 0.5))
        for inputs, _ in case.batches():
            torch.testing.assert_close(
                middle(inputs), case.model(case.params_a)(inputs), rtol=1e-3, atol=1e-4
            )
        return
    for parameter, array in case.params_a.items():
        np.testing.assert_array_equal(aligned[parameter], array, err_msg=parameter)


@every_network
@every_method
def test_the_result_is_not_worse_than_the_start_and_is_what_it_says(name, network):
    case = case_of(network, "unrelated")
    found = run(name, case)
    if isinstance(found, matching.SinkhornMatching | matching.StraightThroughMatching):
        assert found.loss <= found.first_loss  # the loss decides there, as documented
        assert found.loss == min(value for _, value in found.evaluations)
    else:
        assert found.objective >= found.first_objective
    check_permutation(case.spec, found.permutation, case.spec.sizes(case.params_a))
    assert all(index.dtype == np.int64 for index in found.permutation.values())
    if name != "activation_matching":  # whose objective is that of the activations
        reached = inner_product(case.spec, found.permutation, case.params_a, case.params_b)
        assert found.objective == pytest.approx(reached, rel=1e-6)
    assert json.loads(json.dumps(found.to_dict()))["objective"] == found.objective
    assert found.agreement(found) == 1.0
    assert repr(found).startswith(f"{type(found).__name__}(")
    assert "array" not in repr(found)


@pytest.mark.parametrize("name", [name for name in METHODS if takes(name, "init")])
def test_what_a_run_starts_from_is_a_floor(name):
    case = case_of("mlp", "unrelated")
    start = rf.weight_matching(case.spec, case.params_a, case.params_b, restarts=3)
    for init in (start, start.permutation):
        found = run(name, case, init=init)
        if isinstance(found, matching.SinkhornMatching | matching.StraightThroughMatching):
            assert found.loss <= found.first_loss
        else:
            assert found.objective >= start.objective * (1 - 1e-9)
        assert found.first_objective == pytest.approx(start.objective, rel=1e-9)


@every_network
@every_method
def test_same_seed_same_result(name, network):
    case, found = case_of(network, "unrelated"), []
    for noise in (0, 1):  # what the libraries' own generators hold has no say
        torch.manual_seed(noise)
        np.random.seed(noise)  # noqa: NPY002
        options = {"rng": 7} if takes(name, "rng") else {}
        found.append(run(name, case, **options))
    assert_same(*found)


@pytest.mark.parametrize(
    "name", [n for n in ALL if "params_a" in Case.arguments(case_of("mlp", "same"), ALL[n])]
)
def test_arrays_and_tensors_give_the_same(name):
    case = case_of("mlp", "unrelated")
    plain = run(name, case)
    tensors = [{n: torch.tensor(w) for n, w in side.items()} for side in (case.params_a, case.params_b)]
    leaves = {n: nn.Parameter(w.clone()) for n, w in tensors[1].items()}
    for a, b in ((tensors[0], tensors[1]), (case.params_a, tensors[1]), (tensors[0], leaves)):
        assert_same(run(name, replace(case, params_a=a, params_b=b)), plain)


@every_method
def test_nothing_given_is_changed(name):
    case = case_of("resnet8-padded", "unrelated")
    sides = {"params_a": case.params_a, "params_b": case.params_b}
    if name in METHODS and takes(name, "init"):
        sides["init"] = {p: index[::-1].copy() for p, index in case.planted.items()}
    before = {side: {n: w.copy() for n, w in params.items()} for side, params in sides.items()}
    arguments = case.arguments(ALL[name]) | {k: v for k, v in sides.items() if k == "init"}
    models = {key: value.train() for key, value in arguments.items() if isinstance(value, nn.Module)}
    states = {key: {n: w.clone() for n, w in model.state_dict().items()} for key, model in models.items()}
    ALL[name](**arguments, **FEW_STEPS.get(name, {}))
    for side, params in sides.items():
        assert all(np.array_equal(params[n], w) for n, w in before[side].items())
    for key, model in models.items():
        assert all(torch.equal(w, states[key][n]) for n, w in model.state_dict().items())
        for module in model.modules():
            assert module.training
            assert not module._forward_hooks
            assert not module._forward_pre_hooks
        assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


@every_method
def test_what_progress_raises_ends_the_run(name):
    def progress(*_event):
        raise StoppedError

    case = case_of("mlp", "unrelated")
    arguments = case.arguments(ALL[name])
    models = [value.train() for value in arguments.values() if isinstance(value, nn.Module)]
    with pytest.raises(StoppedError):
        ALL[name](**arguments, progress=progress)
    for module in (module for model in models for module in model.modules()):
        assert module.training
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def broken(case, how):
    """The case with one fault, and the name that a message about it must contain."""
    a, b = dict(case.params_a), dict(case.params_b)
    if how == "missing":
        del b["2.bias"]
        return replace(case, params_b=b), "2.bias"
    if how == "shape":
        b["2.weight"] = b["2.weight"][:, :-1]
        return replace(case, params_b=b), "2.weight"
    if how == "unknown":
        a["more"] = b["more"] = np.zeros(3, "f")
        return replace(case, params_a=a, params_b=b), "more"
    b["2.weight"] = b["2.weight"].copy()
    b["2.weight"][1, 2] = np.nan
    return replace(case, params_b=b), "NaN|finite"


@pytest.mark.parametrize("how", ["missing", "shape", "unknown", "nan"])
@pytest.mark.parametrize(
    "name", [n for n in ALL if "params_a" in Case.arguments(case_of("mlp", "same"), ALL[n])]
)
def test_parameters_that_do_not_fit_are_named(name, how):
    case, named = broken(case_of("mlp", "unrelated"), how)
    with pytest.raises((rf.RebasinError, ValueError), match=named):
        run(name, case)


@pytest.mark.parametrize(
    "name", [n for n in ALL if "batches" in Case.arguments(case_of("mlp", "same"), ALL[n])]
)
def test_data_and_models_that_are_none_are_refused(name):
    case = case_of("mlp", "unrelated")
    with pytest.raises(ValueError, match="batches"):
        run(name, case, batches=[])
    model = "model" if "model" in case.arguments(ALL[name]) else "model_a"
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        run(name, case, **{model: case.params_a})


@every_method
def test_a_spec_of_something_else_is_refused(name):
    case = case_of("mlp", "unrelated")
    with pytest.raises(rf.RebasinError):
        run(name, case, spec=rf.specs.mlp(["x", "y"]))


@every_method
def test_a_bar_can_be_asked_for(name, capsys):
    case = case_of("mlp", "unrelated")
    plain = run(name, case, progress=False)
    assert capsys.readouterr().err == ""
    assert_same(run(name, case, progress=True), plain)
    assert capsys.readouterr().err.strip()
