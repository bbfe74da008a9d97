"""The normal form: the same function, balanced, and the same wherever on the orbit it is computed from."""

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from helpers.symmetric_networks import NETWORKS, change_of_outputs, transformer
from rebasin_fast.permutation import random_transform
from rebasin_fast.permutation.transforms.places import places_of, with_exponent
from rebasin_fast.specs.symmetry import Role, Symmetry


def params_of(model):
    return {name: tensor.detach() for name, tensor in model.state_dict().items()}


def arrays(params):
    return {name: np.asarray(tensor) for name, tensor in params.items()}


def squares(params):
    return sum(float((array.double() ** 2).sum()) for array in params.values())


def units(spec, symmetry, params, exponent):
    """(parents, units, entries): all entries of the units at the places of this exponent."""
    parts = []
    for place in places_of(spec, symmetry, spec.sizes(params)):
        front = np.moveaxis(np.asarray(params[place.parameter]), place.axis, 0)
        found = front[with_exponent(place, exponent).swapaxes(1, 2)]
        parts.append(found.reshape(*found.shape[:2], -1))
    return np.concatenate(parts, axis=2)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_function_stays(name):
    network = NETWORKS[name]
    model = network.model()
    params = params_of(model)
    found = rf.normalise(network.spec, params)
    assert change_of_outputs(network, model, found.params) < 1e-11
    assert not found.kept
    assert found.symmetries == network.spec.symmetries
    changed = {name for name, array in found.params.items() if array is not params[name]}
    assert changed <= {name for step in found.steps for name in step.parameters}


@pytest.mark.parametrize("name", ["relu", "gated", "recurrent", "rms"])
def test_scales_are_balanced(name):
    network = NETWORKS[name]
    params = params_of(network.model())
    found = rf.normalise(network.spec, params)
    for symmetry in network.spec.symmetries:
        if symmetry.group == "scales":
            energies = [(units(network.spec, symmetry, found.params, e) ** 2).sum(2) for e in (1, -1)]
            np.testing.assert_allclose(*energies, rtol=1e-9)
    assert 1 <= found.iterations < 20
    assert squares(found.params) < squares(params)


def chain(depth, width, seed=0):
    """A deep ReLU network without biases, and its spec."""
    axes = {f"w{i}": (f"P{i}" if i < depth - 1 else None, f"P{i - 1}" if i else None) for i in range(depth)}
    symmetries = [
        Symmetry(f"P{i}", "scales", (Role(f"w{i}", 0, (1,)), Role(f"w{i + 1}", 1, (-1,))))
        for i in range(depth - 1)
    ]
    rng = np.random.default_rng(seed)
    params = {name: rng.standard_normal((width, width)) for name in axes}
    return rf.PermutationSpec(axes, symmetries=symmetries), params


def test_deep_networks_take_few_iterations_from_anywhere():
    spec, params = chain(depth=24, width=5)
    least = rf.normalise(spec, params)
    drawn = random_transform(spec, spec.sizes(params), np.random.default_rng(1), scale_range=(1e-4, 1e4))
    again = rf.normalise(spec, rf.apply_transform(spec, drawn, params))
    assert max(least.iterations, again.iterations) < 20
    for name in params:
        lengths = [np.sort((found.params[name] ** 2).sum(1)) for found in (least, again)]
        np.testing.assert_allclose(*lengths, rtol=1e-8)


def test_every_scale_is_the_least_sum_of_squares():
    spec, params = chain(depth=3, width=3)
    found = rf.normalise(spec, params)
    least = sum((array**2).sum() for array in found.params.values())
    rng = np.random.default_rng(2)
    for _ in range(20):
        drawn = random_transform(spec, spec.sizes(params), rng, scale_range=(0.9, 1.1))
        moved = rf.apply_transform(spec, drawn, found.params)
        assert sum((array**2).sum() for array in moved.values()) > least


@pytest.mark.parametrize("name", ["bottleneck", "tiled", "rms", "layer"])
def test_linear_maps_are_balanced(name):
    network = NETWORKS[name]
    found = rf.normalise(network.spec, params_of(network.model()))
    for symmetry in network.spec.symmetries:
        if symmetry.group == "linear":
            for w, r in zip(*(units(network.spec, symmetry, found.params, e) for e in (1, -1)), strict=True):
                gram = w @ w.T
                np.testing.assert_allclose(gram, r @ r.T, atol=1e-11)
                np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-11)
                assert (np.diff(np.diag(gram)) <= 1e-12).all()


@pytest.mark.parametrize("name", ["rms", "layer"])
def test_norms_have_neither_gain_nor_bias_and_writers_no_mean(name):
    network = NETWORKS[name]
    found = rf.normalise(network.spec, params_of(network.model()))
    stream = network.spec.symmetries[0]
    for norm in stream.norms:
        assert (found.params[norm.gain] == 1).all()
        assert norm.bias is None or (found.params[norm.bias] == 0).all()
    if name == "layer":
        assert abs(units(network.spec, stream, found.params, 1).mean(1)).max() < 1e-14


@pytest.mark.parametrize("name", NETWORKS)
def test_the_orbit_has_one_normal_form_up_to_isometries(name):
    """Of a point that all groups moved: the same sum of squares, and the same lengths of units after reordering."""
    network = NETWORKS[name]
    model = network.model()
    first = rf.normalise(network.spec, params_of(model))
    drawn = random_transform(network.spec, network.spec.sizes(first.params), np.random.default_rng(0))
    moved = rf.apply_transform(network.spec, drawn, first.params)
    assert change_of_outputs(network, model, moved) < 1e-10
    second = rf.normalise(network.spec, moved)
    assert squares(second.params) == pytest.approx(squares(first.params), rel=1e-10)
    for symmetry in network.spec.symmetries:
        if symmetry.group in ("scales", "linear"):
            lengths = [
                np.sort((units(network.spec, symmetry, found.params, 1) ** 2).sum(2), axis=None)
                for found in (first, second)
            ]
            np.testing.assert_allclose(*lengths, rtol=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_normal_form_is_its_own(name):
    network = NETWORKS[name]
    first = rf.normalise(network.spec, params_of(network.model()))
    again = rf.normalise(network.spec, first.params)
    for parameter, array in first.params.items():
        np.testing.assert_allclose(again.params[parameter], array, atol=1e-9)
    assert not again.transform.matrices
    assert all(step.kind not in ("gain", "bias", "centred", "kept") for step in again.steps)


def test_the_transform_is_the_balance():
    network = NETWORKS["bottleneck"]
    params = params_of(network.model())
    found = rf.normalise(network.spec, params)
    moved = rf.apply_transform(network.spec, found.transform, params)
    for name, array in found.params.items():
        np.testing.assert_allclose(moved[name], array, atol=1e-12)


def test_gains_alone():
    network = NETWORKS["layer"]
    model = network.model()
    found = rf.normalise(network.spec, params_of(model), balance=False)
    assert change_of_outputs(network, model, found.params) < 1e-11
    assert {step.kind for step in found.steps} == {"gain", "bias", "centred"}
    assert not found.transform.matrices
    assert found.iterations == 0
    balanced = rf.normalise(network.spec, params_of(model))
    moved = rf.apply_transform(network.spec, balanced.transform, found.params)
    for name, array in balanced.params.items():
        np.testing.assert_allclose(moved[name], array, atol=1e-11)


@pytest.mark.parametrize("name", ["rms", "layer", "relu"])
def test_float32_stays_float32(name):
    network = NETWORKS[name]
    model = network.model()
    found = rf.normalise(network.spec, params_of(model.float()))
    assert all(tensor.dtype == torch.float32 for tensor in found.params.values())
    wide = {name: tensor.double() for name, tensor in found.params.items()}
    assert change_of_outputs(network, model.double(), wide) < 1e-5
    again = rf.normalise(network.spec, arrays(params_of(model.float())))
    assert all(isinstance(array, np.ndarray) and array.dtype == np.float32 for array in again.params.values())


@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_a_tied_output_layer_keeps_gains(kind):
    network = transformer(kind, gated=False, tied=True)
    model = network.model()
    found = rf.normalise(network.spec, params_of(model))
    assert change_of_outputs(network, model, found.params) < 1e-11
    assert "is also 'embedding.weight'" in found.kept["S"] or "is also 'head.weight'" in found.kept["S"]
    assert torch.equal(found.params["norm.weight"], model.norm.weight)
    assert "its units are not rotated" in repr(found)
    assert "S" not in {symmetry.permutation for symmetry in found.symmetries}


@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_a_tied_output_layer_whose_norm_is_plain_is_rotated(kind):
    network = transformer(kind, gated=False, tied=True)
    model = network.model()
    with torch.no_grad():
        model.norm.weight.fill_(1.0)
        if kind == "layer":
            model.norm.bias.zero_()
    found = rf.normalise(network.spec, params_of(model))
    assert not found.kept
    assert change_of_outputs(network, model, found.params) < 1e-11
    assert torch.equal(found.params["head.weight"], found.params["embedding.weight"])
    if kind == "layer":  # centred, and one tensor still
        assert found.params["head.weight"] is found.params["embedding.weight"]


def test_a_reader_without_a_bias_keeps_the_bias_of_its_norm():
    network = transformer("layer", gated=False, bias=False)
    model = network.model()
    found = rf.normalise(network.spec, params_of(model))
    assert found.kept == {"S": "'head.weight' has no bias, to which 'norm.bias' could be added"}
    assert change_of_outputs(network, model, found.params) < 1e-11
    with torch.no_grad():
        model.norm.bias.zero_()
    found = rf.normalise(network.spec, params_of(model))
    assert not found.kept
    assert change_of_outputs(network, model, found.params) < 1e-11


def test_the_bias_of_a_norm_moves_with_the_units_where_a_reader_has_none():
    """As a writer behind the norm, which is divided by the gain; not by a gain of 0."""
    network = transformer("layer", gated=False, bias=False)
    model = network.model()
    spec = rf.trace_spec(model, network.inputs(), verify=False)
    found = rf.normalise(spec, params_of(model))
    assert not found.kept
    assert torch.allclose(found.params["norm.bias"], model.norm.bias / model.norm.weight)
    assert change_of_outputs(network, model, found.params) < 1e-11
    rotated = random_transform(spec, spec.sizes(found.params), np.random.default_rng(0))
    assert change_of_outputs(network, model, rf.apply_transform(spec, rotated, found.params)) < 1e-11
    with torch.no_grad():
        model.norm.weight[0] = 0.0
    found = rf.normalise(spec, params_of(model))
    assert list(found.kept.values()) == ["'head.weight' has no bias, to which 'norm.bias' could be added"]
    assert change_of_outputs(network, model, found.params) < 1e-11


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_deficient_ranks(rank):
    network = NETWORKS["bottleneck"]
    model = network.model()
    with torch.no_grad():
        model[0].weight[rank:] = 0
        model[0].bias[rank:] = 0
    found = rf.normalise(network.spec, params_of(model))
    assert change_of_outputs(network, model, found.params) < 1e-9
    assert all(torch.isfinite(tensor).all() for tensor in found.params.values())
    assert np.linalg.cond(found.transform.matrices.get("R", np.eye(3))) < 1e7


def test_units_without_weights_keep_their_scale():
    network = NETWORKS["relu"]
    model = network.model()
    with torch.no_grad():
        model[0].weight[2] = 0
        model[0].bias[2] = 0
        model[4].weight[:, 1] = 0
    found = rf.normalise(network.spec, params_of(model))
    assert change_of_outputs(network, model, found.params) < 1e-11
    assert found.transform.scales["P"][2] == 1.0
    assert found.transform.scales["Q"][1] == 1.0


def test_what_stays_out_of_the_objective_moves_without_a_weight():
    scales = Symmetry("P", "scales", (Role("up", 0, (1,)), Role("mean", 0, (1,)), Role("down", 1, (-1,))))
    axes = {"up": ("P", None), "mean": ("P",), "down": (None, "P")}
    spec = rf.PermutationSpec(axes, ["mean"], symmetries=[scales])
    params = {"up": np.array([[4.0]]), "mean": np.array([100.0]), "down": np.array([[1.0]])}
    found = rf.normalise(spec, params)
    np.testing.assert_allclose(found.params["up"], 2.0)
    np.testing.assert_allclose(found.params["mean"], 50.0)


def test_a_tied_parameter_counts_once_and_stays_tied():
    roles = (Role("up", 0, (1,)), Role("again", 0, (1,)), Role("down", 1, (-1,)))
    axes = {"up": ("P", None), "again": ("P", None), "down": (None, "P")}
    spec = rf.PermutationSpec(axes, symmetries=[Symmetry("P", "scales", roles)])
    up, down = np.array([[9.0], [1.0]]), np.array([[1.0, 4.0]])
    found = rf.normalise(spec, {"up": up, "again": up, "down": down})
    assert found.params["again"] is found.params["up"]
    np.testing.assert_allclose(found.params["up"].ravel(), [3.0, 2.0])


def test_specs_without_symmetries_and_parts_of_a_model():
    params = {"fc1.weight": np.ones((3, 2)), "fc2.weight": np.ones((2, 3))}
    found = rf.normalise(rf.specs.mlp(["fc1", "fc2"], bias=False), params)
    assert all(found.params[name] is array for name, array in params.items())
    assert repr(found) == "Normalised(2 parameters)\n  in normal form already"
    network = NETWORKS["relu"]
    part = {"0.weight": np.ones((6, 4))}
    assert rf.normalise(network.spec, part).params["0.weight"] is part["0.weight"]


def test_what_cannot_be_normalised_is_named():
    network = NETWORKS["relu"]
    params = arrays(params_of(network.model()))
    with pytest.raises(rf.ParamsError, match=r"'0\.weight' holds NaN or infinity"):
        rf.normalise(network.spec, params | {"0.weight": np.full((6, 4), np.nan)})
    with pytest.raises(rf.ParamsError, match=r"'0\.weight' is of int64"):
        rf.normalise(network.spec, params | {"0.weight": np.ones((6, 4), np.int64)})
    with pytest.raises(TypeError, match="spec is a PermutationSpec; got"):
        rf.normalise({}, params)


def test_steps_are_told():
    network = NETWORKS["layer"]
    text = repr(rf.normalise(network.spec, params_of(network.model())))
    assert "S: the gain 'norm.weight' is multiplied into 'head.weight'" in text
    assert "S: the bias 'norm.bias' is added, through the readers, to 'head.bias'" in text
    assert "S: centred 'embedding.weight', 'positions', " in text
    assert "qk0: linear maps balanced by the singular values of their product" in text


def test_a_norm_that_is_read_twice_by_one_array_keeps_its_gain():
    network = NETWORKS["rms"]
    model = network.model()
    stream, *others = network.spec.symmetries
    doubled = Symmetry("S", "orthogonal", stream.roles, (*stream.norms, stream.norms[0]))
    spec = rf.PermutationSpec(
        network.spec.axes_to_perm, sizes=network.spec.declared_sizes, symmetries=[doubled, *others]
    )
    assert rf.normalise(spec, params_of(model)).kept == {"S": "'blocks.0.qkv.weight' reads two norms"}
