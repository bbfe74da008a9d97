"""NaN and infinities are refused where models are blended, by name, unless they are asked for."""

import ml_dtypes
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import rebasin_fast as rf
from rebasin_fast.cli import main
from rebasin_fast.merging.averaging import average

SPEC = rf.specs.mlp(["fc1", "fc2"])
SHAPES = {"fc1.weight": (6, 3), "fc1.bias": (6,), "fc2.weight": (2, 6), "fc2.bias": (2,)}
NARROW = [
    lambda w: w.astype(np.float16),
    lambda w: torch.tensor(w).half(),
]


def model(seed, factor=1.0):
    rng = np.random.default_rng(seed)
    return {name: (factor * rng.standard_normal(shape)).astype(np.float32) for name, shape in SHAPES.items()}


def bits(array):
    return np.asarray(array.float() if isinstance(array, torch.Tensor) else array, dtype=np.float64)


@pytest.mark.parametrize("narrow", NARROW, ids=["numpy", "torch"])
def test_a_blend_too_large_for_its_dtype(narrow):
    a, b = model(0), model(1)
    b["fc1.bias"][2] = 3e5
    a = {name: narrow(w) for name, w in a.items()}
    message = r"'fc1\.bias'.*too large for float16.*first at \(\d,\).*300000"
    for blend in (
        lambda **options: rf.interpolate(a, b, 0.5, **options),
        lambda **options: rf.interpolate(a, b, 0.5, "slerp", **options),
        lambda **options: average([a, b], **options),
        lambda **options: rf.merge_many(SPEC, [a, b], **options).merged,
    ):
        with pytest.raises(rf.ParamsError, match=message):
            blend()
        assert np.isinf(bits(blend(allow_nonfinite=True)["fc1.bias"])).sum() == 1
    with pytest.raises(rf.ParamsError, match=message):
        rf.loss_curve(lambda params: 0.0, a, b, ts=3)


def test_weights_that_extrapolate_are_checked_too():
    a, b = model(0, 1e30), model(1, 1e30)
    with pytest.raises(rf.ParamsError, match=r"'fc1\.weight'.*too large for float32"):
        average([a, b], [1.0, -1.0 + 1e-12])
    assert np.isfinite(average([a, b], [2.0, -1.0])["fc1.weight"]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("wrap", [np.asarray, torch.tensor, lambda w: w.astype(ml_dtypes.bfloat16)])
def test_a_model_that_diverged_is_named(value, side, wrap):
    models = [model(0), model(1)]
    models[side]["fc2.weight"][1, 4] = value
    models = [{name: wrap(w) for name, w in one.items()} for one in models]
    with pytest.raises(
        rf.ParamsError, match=rf"'fc2\.weight' of model {'AB'[side]} holds 1 entries.*\(1, 4\)"
    ):
        rf.interpolate(*models, 0.5)
    with pytest.raises(rf.ParamsError, match=rf"'fc2\.weight' of model {side} holds 1 entries"):
        average(models)
    assert not np.isfinite(bits(average(models, allow_nonfinite=True)["fc2.weight"][1, 4]))
    # What has no share is not read.
    assert np.isfinite(bits(rf.interpolate(*models, 1.0 - side)["fc2.weight"])).all()


@pytest.mark.parametrize("wrap", [np.asarray, torch.tensor])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 1.5])
@pytest.mark.parametrize("method", ["lerp", "slerp"])
def test_masks_of_infinities_stay(wrap, t, method):
    mask = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
    a, b = ({name: wrap(w) for name, w in (model(seed) | {"mask": mask}).items()} for seed in (0, 1))
    blend = rf.interpolate(a, b, t, method)
    np.testing.assert_array_equal(bits(blend["mask"]), mask)
    plain = rf.interpolate(*({n: w for n, w in side.items() if n != "mask"} for side in (a, b)), t, method)
    for name in SHAPES:
        np.testing.assert_allclose(bits(blend[name]), bits(plain[name]), rtol=1e-6)


def test_the_command_line(tmp_path):
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    out = tmp_path / "merged.npz"
    wrong = model(1)
    wrong["fc1.weight"][0, 0] = np.nan
    rf.save_params(a, model(0))
    rf.save_params(b, wrong)
    arguments = ["merge", str(a), str(b), "-o", str(out), "--no-match"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert "'fc1.weight' of model 1" in done.stderr
    assert "--allow-nonfinite" in done.stderr
    assert not out.exists()
    assert CliRunner().invoke(main, [*arguments, "--allow-nonfinite"]).exit_code == 0
    assert np.isnan(rf.load_params(out)["fc1.weight"][0, 0])
