"""merge --data, reset, repair and curve --match METHOD, as a stranger types them."""

from __future__ import annotations

import json

import pytest
import torch

import rebasin_fast as rf
from helpers.digit_networks import accuracy, trained

MODULE = """
from helpers.digit_networks import Net as net, batches

def loss(outputs, targets):
    return ((outputs.softmax(1) - 0.1) ** 2).mean() + outputs.var() * 0

def network():
    import torch
    return net(), torch.zeros(2, 1, 8, 8)
"""
ON_DATA = ("--model", "mine_merged:net", "--data", "mine_merged:batches", "--quiet")


@pytest.fixture
def files(tmp_path):
    (tmp_path / "mine_merged.py").write_text(MODULE, encoding="utf-8")
    for seed, name in enumerate("ab"):
        torch.save(trained(seed).state_dict(), tmp_path / f"{name}.pt")
    return tmp_path


def test_one_command_makes_a_good_model_of_two(files, run):
    result = run("merge", "a.pt", "b.pt", "-o", "merged.pt", *ON_DATA, "--report", "merge.html", "--json")
    assert result.exit_code == 0, result.output
    account = json.loads(result.stdout)
    params = rf.load_params(files / "merged.pt", library="torch")
    naive = rf.interpolate(trained(0).state_dict(), trained(1).state_dict(), 0.5)
    assert accuracy(params) > accuracy(naive) + 0.3
    assert account["table"][0]["values"]["accuracy"] == max(
        row["values"]["accuracy"] for row in account["table"] if not row["matching"].startswith("model")
    )
    page = (files / "merge.html").read_text(encoding="utf-8")
    assert page.count("<tr>") == len(account["table"]) + 1
    assert "a.pt + b.pt" in page


def test_an_interrupted_command_goes_on(files, run):
    options = (*ON_DATA, "--method", "activations", "--repair", "reset", "--resume", "state.npz")
    first = run("merge", "a.pt", "b.pt", "-o", "merged.pt", *options)
    assert first.exit_code == 0, first.output
    again = run("merge", "a.pt", "b.pt", "-o", "merged.pt", *options, "--force")
    assert again.exit_code == 0, again.output
    assert again.stdout == first.stdout


def test_match_merge_and_reset_or_repair_one_after_the_other(files, run):
    both = ("--method", "both", "--activation-weight", "0.7", "--trace", "mine_merged:network")
    for command in (
        ("match", "a.pt", "b.pt", "-o", "moved.pt", *both, *ON_DATA),
        ("merge", "a.pt", "moved.pt", "-o", "middle.pt", "--no-match", "--quiet"),
        ("reset", "middle.pt", "-o", "reset.pt", *ON_DATA),
        ("repair", "middle.pt", "a.pt", "moved.pt", "-o", "repaired.pt", "--passes", "2", *ON_DATA),
    ):  # fmt: skip
        result = run(*command)
        assert result.exit_code == 0, result.output
    middle, reset, repaired = (
        accuracy(rf.load_params(files / f"{name}.pt", library="torch"))
        for name in ("middle", "reset", "repaired")
    )
    assert min(reset, repaired) > middle + 0.1


def test_a_curve_of_a_matching_by_activations(files, run):
    traced = (
        "--trace",
        "mine_merged:network",
        "--points",
        "3",
        "--json",
        "--reset-batch-norm",
        "mine_merged:batches",
    )
    result = run("curve", "a.pt", "b.pt", *ON_DATA, *traced, "--match", "activation")
    assert result.exit_code == 0, result.output
    curves = json.loads(result.stdout)
    as_they_are, matched = (curves[name]["values"]["accuracy"][1] for name in ("as they are", "matched"))
    assert matched > as_they_are + 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "mine_merged:net"), "--data is missing"),
        (("--data", "mine_merged:batches"), "--model is missing"),
        (("--method", "both"), "--method both needs --model module:factory and --data module:batches"),
        (("--repair", "reset"), "--repair reset needs --model"),
        (("--report", "x.html"), "--report is for a merge with --model and --data"),
        ((*ON_DATA, "--method", "merge-many"), "with --data it is one of auto, identity"),
        ((*ON_DATA, "--rule", "linear"), "--rule is for a merge without --data"),
        ((*ON_DATA, "--t", "half"), "neither a number nor auto"),
    ],
)
def test_options_that_contradict_one_another(files, run, options, message):
    result = run("merge", "a.pt", "b.pt", "-o", "never.pt", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not (files / "never.pt").exists()
