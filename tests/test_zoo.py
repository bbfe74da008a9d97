"""The two smallest pairs of the zoo, networks that other people trained: from disk to a merged file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
DATA = os.environ.get("REBASIN_FAST_DATA")
SCRIPT = Path(__file__).parents[1] / "benchmarks" / "zoo_pair.py"


def row(name):
    if DATA is None or not (Path(DATA) / "zoo").is_dir():
        pytest.skip("REBASIN_FAST_DATA names no folder with a zoo")
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--pair", name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_perceptrons_in_whole_modules_are_recognised_and_merged_better_than_either():
    found = row("MNIST halves 784-256-10")
    assert found["spec"] == "recognised as mlp"
    assert found["cosine_before"] < 0.05 < 0.3 < found["cosine_after"]
    assert not found["common_start"]
    accuracy = found["function"]["accuracy"]
    assert accuracy["matched"] > max(accuracy["A"], accuracy["B"]) > accuracy["average as it is"]


def test_policies_of_two_algorithms_are_traced_and_matched():
    found = row("A2C and PPO, CartPole")
    assert (found["spec"], found["permutations"]) == ("traced", 4)
    assert found["cosine_before"] < 0.05 < 0.6 < found["cosine_after"]
    assert not found["common_start"]
