"""LoRA adapters: products merged exactly, refactored at a rank; factors are never averaged apart."""

import json

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.command_line import invoke
from rebasin_fast.merging.lora.adapter import Adapter, Product, load_adapter, save_adapter
from rebasin_fast.merging.lora.applied import applied_adapter
from rebasin_fast.merging.lora.products import merged_adapters

RNG = np.random.default_rng(5)
NAMES = ["model.layers.0.q_proj.weight", "model.layers.1.q_proj.weight"]


def factors(rank=3, outputs=12, inputs=8, scale=2.0):
    return Product(RNG.standard_normal((outputs, rank)), RNG.standard_normal((rank, inputs)), scale)


def adapter(rank=3):
    return Adapter(None, {name: factors(rank) for name in NAMES})


def written(folder, rank=4, **configuration):
    """An adapter as PEFT writes it; the factors."""
    arrays = {}
    for name in NAMES:
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        arrays[f"{stem}.lora_A.weight"] = RNG.standard_normal((rank, 8)).astype(np.float32)
        arrays[f"{stem}.lora_B.weight"] = RNG.standard_normal((12, rank)).astype(np.float32)
    folder.mkdir()
    found = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "target_modules": ["q_proj"], **configuration}
    (folder / "adapter_config.json").write_text(json.dumps(found))
    rf.save_params(folder / "adapter_model.safetensors", arrays)
    return list(arrays.values())


def test_the_sum_of_all_ranks_loses_nothing():
    two = [adapter(3), adapter(2)]
    merged, lost = merged_adapters(two, [0.7, -0.4])
    for name in NAMES:
        expected = 0.7 * two[0].products[name].delta() - 0.4 * two[1].products[name].delta()
        np.testing.assert_allclose(merged.products[name].delta(), expected, atol=1e-13)
        assert merged.products[name].rank == 5
    assert lost == dict.fromkeys(NAMES, 0.0)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_a_lower_rank_is_the_nearest_product(rank):
    two = [adapter(3), adapter(3)]
    merged, lost = merged_adapters(two, rank=rank)
    for name in NAMES:
        total = (two[0].products[name].delta() + two[1].products[name].delta()) / 2
        u, values, vt = np.linalg.svd(total)
        nearest = (u[:, :rank] * values[:rank]) @ vt[:rank]
        np.testing.assert_allclose(merged.products[name].delta(), nearest, atol=1e-12)
        left_out = np.linalg.norm(total - nearest) / np.linalg.norm(total)
        assert lost[name] == pytest.approx(left_out, rel=1e-9)


def test_averaged_factors_would_be_another_product():
    two = [adapter(), adapter()]
    merged, _ = merged_adapters(two)
    one, other = (adapter.products[NAMES[0]] for adapter in two)
    apart = Product((one.up + other.up) / 2, (one.down + other.down) / 2, one.scale).delta()
    assert np.linalg.norm(merged.products[NAMES[0]].delta() - apart) > 1.0


def test_files_of_peft(tmp_path):
    down, up, *_ = written(tmp_path / "a", rank=4)
    found = load_adapter(tmp_path / "a")
    expected = 8 / 4 * up.astype(np.float64) @ down.astype(np.float64)
    np.testing.assert_allclose(found.products[NAMES[0]].delta(), expected, rtol=1e-14)
    save_adapter(tmp_path / "again", found)
    again = load_adapter(tmp_path / "again")
    np.testing.assert_allclose(again.products[NAMES[0]].delta(), expected, rtol=1e-6, atol=1e-6)


def test_scales_of_rank_stabilised_adapters_and_patterns(tmp_path):
    written(tmp_path / "a", use_rslora=True)
    written(tmp_path / "b", alpha_pattern={r"layers\.1\.q_proj": 2})
    assert load_adapter(tmp_path / "a").products[NAMES[0]].scale == 8 / 2
    scales = [load_adapter(tmp_path / "b").products[name].scale for name in NAMES]
    assert scales == [8 / 4, 2 / 4]


def test_commands(tmp_path):
    written(tmp_path / "a")
    written(tmp_path / "b")
    ran = invoke(
        ["adapters", str(tmp_path / "a"), str(tmp_path / "b"), "-o", str(tmp_path / "ab"), "--rank", "8"]
    )
    assert ran.exit_code == 0, ran.stderr
    model = {name: RNG.standard_normal((12, 8)).astype(np.float32) for name in NAMES}
    rf.save_params(tmp_path / "m.safetensors", model)
    arguments = [str(tmp_path / "a"), str(tmp_path / "b"), "--into", str(tmp_path / "m.safetensors")]
    ran = invoke(["adapters", *arguments, "-o", str(tmp_path / "tuned.safetensors")])
    assert ran.exit_code == 0, ran.stderr
    tuned = rf.load_params(tmp_path / "tuned.safetensors")
    merged = applied_adapter(model, load_adapter(tmp_path / "ab"))
    for name in NAMES:
        np.testing.assert_allclose(tuned[name], merged[name], atol=2e-5)


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"peft_type": "IA3"}, "LORA is supported"),
        ({"use_dora": True}, "use_dora is set"),
        ({"lora_alpha": float("inf")}, "lora_alpha is a number, finite"),
        ({"lora_alpha": "8"}, "lora_alpha is a number"),
        ({"alpha_pattern": {"(q|q_)+(proj|pro)*x": 2}}, "names of modules are supported"),
    ],
)
def test_other_kinds_are_refused(tmp_path, configuration, message):
    written(tmp_path / "a", **configuration)
    with pytest.raises(rf.FileFormatError, match=message):
        load_adapter(tmp_path / "a")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_factors_that_are_not_finite_are_refused(tmp_path, value):
    written(tmp_path / "a")
    path = tmp_path / "a" / "adapter_model.safetensors"
    arrays = {name: np.array(array) for name, array in rf.load_params(path).items()}
    next(iter(arrays.values()))[0, 0] = value
    rf.save_params(path, arrays, overwrite=True)
    with pytest.raises(rf.FileFormatError, match="hold NaN or infinite"):
        load_adapter(tmp_path / "a")


def test_factors_of_rank_none_are_refused(tmp_path):
    written(tmp_path / "a", rank=1)
    path = tmp_path / "a" / "adapter_model.safetensors"
    arrays = {
        name: np.zeros((0, 8) if "_A" in name else (12, 0), np.float32) for name in rf.load_params(path)
    }
    rf.save_params(path, arrays, overwrite=True)
    with pytest.raises(rf.FileFormatError, match="are empty"):
        load_adapter(tmp_path / "a")


def test_parts_that_are_no_products_are_refused(tmp_path):
    written(tmp_path / "a")
    path = tmp_path / "a" / "adapter_model.safetensors"
    arrays = {**dict(rf.load_params(path)), "base_model.model.score.weight": np.ones((2, 2), np.float32)}
    rf.save_params(path, {n: np.array(a) for n, a in arrays.items()}, overwrite=True)
    with pytest.raises(rf.FileFormatError, match=r"'base_model.model.score.weight' is no factor"):
        load_adapter(tmp_path / "a")


def test_an_adapter_of_another_model_is_refused():
    with pytest.raises(rf.ParamsError, match="which the model lacks"):
        applied_adapter({"other.weight": np.eye(2)}, adapter())
