"""Entries that no permutation moves, and integers, are constants: they change no matching.

Each matching is made twice, with constants and without: counters of a long training, masks of -1e9 and of -inf, a table
larger than all weights together.
"""

import itertools
import json

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from rebasin_fast._arrays.operations import NumpyOperations, TorchOperations
from rebasin_fast.axis import Concat, Fixed
from rebasin_fast.matching.device import on_device
from rebasin_fast.matching.device.assigners import HostAssigner
from rebasin_fast.matching.device.backend import DeviceBackend
from rebasin_fast.matching.device.problem import make_resident
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.merging.averaging import average
from rebasin_fast.permutation import random_permutation
from rebasin_fast.report import write_report

PLAIN = rf.specs.mlp(["fc1", "fc2", "fc3", "fc4"])
SPEC = rf.PermutationSpec(
    PLAIN.axes_to_perm
    | {"steps": (), "codes": (None,), "units": ("P0",), "mask": (None, None), "causal": (None, None), "table": (None,)}
)  # fmt: skip
WIDTHS = (8, 24, 24, 24, 4)


def weights(seed):
    rng = np.random.default_rng(seed)
    params = {}
    for number, (inputs, outputs) in enumerate(itertools.pairwise(WIDTHS), 1):
        params[f"fc{number}.weight"] = rng.standard_normal((outputs, inputs)).astype(np.float32)
        params[f"fc{number}.bias"] = rng.standard_normal(outputs).astype(np.float32)
    return params


def with_constants(params):
    causal = np.triu(np.full((6, 6), -1e9, np.float32), 1)
    return params | {
        "steps": np.array(78_200),
        "codes": np.full(50, 30_000),
        "units": np.arange(24) * 10**6,
        "mask": causal,
        "causal": np.where(causal < 0, -np.inf, 0.0).astype(np.float32),
        "table": np.full(64, 1e12),
    }


A, B = weights(0), weights(1)
FULL_A, FULL_B = with_constants(A), with_constants(B)


def assert_same(found, expected):
    assert found.history == expected.history
    assert found.objective == expected.objective
    assert found.sweeps == expected.sweeps
    for name, index in expected.permutation.items():
        np.testing.assert_array_equal(found.permutation[name], index)


@pytest.mark.parametrize(
    "options",
    [{}, {"visiting": "random"}, {"order": ["P2", "P1", "P0"]}, {"restarts": 3}, {"effort": "high"}],
    ids=str,
)
def test_weight_matching(options):
    expected = rf.weight_matching(PLAIN, A, B, **options)
    assert_same(rf.weight_matching(SPEC, FULL_A, FULL_B, **options), expected)
    start = random_permutation(PLAIN, PLAIN.sizes(A), np.random.default_rng(3))
    expected = rf.weight_matching(PLAIN, A, B, init=start, **options)
    assert expected.stats.accepted_steps
    assert_same(rf.weight_matching(SPEC, FULL_A, FULL_B, init=start, **options), expected)


def test_lists_and_checkpoints(tmp_path):
    expected = rf.weight_matching(PLAIN, A, [B, weights(2)])
    for found, one in zip(
        rf.weight_matching(SPEC, FULL_A, [FULL_B, with_constants(weights(2))]), expected, strict=True
    ):
        assert_same(found, one)
    path = tmp_path / "state.npz"
    for _ in range(2):  # the second goes on from the steps of the first
        assert_same(rf.weight_matching(SPEC, FULL_A, FULL_B, checkpoint=path), expected[0])


def test_the_relaxation():
    expected = rf.frank_wolfe_matching(PLAIN, A, B)
    found = rf.frank_wolfe_matching(SPEC, FULL_A, FULL_B)
    assert_same(found, expected)
    assert found.relaxed_history == expected.relaxed_history


@pytest.mark.parametrize("method", ["merge_many", "cycle_consistent"])
def test_many(method):
    models = [weights(seed) for seed in range(3)]
    expected = rf.merge_many(PLAIN, models, method=method)
    found = rf.merge_many(SPEC, [with_constants(model) for model in models], method=method)
    assert found.history == expected.history
    assert all(np.array_equal(found.merged[name], expected.merged[name]) for name in A)
    assert np.array_equal(found.merged["causal"], FULL_A["causal"])
    assert np.array_equal(found.merged["steps"], 78_200)


@pytest.mark.parametrize("numbers", [TorchOperations, NumpyOperations])
def test_on_a_device(monkeypatch, numbers):
    ops = TorchOperations("cpu") if numbers is TorchOperations else NumpyOperations()
    monkeypatch.setattr(on_device, "choose_operations", lambda *_: (ops, HostAssigner(ops, 1)))
    options = {"visiting": "random", "device": "cuda"}
    assert_same(
        rf.weight_matching(SPEC, FULL_A, FULL_B, **options), rf.weight_matching(PLAIN, A, B, **options)
    )


def test_planted_permutations_under_training_counters():
    """Twelve seeds from a random start; with the counters in the objective no step is large enough to count."""
    for seed in range(12):
        a = with_constants(weights(seed))
        planted = random_permutation(SPEC, SPEC.sizes(a), np.random.default_rng(seed))
        b = rf.apply_permutation(SPEC, planted, a)
        for visiting in ("auto", "random"):
            found = rf.weight_matching(SPEC, a, b, visiting=visiting)
            aligned = rf.apply_permutation(SPEC, found.permutation, b)
            assert all(np.array_equal(a[name], aligned[name]) for name in a), (seed, visiting)


def large_piece(params):
    """Units beside a piece that stays, whose squares drown those of all weights."""
    return {
        "in": params["fc1.weight"],
        "out": np.concatenate([params["fc2.weight"], np.full((24, 6), 1e9, np.float32)], axis=1),
    }


@pytest.mark.parametrize("device", [None, "cuda"])
@pytest.mark.parametrize("visiting", ["auto", "random"])
def test_constants_within_a_parameter_hold_no_step_back(monkeypatch, visiting, device):
    """Acceptance measures the gain against what permutations can change."""
    ops = NumpyOperations()
    monkeypatch.setattr(on_device, "choose_operations", lambda *_: (ops, HostAssigner(ops, 1)))
    spec = rf.PermutationSpec({"in": ("P", None), "out": (None, Concat("P", Fixed(6)))})
    a = large_piece(A)
    planted = {"P": np.random.default_rng(0).permutation(24)}
    b = rf.apply_permutation(spec, planted, a)
    start = {"P": np.random.default_rng(1).permutation(24)}
    found = rf.weight_matching(spec, a, b, init=start, visiting=visiting, device=device)
    aligned = rf.apply_permutation(spec, found.permutation, b)
    assert all(np.array_equal(a[name], aligned[name]) for name in a)


def test_gains_that_are_rounding_are_still_refused():
    spec = rf.PermutationSpec({"w": ("P", None)})
    rng = np.random.default_rng(0)
    a = {"w": rng.standard_normal((20, 4))}
    a["w"][1] = a["w"][0] * (1 + 1e-6)  # exchanging the two gains 1e-12 of their squares
    found = rf.weight_matching(spec, a, {"w": a["w"][[1, 0, *range(2, 20)]]}, visiting="random")
    assert found.permutation["P"].tolist() == list(range(20))
    assert found.first_objective < float((a["w"] ** 2).sum())


def test_the_spread_bounds_what_permutations_change():
    """And is what it is said to be, with means over drawn permutations in place of all."""
    spec = rf.PermutationSpec(
        {
            "plain": ("P", None),
            "both": ("P", "Q"),
            "pieces": (None, Concat("P", Fixed(2), "Q")),
            "heads": (rf.axis.Product("H", "Q"), None),
            "taps": (rf.axis.blocks("Q", 3),),
        }
    )
    rng = np.random.default_rng(0)
    shapes = {"plain": (5, 3), "both": (5, 4), "pieces": (2, 11), "heads": (12, 2), "taps": (12,)}
    a, b = ({name: rng.standard_normal(shape) for name, shape in shapes.items()} for _ in "ab")
    sizes = spec.sizes(a)
    drawn = [random_permutation(spec, sizes, rng) for _ in range(1000)]
    squares = []
    for params in (a, b):
        orbit = [rf.apply_permutation(spec, one, params) for one in drawn]
        squares.append(
            {
                name: ((w - np.mean([one[name] for one in orbit], axis=0)) ** 2).sum()
                for name, w in params.items()
            }
        )
    expected = sum(np.sqrt(squares[0][name] * squares[1][name]) for name in shapes)
    ops = NumpyOperations()
    spread = DeviceBackend(
        make_resident(check_pair(spec, a, b, strict=True), ops, HostAssigner(ops, 1))
    ).spread()
    assert spread == pytest.approx(expected, rel=0.05)
    values = [rf.weight_matching(spec, a, b, init=one, max_iter=0).objective for one in drawn[:100]]
    assert np.ptp(values) <= 2 * spread


def test_the_report_and_the_command_line(tmp_path):
    from click.testing import CliRunner

    from rebasin_fast.cli import main

    matching = rf.weight_matching(SPEC, FULL_A, FULL_B)
    write_report(tmp_path / "page.html", SPEC, FULL_A, FULL_B, matching)
    page = (tmp_path / "page.html").read_text()
    assert "nan" not in page.lower().replace("dominant", "")
    rf.save_params(tmp_path / "a.npz", FULL_A)
    rf.save_params(tmp_path / "b.npz", FULL_B)
    (tmp_path / "spec.json").write_text(SPEC.to_json())
    paths = [str(tmp_path / name) for name in ("a.npz", "b.npz", "out.npz", "spec.json")]
    done = CliRunner().invoke(main, ["match", *paths[:2], "-o", paths[2], "--spec", paths[3], "--json"])
    assert done.exit_code == 0, done.output
    account = json.loads(done.stdout)
    assert account["objective"] == matching.objective
    assert 0.0 < account["distance_after"] < account["distance_before"] < 1e3


@pytest.mark.parametrize("library", [np.array, torch.tensor])
def test_what_has_no_share_is_not_touched(library):
    sound, diverged = {"w": library([1.0, 2.0])}, {"w": library([float("inf"), float("nan")])}
    assert rf.interpolate(sound, diverged, 0.0)["w"].tolist() == [1.0, 2.0]
    assert rf.interpolate(diverged, sound, 1.0)["w"].tolist() == [1.0, 2.0]
    assert average([sound, diverged], [1.0, 0.0])["w"].tolist() == [1.0, 2.0]
