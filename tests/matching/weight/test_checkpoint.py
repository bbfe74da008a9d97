"""A matching that was interrupted continues from its file to the result that it would have had."""

from __future__ import annotations

import json

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.matchings import StoppedError, assert_same, stop_after
from helpers.networks import KNOWN
from helpers.state_files import rewrite
from rebasin_fast.errors import FileFormatError


def pair(name, seeds=(0, 1)):
    known = KNOWN[name]
    return known.spec(), *(known.arrays(seed) for seed in seeds)


@pytest.mark.parametrize(
    "name", ["mlp", "resnet8-padded", "resnet20-projected", "resnet18", "vgg16-cifar-norm"]
)
@pytest.mark.slow
@pytest.mark.parametrize("visiting", ["auto", "random"])
def test_an_interrupted_matching_goes_on_to_the_same_result(name, visiting, tmp_path):
    spec, a, b = pair(name)
    options = {"visiting": visiting, "restarts": 2, "rng": 3}
    events = []
    whole = rf.weight_matching(spec, a, b, progress=events.append, **options)
    file = tmp_path / "steps.safetensors"
    for share in (0.2, 0.7):
        with pytest.raises(StoppedError):
            rf.weight_matching(
                spec, a, b, checkpoint=file, progress=stop_after(max(1, int(share * len(events)))), **options
            )
    resumed = rf.weight_matching(spec, a, b, checkpoint=file, **options)
    assert_same(resumed, whole)
    assert resumed.history == pytest.approx(whole.history, rel=1e-12)
    again = rf.weight_matching(spec, a, b, checkpoint=file, **options)
    assert_same(again, whole)
    assert again.stats.product_flop == 0.0
    assert again.stats.assignments == 0


def test_steps_already_taken_cost_no_products(tmp_path):
    spec, a, b = pair("mlp")
    whole = rf.weight_matching(spec, a, b)
    file = tmp_path / "steps.npz"
    with pytest.raises(StoppedError):
        rf.weight_matching(spec, a, b, checkpoint=file, progress=stop_after(len(whole.permutation)))
    resumed = rf.weight_matching(spec, a, b, checkpoint=file)
    assert resumed.stats.assignments < whole.stats.assignments


@pytest.mark.parametrize("change", ["model", "rng", "visiting", "init"])
def test_a_checkpoint_of_another_matching_is_refused(change, tmp_path):
    spec, a, b = pair("mlp")
    file = tmp_path / "steps.safetensors"
    rf.weight_matching(spec, a, b, checkpoint=file)
    before = file.read_bytes()
    planted = {name: np.roll(np.arange(n), 1) for name, n in spec.sizes(a).items()}
    options = {"rng": {"rng": 1}, "visiting": {"visiting": "random"}, "init": {"init": planted}}
    other = KNOWN["mlp"].arrays(7) if change == "model" else b
    with pytest.raises(FileFormatError, match="another matching"):
        rf.weight_matching(spec, a, other, checkpoint=file, **options.get(change, {}))
    assert file.read_bytes() == before


def test_a_hostile_checkpoint_is_refused_or_computed_again(tmp_path):
    spec, a, b = pair("mlp")
    file = tmp_path / "steps.npz"
    whole = rf.weight_matching(spec, a, b, checkpoint=file)
    good = {name: np.array(array) for name, array in rf.load_params(file).items()}
    account = json.loads(good["account"].tobytes())

    def write(units=good["units"], steps=account["steps"]):
        text = json.dumps({**account, "steps": steps}).encode()
        rewrite(file, {"units": units, "account": np.frombuffer(text, np.uint8)})

    first, *others = account["steps"]
    run, number, score, lengths = first
    for step in (
        [run, number, score, [length - 1 for length in lengths]],
        [run, number, score, [-length for length in lengths]],
        [run + 5, number, score, lengths],
        [-1, number, score, lengths],
        [run, number, score, lengths * 1000],
        [run, number, lengths],
        [run, number, "high", lengths],
    ):
        write(steps=[step, *others])
        with pytest.raises(FileFormatError, match="damaged"):
            rf.weight_matching(spec, a, b, checkpoint=file)
    for units in (good["units"] * 0, good["units"] + 100_000, -1 - good["units"]):
        write(units=units)
        assert_same(rf.weight_matching(spec, a, b, checkpoint=file), whole)


def test_what_a_checkpoint_needs_is_said(tmp_path):
    spec, a, b = pair("mlp")
    with pytest.raises(FileFormatError, match="safetensors"):
        rf.weight_matching(spec, a, b, checkpoint=tmp_path / "steps.json")
    for options in ({"rng": np.random.default_rng(0)}, {"rng": None}):
        with pytest.raises(ValueError, match="integer rng"):
            rf.weight_matching(spec, a, b, checkpoint=tmp_path / "steps.npz", **options)
    with pytest.raises(ValueError, match="one model B"):
        rf.weight_matching(spec, a, [b], checkpoint=tmp_path / "steps.npz")
