"""``--no-strict``, as the error of a parameter that only some models have advises it."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.command_line import Models, Ran

Run = Callable[..., Ran]


@pytest.fixture
def lacking(models: Models, run: Run) -> str:
    """B without a bias of A's, and with a parameter that A lacks."""
    params = {name: array for name, array in models.params_b.items() if name != "fc2.bias"}
    rf.save_params("lacking.npz", {**params, "extra": np.ones(3, np.float32)})
    return "lacking.npz"


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("match", ()),
        ("merge", ()),
        ("merge", ("--method", "merge-many")),
        ("merge", ("--method", "cycle-consistent")),
    ],
)
def test_the_advice_of_the_refusal_works(
    command: str, options: tuple[str, ...], run: Run, models: Models, lacking: str
) -> None:
    refused = run(command, models.a, lacking, "-o", "o.npz", *options)
    assert refused.exit_code == 1
    advised = re.search(r"--no-strict", refused.stderr)
    assert advised is not None
    done = run(command, models.a, lacking, "-o", "o.npz", *options, advised[0])
    assert done.exit_code == 0, done.output
    assert "fc2.bias" in done.output
    assert "extra" in done.output


@pytest.mark.parametrize("options", [(), ("--no-match",), ("--method", "merge-many")])
def test_a_merge_keeps_what_the_first_model_alone_has(
    options: tuple[str, ...], run: Run, models: Models, lacking: str
) -> None:
    done = run("merge", models.a, lacking, "-o", "m.npz", "--no-strict", *options)
    assert done.exit_code == 0, done.output
    assert "A's own" in done.stderr
    assert "A lacks it" in done.stderr
    merged = rf.load_params("m.npz")
    assert list(merged) == list(models.params_a)
    assert np.array_equal(merged["fc2.bias"], models.params_a["fc2.bias"])
    if "--no-match" in options:
        mean = (models.params_a["fc1.weight"] + models.params_b["fc1.weight"]) / 2
        assert np.allclose(merged["fc1.weight"], mean)
    else:
        assert np.allclose(merged["fc1.weight"], models.params_a["fc1.weight"], atol=1e-6)


def test_a_kept_state_of_such_a_merge_is_loaded(run: Run, models: Models, lacking: str) -> None:
    options = ("--no-strict", "--method", "merge-many", "--save-permutations", "p.npz")
    assert run("merge", models.a, lacking, "-o", "m.npz", *options).exit_code == 0
    many = rf.ManyMatching.load("p.npz", [models.params_a, dict(rf.load_params(lacking))])
    assert np.array_equal(many.merged["fc2.bias"], models.params_a["fc2.bias"])
