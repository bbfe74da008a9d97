"""Rules of merging beside their definitions in plain Python; settings by depth and pattern; mistakes that are told."""

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.merging.rules.combining import combine, combined_params
from rebasin_fast.merging.rules.precision import fused
from rebasin_fast.merging.rules.settings import depths, matches
from reference import merging_rules as reference

RNG = np.random.default_rng(11)
SHAPE = (4, 5)


def arrays(count):
    return [RNG.standard_normal(SHAPE) for _ in range(count)]


def flat(array):
    return [float(x) for x in np.ravel(array)]


def merged(rule, models, base=None, **options):
    params = [{"w": model} for model in models]
    return combine(params, rule=rule, base=None if base is None else {"w": base}, **options)["w"]


def check(found, expected):
    np.testing.assert_allclose(flat(found), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("normalize", [True, False])
def test_linear(normalize):
    models, weights = arrays(3), [0.5, -0.2, 1.0]
    expected = reference.linear([flat(m) for m in models], weights, normalize)
    check(merged("linear", models, weights=weights, normalize=normalize), expected)


@pytest.mark.parametrize("normalize", [True, False])
def test_task_arithmetic(normalize):
    base, *models = arrays(4)
    weights = [0.5, 0.3, 0.7]
    expected = reference.task_arithmetic(flat(base), [flat(m) for m in models], weights, normalize, 0.8)
    options = {"weights": weights, "normalize": normalize, "lambda_": 0.8}
    check(merged("task_arithmetic", models, base, **options), expected)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("densities", [[1.0, 1.0, 1.0], [0.5, 0.2, 0.9], [0.0, 0.01, 1.0]])
def test_ties(densities, normalize):
    base, *models = arrays(4)
    weights = [0.5, 0.3, 0.7]
    expected = reference.ties(flat(base), [flat(m) for m in models], weights, densities, normalize)
    options = {"weights": weights, "normalize": normalize, "density": densities}
    check(merged("ties", models, base, **options), expected)


def test_ties_keeps_the_first_of_equal_entries():
    base, model = np.zeros(6), np.array([1.0, -1.0, 1.0, 2.0, -1.0, 1.0])
    assert flat(merged("ties", [model], base, density=0.5)) == [1.0, -1.0, 0.0, 2.0, 0.0, 0.0]


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 1.5])
def test_slerp(t):
    a, b = arrays(2)
    check(merged("slerp", [a, b], t=t), reference.slerp(flat(a), flat(b), t))
    near = a + 1e-3 * b
    check(merged("slerp", [a, near], t=t), reference.slerp(flat(a), flat(near), t))


def test_the_karcher_mean_has_the_least_sum_of_squared_arcs():
    base = RNG.standard_normal(SHAPE)
    models, weights = [base + 0.7 * one for one in arrays(3)], [1.0, 2.0, 0.5]
    found = merged("karcher", models, weights=weights, max_iter=100, tol=1e-12)
    listed = [flat(m) for m in models]
    least = reference.squared_arcs(flat(found), listed, weights)
    for _ in range(20):
        other = found + 1e-3 * RNG.standard_normal(SHAPE)
        assert reference.squared_arcs(flat(other), listed, weights) > least
    expected = sum(w * reference.norm(m) for w, m in zip(weights, listed, strict=True)) / sum(weights)
    assert reference.norm(flat(found)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("rule", ["dare_ties", "dare_linear"])
def test_dare_keeps_the_density_and_the_magnitude(rule):
    base, model = np.zeros((200, 200)), RNG.standard_normal((200, 200))
    found = merged(rule, [model], base, density=0.3)
    kept = found != 0
    assert abs(kept.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / model.size)
    assert np.abs(found).sum() == pytest.approx(np.abs(model).sum(), rel=1e-12)
    np.testing.assert_allclose(found[kept] / model[kept], (found[kept] / model[kept])[0], rtol=1e-12)
    plain = merged(rule, [model], base, density=0.3, rescale=False)
    assert np.array_equal(plain, model * kept)


def test_masks_of_dare_depend_on_the_seed_and_the_name_alone():
    params = {name: RNG.standard_normal((30, 30)) for name in "abc"}
    base = {name: np.zeros((30, 30)) for name in "abc"}
    options = {"rule": "dare_linear", "base": base, "parameters": {"density": 0.5}}
    lazily = combined_params([params], rng=1, **options)
    backwards = {name: lazily[name] for name in "cba"}
    at_once = combine([params], rule="dare_linear", base=base, density=0.5, rng=1)
    assert all(np.array_equal(backwards[name], at_once[name]) for name in "abc")
    masks = [at_once[name] != 0 for name in "abc"]
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(
        combine([params], rule="dare_linear", base=base, density=0.5, rng=2)["a"], at_once["a"]
    )


def test_fused_products_are_rounded_once():
    from fractions import Fraction

    for dtype in (np.float32, np.float64):
        a, b, c = (RNG.standard_normal(2000).astype(dtype) for _ in range(3))
        c[:1000] = -(a * b)[:1000] * (1 + RNG.integers(-3, 4, 1000) * np.finfo(dtype).eps)
        found = fused(a, b, c)
        exact = [
            Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
            for x, y, z in zip(a, b, c, strict=True)
        ]
        for value, true in zip(found, exact, strict=True):
            error = abs(Fraction(float(value)) - true)
            for near in (np.nextafter(value, dtype(np.inf)), np.nextafter(value, dtype(-np.inf))):
                assert error <= abs(Fraction(float(near)) - true)


def test_gradients_and_patterns():
    names = ["embed.w", "layers.0.attn.w", "layers.1.mlp.w", "layers.2.mlp.w", "layers.4.attn.w", "head.w"]
    one, zero = ({name: np.full(2, number) for name in names} for number in (1.0, 0.0))
    weights = [{"layers.*.mlp": [0.0, 4.0], "attn": 7.0, "*": [1.0, 3.0]}, 0.0]
    found = combine([one, zero], weights=weights, normalize=False)
    expected = {"embed.w": 1, "layers.0.attn.w": 7, "layers.1.mlp.w": 1, "layers.2.mlp.w": 2, "layers.4.attn.w": 7, "head.w": 1}  # fmt: skip  # noqa: E501
    assert {name: float(array[0]) for name, array in found.items()} == expected


def test_depths_and_patterns():
    assert depths(["a.0.w", "a.2.w", "b.0.w", "c.w", "0.w"]) == {
        "a.0.w": 0.0, "a.2.w": 1.0, "b.0.w": 1.0, "c.w": 0.0, "0.w": 1.0,
    }  # fmt: skip
    assert matches("mlp", "layers.0.mlp.w")
    assert matches("layers.[01].*.w", "model.layers.1.mlp.w")
    assert not matches("layers.*.mlp", "layers.0.attn.w")


def test_masks_of_infinities_are_kept_and_other_numbers_refused():
    mask = np.where(np.tri(4) > 0, 0.0, -np.inf)
    base, model = ({"mask": mask, "w": w} for w in arrays(2))
    for rule, options in (("linear", {}), ("ties", {"base": base}), ("slerp", {"base": base, "t": 0.5})):
        assert np.array_equal(combine([model], rule=rule, **options)["mask"], mask)
    bad = {**model, "w": np.where(np.eye(4, 5), np.nan, model["w"])}
    with pytest.raises(rf.ParamsError, match=r"'w' of model 0 holds 4 entries that are NaN"):
        combine([bad], rule="ties", base=base)
    with pytest.raises(rf.ParamsError, match=r"too large for float16, the dtype of the result"):
        combine([{"w": np.full(2, 1e6)}], out_dtype="float16")


def test_integers_and_forms_are_those_of_the_first_model():
    steps = np.array(3)
    models = [
        {"w": np.ones(2, np.float16), "steps": steps},
        {"w": np.ones(2, np.float32), "steps": np.array(4)},
    ]
    found = combine(models)
    assert found["steps"] is steps
    assert found["w"].dtype == np.float32


A, B = {"w": np.ones(2)}, {"w": np.zeros(2)}
MISTAKES = [
    ({"rule": "mean"}, ValueError, "rule is 'linear', 'slerp'"),
    ({"rule": "ties"}, ValueError, "needs base"),
    ({"rule": "karcher", "base": A}, ValueError, "has no base"),
    ({"rule": "linear", "density": 0.5}, ValueError, "no parameter density; it has weights, normalize"),
    ({"rule": "slerp"}, ValueError, "needs t"),
    ({"rule": "slerp", "t": 0.5, "base": {"w": np.ones(2)}}, ValueError, "takes two models"),
    ({"rule": "ties", "base": A, "density": 1.5}, ValueError, "density is a number"),
    ({"weights": [1.0, 2.0, 3.0]}, ValueError, "2 here; got 3"),
    ({"weights": [1.0, "x"]}, TypeError, "weights is a number"),
    ({"weights": {}}, ValueError, "maps patterns"),
    ({"weights": [[], 1.0]}, ValueError, "weights is an empty list"),
    ({"dtype": "int8"}, ValueError, "dtype is 'float16'"),
    ({"rule": "karcher", "max_iter": 0}, ValueError, "max_iter is a whole number"),
]


@pytest.mark.parametrize(("options", "error", "message"), MISTAKES)
def test_mistakes_are_told(options, error, message):
    with pytest.raises(error, match=message):
        combine([A, B], **options)


def test_other_models_are_refused():
    with pytest.raises(rf.ParamsError, match="'v' is in"):
        combine([A, {**B, "v": np.ones(1)}])
    with pytest.raises(rf.ParamsError, match="one factor of a low-rank product"):
        combine([{"q.lora_A.weight": np.ones((1, 2))}] * 2)
    with pytest.raises(rf.ParamsError, match=r"dtype='float16'"):
        combine([{"w": np.ones(2, np.complex64)}] * 2)
