"""A matching of many models in a file: it is read as it was saved, an interrupted run goes on, others are refused."""

import json

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.matchings import THREE_LAYERS as SPEC
from helpers.matchings import StoppedError, stop_after, three_layers
from helpers.networks import KNOWN
from helpers.state_files import rewrite
from rebasin_fast.errors import FileFormatError


def models_of(count=4):
    return [three_layers(seed) for seed in range(count)]


def assert_same(one, other):
    for ours, theirs in zip(one.permutations, other.permutations, strict=True):
        assert set(ours) == set(theirs)
        for name, index in ours.items():
            np.testing.assert_array_equal(index, theirs[name])
            assert theirs[name].dtype == np.int64
    for field in ("objective", "first_objective", "history", "sweeps", "converged", "report", "spec"):
        assert getattr(one, field) == getattr(other, field), field


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_what_was_saved_comes_back(suffix, tmp_path):
    models, path = models_of(), tmp_path / f"many{suffix}"
    many = rf.merge_many(SPEC, models, weights=[1, 2, 3, 4])
    many.save(path)
    assert_same(many, rf.ManyMatching.load(path))
    assert rf.ManyMatching.load(path).merged == {}
    again = rf.ManyMatching.load(path, models, weights=[1, 2, 3, 4])
    for name, array in many.merged.items():
        np.testing.assert_array_equal(again.merged[name], array)
    for name, index in many.between(2, 3).items():
        np.testing.assert_array_equal(again.between(2, 3)[name], index)
    with pytest.raises(rf.RebasinError, match="exists"):
        many.save(path)
    many.save(path, overwrite=True)


def test_nested_permutations_come_back(tmp_path):
    heads = rf.axis.Product("heads", "dims")
    spec = rf.PermutationSpec({"qkv": (heads, None), "out": (None, heads)}, sizes={"heads": 3})
    draws = [np.random.default_rng(seed) for seed in range(3)]
    models = [{"qkv": rng.standard_normal((12, 9)), "out": rng.standard_normal((9, 12))} for rng in draws]
    many = rf.merge_many(spec, models)
    many.save(tmp_path / "many.npz")
    assert_same(many, rf.ManyMatching.load(tmp_path / "many.npz"))
    assert many.permutations[1]["dims"].shape == (3, 4)


@pytest.mark.parametrize(
    "options",
    [{}, {"start": "identity"}, {"method": "cycle_consistent"}],
    ids=["growing", "identity", "cycle"],
)
@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_result(options, tmp_path):
    known = KNOWN["resnet8-padded"]
    spec, models = known.spec(), [known.arrays(seed) for seed in range(4)]
    whole = rf.merge_many(spec, models, rng=3, **options)
    assert whole.sweeps > 1
    path = tmp_path / "state.safetensors"
    for calls in (2, 4 + 3):
        if calls < 4 * whole.sweeps:
            with pytest.raises(StoppedError):
                rf.merge_many(spec, models, rng=3, checkpoint=path, progress=stop_after(calls), **options)
    assert rf.ManyMatching.load(path).sweeps in (1, 2)
    assert all(
        np.array_equal(i, np.arange(i.size)) for i in rf.ManyMatching.load(path).permutations[0].values()
    )
    assert_same(rf.merge_many(spec, models, rng=3, checkpoint=path, **options), whole)
    seen = []
    assert_same(rf.merge_many(spec, models, rng=3, checkpoint=path, progress=seen.append, **options), whole)
    assert seen == []


def test_a_checkpoint_of_other_models_is_refused(tmp_path):
    path, models = tmp_path / "state.npz", models_of()
    many = rf.merge_many(SPEC, models, checkpoint=path)
    for other, options in (
        (models_of(5), {}),
        (models[::-1], {}),
        (models, {"rng": 1}),
        (models, {"start": "identity"}),
    ):
        with pytest.raises(FileFormatError, match="another matching"):
            rf.merge_many(SPEC, other, checkpoint=path, **options)
    many.save(path, overwrite=True)  # a result says nothing about the run that it came from
    with pytest.raises(FileFormatError, match="another matching"):
        rf.merge_many(SPEC, models, checkpoint=path)


def test_files_of_something_else_are_refused(tmp_path):
    models, path = models_of(), tmp_path / "many.npz"
    many = rf.merge_many(SPEC, models)
    with pytest.raises(FileFormatError, match=r"\.safetensors or \.npz"):
        many.save(tmp_path / "many.pt")
    rf.save_params(path, models[0])
    with pytest.raises(FileFormatError, match="no file of ManyMatching"):
        rf.ManyMatching.load(path)
    many.save(path, overwrite=True)
    with pytest.raises(ValueError, match="4 models; got 3"):
        rf.ManyMatching.load(path, models[:3])
    damaged = {name: np.array(array) for name, array in rf.load_params(path).items()}
    damaged["2/P0"][0] = damaged["2/P0"][1]
    rf.save_params(path, damaged, overwrite=True)
    with pytest.raises(FileFormatError, match="damaged"):
        rf.ManyMatching.load(path)
    text = json.dumps({"kind": "another"}).encode()
    rewrite(path, {**damaged, "account": np.frombuffer(text, np.uint8)})
    with pytest.raises(FileFormatError, match="no file of ManyMatching"):
        rf.ManyMatching.load(path)


def test_a_run_may_start_from_a_matching(tmp_path):
    models = models_of()
    many = rf.merge_many(SPEC, models)
    again = rf.merge_many(SPEC, models, init=many)
    assert again.sweeps == 1
    assert again.objective == pytest.approx(many.objective, rel=1e-12)
    assert again.first_objective == many.first_objective
    changed = [{name: array + np.float32(0.01) for name, array in model.items()} for model in models]
    warm = rf.merge_many(SPEC, changed, init=many.permutations)
    assert warm.history[0] >= rf.merge_many(SPEC, changed, init=many, max_iter=0).objective
    with pytest.raises(rf.PermutationError, match="3 permutations for 4 models"):
        rf.merge_many(SPEC, models, init=many.permutations[:3])
    with pytest.raises(rf.PermutationError, match="P1"):
        rf.merge_many(SPEC, models, init=[{"P0": np.arange(24)}] * 4)


def test_a_checkpoint_needs_a_seed_that_can_be_given_again(tmp_path):
    with pytest.raises(ValueError, match="integer rng"):
        rf.merge_many(SPEC, models_of(), checkpoint=tmp_path / "state.npz", rng=np.random.default_rng(0))
    assert not list(tmp_path.iterdir())
