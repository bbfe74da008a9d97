"""Many models: planted orders come back, permutations compose around cycles, the average is that of the models."""

from itertools import combinations, permutations

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.matchings import SHAPES
from helpers.matchings import THREE_LAYERS as SPEC
from helpers.matchings import three_layers as model
from helpers.networks import KNOWN
from rebasin_fast.merging.averaging import average
from rebasin_fast.permutation import random_permutation

METHODS = ("merge_many", "cycle_consistent")


def copies(spec, params, count, seed=0):
    rng = np.random.default_rng(seed)
    sizes = spec.sizes(params)
    return [rf.apply_permutation(spec, random_permutation(spec, sizes, rng), params) for _ in range(count)]


def pair_sum(spec, models):
    places = {name for moved in spec.perm_to_axes.values() for name, _ in moved}
    names = [name for name in places if name not in spec.unmatched and name in models[0]]
    return sum(
        float((one[name].astype(np.float64) * other[name].astype(np.float64)).sum())
        for one, other in combinations(models, 2)
        for name in names
    )


def assert_equal(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "name", ["mlp", "vgg16-cifar-norm", "resnet20-padded", "resnet20-projected", "resnet18"]
)
def test_planted_orders_of_many_copies_are_recovered(name, method):
    known = KNOWN[name]
    spec = known.spec()
    models = copies(spec, known.arrays(), 4)
    many = rf.merge_many(spec, models, method=method)
    assert_equal(many.merged, models[0])
    assert many.converged
    for permutation, params in zip(many.permutations, models, strict=True):
        assert_equal(rf.apply_permutation(spec, permutation, params), models[0])


@pytest.mark.parametrize("method", METHODS)
def test_nested_permutations(method):
    heads = rf.axis.Product("heads", "dims")
    spec = rf.PermutationSpec(
        {"qkv": (heads, "S"), "out": ("S", heads), "embed": ("S", None), "head": (None, "S")},
        sizes={"heads": 3},
    )
    rng = np.random.default_rng(0)
    shapes = {"qkv": (12, 9), "out": (9, 12), "embed": (9, 5), "head": (4, 9)}
    params = {name: rng.standard_normal(shape).astype("f") for name, shape in shapes.items()}
    models = copies(spec, params, 3)
    many = rf.merge_many(spec, models, method=method)
    assert_equal(many.merged, models[0])
    assert_cycles_close(many, 3)


def assert_cycles_close(many, count):
    for i, j, k in permutations(range(count), 3):
        around = rf.compose_permutations(
            rf.compose_permutations(many.between(j, i), many.between(k, j), many.spec),
            many.between(i, k),
            many.spec,
        )
        for name, index in around.items():
            assert np.array_equal(index, np.broadcast_to(np.arange(index.shape[-1]), index.shape)), (
                name,
                i,
                j,
                k,
            )


@pytest.mark.parametrize("method", METHODS)
def test_unrelated_models(method):
    """Against definitions: objective, average, distances that no longer fall, cycles that compose to the identity."""
    models = [model(seed) for seed in range(4)]
    many = rf.merge_many(SPEC, models, method=method)
    moved = [
        rf.apply_permutation(SPEC, permutation, params)
        for permutation, params in zip(many.permutations, models, strict=True)
    ]
    assert many.objective == pytest.approx(pair_sum(SPEC, moved), rel=1e-9)
    assert many.first_objective == pytest.approx(pair_sum(SPEC, models), rel=1e-9)
    assert many.objective > many.first_objective
    assert many.history == sorted(many.history)
    assert many.history[-1] == pytest.approx(many.objective, rel=1e-12)
    assert_equal(many.merged, average(moved))
    assert all(np.array_equal(index, np.arange(index.size)) for index in many.permutations[0].values())
    assert_cycles_close(many, 4)
    for number in range(4):
        others = average([one for other, one in enumerate(moved) if other != number])
        again = rf.weight_matching(SPEC, others, moved[number])
        assert again.objective == pytest.approx(again.first_objective, rel=1e-6)


def test_sweeps_go_on_until_no_model_comes_closer():
    spec = rf.specs.mlp(["a", "b", "c"])
    rng = np.random.default_rng(0)
    shapes = {"a.weight": (40, 8), "a.bias": (40,), "b.weight": (40, 40), "b.bias": (40,), "c.weight": (4, 40),
              "c.bias": (4,)}  # fmt: skip
    models = [{name: rng.standard_normal(shape) for name, shape in shapes.items()} for _ in range(5)]
    many = rf.merge_many(spec, models, start="identity")
    assert many.sweeps > 2
    assert many.history[-1] == many.history[-2] > many.history[1]
    cut = rf.merge_many(spec, models, start="identity", max_iter=2)
    assert not cut.converged
    assert cut.history == many.history[:2]


def test_between_moves_one_model_onto_another():
    models = copies(SPEC, model(0), 3)
    many = rf.merge_many(SPEC, models)
    assert_equal(rf.apply_permutation(SPEC, many.between(2, 1), models[1]), models[2])


def test_published_start_never_falls_below_the_models_as_they_are():
    models = [model(seed) for seed in range(4)]
    many = rf.merge_many(SPEC, models, start="identity")
    assert many.history == sorted([many.first_objective, *many.history])[1:]


def test_two_models_are_a_pair():
    models = [model(0), model(1)]
    many = rf.merge_many(SPEC, models)
    pair = rf.weight_matching(SPEC, *models, init=many.permutations[1])
    assert pair.objective == pytest.approx(many.objective, rel=1e-6)


def test_weights_bear_on_the_average_alone():
    models = copies(SPEC, model(0), 2) + copies(SPEC, model(1), 1)
    even, heavy = (rf.merge_many(SPEC, models, weights=weights) for weights in (None, [2, 0, 2]))
    assert even.history == heavy.history
    moved = [rf.apply_permutation(SPEC, p, one) for p, one in zip(even.permutations, models, strict=True)]
    assert_equal(heavy.merged, average([moved[0], moved[2]]))


def test_arrays_of_every_kind(tmp_path):
    """Memory-mapped files, torch tensors, bfloat16, integer buffers; nothing given is changed."""
    torch = pytest.importorskip("torch")
    plain = copies(SPEC, model(0), 3)
    mapped = []
    for number, params in enumerate(plain):
        path = tmp_path / f"{number}.safetensors"
        rf.save_params(path, params)
        mapped.append(rf.load_params(path))
    assert_equal(rf.merge_many(SPEC, mapped).merged, plain[0])
    tensors = [{n: torch.tensor(a, dtype=torch.bfloat16) for n, a in params.items()} for params in plain]
    before = [{n: a.clone() for n, a in params.items()} for params in tensors]
    many = rf.merge_many(SPEC, tensors, method="cycle_consistent")
    assert many.merged["fc1.weight"].dtype == torch.bfloat16
    assert all(torch.equal(many.merged[name], tensors[0][name]) for name in SHAPES)
    assert all(torch.equal(a[n], b[n]) for a, b in zip(tensors, before, strict=True) for n in SHAPES)
    counted = rf.PermutationSpec({**SPEC.axes_to_perm, "steps": ()})
    merged = rf.merge_many(
        counted, [{**params, "steps": np.int64(n)} for n, params in enumerate(plain)]
    ).merged
    assert merged["steps"] == 0


def test_progress():
    seen = []
    many = rf.merge_many(SPEC, [model(seed) for seed in range(3)], progress=seen.append)
    assert len(seen) == 3 * many.sweeps
    assert {step.permutation for step in seen} == {"model 0", "model 1", "model 2"}
    assert [step.visit for step in seen[:4]] == [1, 2, 3, 1]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="two models or more; got 1"):
        rf.merge_many(SPEC, [model(0)])
    with pytest.raises(ValueError, match="'merge_many' or 'cycle_consistent'"):
        rf.merge_many(SPEC, [model(0), model(1)], method="average")
    with pytest.raises(ValueError, match="'growing' or 'identity'"):
        rf.merge_many(SPEC, [model(0), model(1)], start="middle")
    with pytest.raises(TypeError, match="models is a sequence of models, each a mapping"):
        rf.merge_many(SPEC, model(0))
    wrong = {**model(0), "fc2.bias": np.zeros(7, "f")}
    with pytest.raises(rf.RebasinError, match=r"model 2 against model 0.*fc2\.bias"):
        rf.merge_many(SPEC, [model(0), model(1), wrong])


def test_account():
    many = rf.merge_many(SPEC, [model(0), model(1)])
    account = many.to_dict()
    assert account["models"] == 2
    assert account["moved_units"][0] == {"P0": 0, "P1": 0}
    assert "2 models" in repr(many)


def test_more_effort_finds_nearer_models_that_were_trained_apart():
    rng = np.random.default_rng(3)
    spec = rf.specs.mlp(["fc1", "fc2", "fc3"])
    shapes = {"fc1.weight": (40, 16), "fc1.bias": (40,), "fc2.weight": (40, 40), "fc2.bias": (40,),
              "fc3.weight": (8, 40), "fc3.bias": (8,)}  # fmt: skip
    models = [{name: rng.standard_normal(shape) for name, shape in shapes.items()} for _ in range(3)]
    low, high = (rf.merge_many(spec, models, effort=effort).objective for effort in ("low", "high"))
    assert high > low
    with pytest.raises(ValueError, match="effort is 'low' or 'normal' or 'high'"):
        rf.merge_many(spec, models, effort="most")
