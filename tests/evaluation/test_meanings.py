"""Parameters whose numbers are not weights are treated by their meaning, or refused; never averaged by dtype alone."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import rebasin_fast as rf
from rebasin_fast.merging.averaging import average

BLENDS = [lambda a, b: rf.interpolate(a, b, 0.5), lambda a, b: average([a, b])]


def two(make):
    models = []
    for seed in range(2):
        torch.manual_seed(seed)
        models.append(make())
    return models


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize(
    ("codes", "scale", "dtype"),
    [
        ("layer.weight", "layer.SCB", torch.int8),
        ("layer.weight", "layer.weight.absmax", torch.uint8),
        ("layer.qweight", "layer.scales", torch.int32),
        ("layer.weight", "layer.weight_scale", torch.float8_e4m3fn),
        ("layer.weight", "layer.weight_scale_inv", torch.float8_e4m3fn),
    ],
)
def test_quantised_codes(blend, codes, scale, dtype):
    params = {codes: torch.ones(4, 4).to(dtype), scale: torch.ones(4), "norm.weight": torch.ones(4)}
    with pytest.raises(rf.ParamsError, match=rf"'{codes}' holds quantised codes.*'{scale}'.*[Dd]equantise"):
        blend(params, params)
    spec = rf.PermutationSpec({codes: ("P", None), scale: ("P",), "norm.weight": ("P",)})
    with pytest.raises(rf.ParamsError, match=rf"'{codes}' holds quantised codes"):
        rf.weight_matching(spec, params, params)


@pytest.mark.parametrize("blend", BLENDS)
def test_what_only_looks_like_a_code(blend):
    params = {"steps": torch.tensor(3), "norm.weight_scale": torch.ones(3), "norm.weight": torch.ones(3)}
    assert set(blend(params, params)) == set(params)
    plain = {"w": torch.ones(3).to(torch.float8_e4m3fn)}
    assert blend(plain, {"w": torch.zeros(3)})["w"].float().tolist() == [0.5] * 3


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize(
    "factor", ["base.q.lora_A.weight", "q.lora_B.default.weight", "unet_q.lora_up.weight"]
)
def test_factors_of_low_rank_products(blend, factor):
    with pytest.raises(rf.ParamsError, match=r"one factor of a low-rank product.*Merge each adapter"):
        blend(*({factor: torch.ones(2, 2)} for _ in "ab"))


@pytest.mark.parametrize("blend", BLENDS)
def test_masks_of_pruning(blend):
    a, b = two(lambda: prune.l1_unstructured(nn.Linear(8, 6), "weight", 0.5))
    with pytest.raises(rf.ParamsError, match=r"'weight_mask' is a pruning mask, and differs.*prune\.remove"):
        blend(a.state_dict(), b.state_dict())
    b.weight_mask.copy_(a.weight_mask)
    merged = blend(a.state_dict(), b.state_dict())
    assert torch.equal(merged["weight_mask"], a.weight_mask)
    for ends, t in (((a, b), 0.0), ((b, a), 1.0)):
        assert torch.equal(
            rf.interpolate(*(one.state_dict() for one in ends), t)["weight_mask"], a.weight_mask
        )


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("norm", [nn.utils.spectral_norm, parametrizations.spectral_norm])
@pytest.mark.parametrize(
    "layer", [lambda: nn.Linear(20, 30), lambda: nn.Conv2d(4, 6, 3), lambda: nn.ConvTranspose2d(5, 5, 3)]
)
def test_vectors_of_spectral_norm(blend, norm, layer):
    """The blended layer has spectral norm 1, as its parents have once their vectors have converged."""

    def trained():
        made = norm(layer())
        inputs = torch.randn(2, 20) if isinstance(made, nn.Linear) else torch.randn(2, made.in_channels, 8, 8)
        for _ in range(5):
            made(inputs)
        return made.eval()

    a, b = two(trained)
    c = norm(layer()).eval()
    c.load_state_dict(blend(a.state_dict(), b.state_dict()))
    inputs = torch.randn(2, 20) if isinstance(c, nn.Linear) else torch.randn(2, c.in_channels, 8, 8)
    c(inputs)
    dim = 1 if isinstance(c, nn.ConvTranspose2d) else 0
    matrix = c.weight.detach().movedim(dim, 0).flatten(1)
    assert torch.linalg.matrix_norm(matrix, 2) == pytest.approx(1.0, abs=5e-3)
    same = rf.interpolate(a.state_dict(), b.state_dict(), 0.0)
    assert all(torch.equal(same[name], value) for name, value in a.state_dict().items())


@pytest.mark.parametrize("wrap", [np.asarray, torch.tensor])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_weights_are_matched_and_averaged(wrap, dtype):
    rng = np.random.default_rng(0)
    spec = rf.PermutationSpec({"in": ("P", None), "out": (None, "P")})
    shapes = {"in": (12, 4), "out": (3, 12)}
    a, other = (
        {n: (rng.standard_normal(s) + 1j * rng.standard_normal(s)).astype(dtype) for n, s in shapes.items()}
        for _ in "ab"
    )
    # The real parts of all units are equal: only the imaginary ones tell them apart.
    a["in"].real = 1.0
    a["out"].real = 1.0
    planted = {"P": rng.permutation(12)}
    b = rf.apply_permutation(spec, planted, a)
    wrapped_a, wrapped_b = ({name: wrap(w) for name, w in side.items()} for side in (a, b))
    for found in (
        rf.weight_matching(spec, wrapped_a, wrapped_b),
        rf.frank_wolfe_matching(spec, wrapped_a, wrapped_b),
    ):
        aligned = rf.apply_permutation(spec, found.permutation, b)
        assert all(np.array_equal(a[name], aligned[name]) for name in a)
        expected = sum(float((np.abs(w.astype(np.complex128)) ** 2).sum()) for w in a.values())
        assert found.objective == pytest.approx(expected, rel=1e-6)
    many = rf.merge_many(spec, [wrapped_a, wrapped_b])
    assert all(np.allclose(np.asarray(many.merged[name]), a[name]) for name in a)
    mixed = rf.interpolate(wrapped_a, {name: wrap(w) for name, w in other.items()}, 0.25)
    for name in a:
        np.testing.assert_allclose(np.asarray(mixed[name]), 0.75 * a[name] + 0.25 * other[name], rtol=1e-6)
        assert np.asarray(mixed[name]).dtype == dtype
