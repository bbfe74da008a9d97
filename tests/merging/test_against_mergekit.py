"""The rules of merging give mergekit's numbers: to the last bit where its operations are elementwise."""

import numpy as np
import pytest

from rebasin_fast.merging.rules.combining import combine

torch = pytest.importorskip("torch")
merging = pytest.importorskip(
    "mergekit.merge_methods", reason="needs mergekit 0.1.5 (pip install mergekit), whose results these are"
)

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]
SHAPES = {"layers.0.weight": (33, 17), "layers.0.bias": (33,), "norm.weight": (1,), "scale": ()}
WEIGHTS = [0.7, 0.4, -0.2, 1.3, 0.9, 0.6]


def models(count, dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    base = {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
    near = [
        {name: value + 0.1 * torch.randn(value.shape, generator=generator) for name, value in base.items()}
        for _ in range(count)
    ]
    return [{name: value.to(dtype) for name, value in model.items()} for model in (base, *near)]


def distinct(count, dtype):
    """Task vectors whose entries differ in magnitude: of equal ones mergekit keeps any."""
    size, generator = 33 * 17, np.random.default_rng(3)
    magnitudes = torch.cat([(1 + torch.arange(120) / 128) * 2.0**power for power in range(-2, 3)])[:size]
    params = [{name: torch.zeros(shape, dtype=dtype) for name, shape in SHAPES.items()}]
    for _ in range(count):
        signs = torch.from_numpy(generator.choice([-1.0, 1.0], size))
        values = (magnitudes * signs)[torch.from_numpy(generator.permutation(size))].to(dtype)
        params.append(
            {n: values[: zero.numel()].reshape(zero.shape).clone() for n, zero in params[0].items()}
        )
    return params


def theirs(rule, params, parameters, base):
    ids = ["base", *map(str, range(1, len(params)))]
    return merging.merge_state_dicts(
        dict(zip(ids, params, strict=True)), rule, parameters=parameters, base="base" if base else None
    )


def assert_equal(ours, expected):
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        assert ours[name].dtype == value.dtype
        assert torch.equal(ours[name], value), (name, ours[name], value)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("normalize", [True, False])
def test_linear(dtype, count, normalize):
    params, weights = models(count - 1, dtype), WEIGHTS[:count]
    expected = theirs("linear", params, {"weight": weights, "normalize": normalize}, base=False)
    assert_equal(combine(params, weights=weights, normalize=normalize), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("lambda_", [1.0, 0.7])
@pytest.mark.parametrize("normalize", [True, False])
def test_task_arithmetic(dtype, count, lambda_, normalize):
    (base, *tuned), weights = models(count, dtype), WEIGHTS[:count]
    given = {"weight": weights, "normalize": normalize, "lambda": lambda_}
    expected = theirs("task_arithmetic", [base, *tuned], given, base=True)
    options = {"weights": weights, "normalize": normalize, "lambda_": lambda_}
    assert_equal(combine(tuned, rule="task_arithmetic", base=base, **options), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("density", [1.0, 0.5, 0.2, 0.0])
@pytest.mark.parametrize("normalize", [True, False])
def test_ties(dtype, count, density, normalize):
    (base, *tuned), weights = distinct(count, dtype), WEIGHTS[:count]
    given = {"weight": weights, "normalize": normalize, "density": density}
    expected = theirs("ties", [base, *tuned], given, base=True)
    options = {"weights": weights, "normalize": normalize, "density": density}
    assert_equal(combine(tuned, rule="ties", base=base, **options), expected)


@pytest.mark.parametrize("rule", ["dare_ties", "dare_linear"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dare_of_whole_task_vectors(rule, dtype):
    (base, *tuned), weights = models(3, dtype), WEIGHTS[:3]
    expected = theirs(rule, [base, *tuned], {"weight": weights, "density": 1.0}, base=True)
    assert_equal(combine(tuned, rule=rule, base=base, weights=weights, density=1.0), expected)


def close(ours, expected, dtype):
    """To a few units in the last place of ``dtype``: these rules have sums over an array."""
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        assert ours[name].dtype == value.dtype == dtype
        tolerance = 8 * torch.finfo(dtype).eps * float(value.abs().max())
        np.testing.assert_allclose(ours[name].double(), value.double(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_slerp(dtype, t):
    generator = torch.Generator().manual_seed(1)
    a, b = ({n: torch.randn(s, generator=generator).to(dtype) for n, s in SHAPES.items()} for _ in "ab")
    expected = theirs("slerp", [a, b], {"t": t}, base=True)
    close(combine([a, b], rule="slerp", t=t), expected, dtype)


def random_models(count, dtype):
    generator = torch.Generator().manual_seed(2)
    shapes = {name: shape for name, shape in SHAPES.items() if shape}
    return [
        {n: torch.randn(s, generator=generator).to(dtype) for n, s in shapes.items()} for _ in range(count)
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_karcher(dtype, count):
    params = random_models(count, dtype)
    close(combine(params, rule="karcher"), theirs("karcher", params, {}, base=False), dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_karcher_in_half_precision_is_nearer_to_the_exact_mean_than_theirs(dtype):
    params = random_models(3, dtype)
    exact = theirs("karcher", [{n: v.double() for n, v in one.items()} for one in params], {}, base=False)
    ours, rounded_at_every_step = combine(params, rule="karcher"), theirs("karcher", params, {}, base=False)
    for name, value in exact.items():
        error, theirs_error = ((one[name].double() - value).norm() for one in (ours, rounded_at_every_step))
        assert error <= theirs_error


def test_ties_that_scales_up():
    base, *tuned = models(2, torch.float32)
    given = {"weight": 1.0, "density": 0.3, "rescale": True}
    expected = theirs("ties", [base, *tuned], given, base=True)
    close(combine(tuned, rule="ties", base=base, density=0.3, rescale=True), expected, torch.float32)


def test_dare_scales_as_theirs_on_the_same_mask(monkeypatch):
    base, tuned = models(1, torch.float32)
    mask = {shape: torch.rand(shape) < 0.4 for shape in SHAPES.values()}
    monkeypatch.setattr(torch, "bernoulli", lambda p: mask[tuple(p.shape)].to(p.dtype))
    expected = theirs("dare_linear", [base, tuned], {"weight": 0.8, "density": 0.4}, base=True)

    class Drawn:
        def random(self, shape, _dtype):
            return np.where(mask[tuple(shape)].numpy(), 0.0, 1.0)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Drawn() if isinstance(seed, list) else RNG)
    ours = combine([tuned], rule="dare_linear", base=base, weights=0.8, density=0.4)
    close(ours, expected, torch.float32)


RNG = np.random.default_rng(0)


def test_mixed_dtypes_are_promoted():
    _base, one, other = models(2, torch.float32)
    half, brain = (
        {n: v.to(d) for n, v in m.items()} for m, d in ((one, torch.float16), (other, torch.bfloat16))
    )
    expected = theirs("linear", [half, brain], {"weight": [1.0, 2.0]}, base=False)
    assert_equal(combine([half, brain], weights=[1.0, 2.0]), expected)


@pytest.mark.parametrize("rule", ["linear", "ties"])
def test_dtypes_of_work_and_result(rule):
    base, *tuned = models(2, torch.float32)
    params = tuned if rule == "linear" else [base, *tuned]
    ids = list(map(str, range(len(params))))
    expected = merging.merge_state_dicts(
        dict(zip(ids, params, strict=True)),
        rule,
        parameters={"weight": 0.6},
        base=None if rule == "linear" else "0",
        dtype=torch.bfloat16,
        out_dtype=torch.float16,
    )
    options = {"dtype": "bfloat16", "out_dtype": "float16", "weights": 0.6}
    given = {} if rule == "linear" else {"base": base}
    assert_equal(combine(tuned, rule=rule, **given, **options), expected)
