"""The page as a whole: self-contained, escaped, written whole, and in agreement with the matching."""

import dataclasses
import os
import sys
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.parsed_page import ELEMENTS, ParsedPage
from rebasin_fast.axis import Joined, Product
from rebasin_fast.files import OutputExistsError, spec_digest
from rebasin_fast.matching import Matching, MatchingStats
from rebasin_fast.merging.distance import l2_distance
from rebasin_fast.report import write_report

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=http://evil.example/x onerror=alert(1)>',
    "</title></style></svg><iframe src=//evil.example>",
    "&lt;b&gt; & 'quotes'",
    "\x00\x1b[31m\u202egnp.exe\u2066",
    "lone \udc80 surrogate",
    "x" * 10_000,
)


def mlp_params(seed, widths=(6, 24, 24, 3), dtype=np.float32):
    rng = np.random.default_rng(seed)
    params = {}
    for number, (inputs, outputs) in enumerate(pairwise(widths)):
        params[f"fc{number}.weight"] = rng.standard_normal((outputs, inputs)).astype(dtype)
        params[f"fc{number}.bias"] = rng.standard_normal(outputs).astype(dtype)
    return params


@pytest.fixture
def pair():
    a, b = mlp_params(0), mlp_params(1)
    return rf.specs.for_params(a), a, b


def report(tmp_path, spec, a, b, matching, **options):
    path = tmp_path / "report.html"
    write_report(path, spec, a, b, matching, **options)
    return ParsedPage(path)


def test_needs_nothing_but_itself(tmp_path, pair):
    found = report(tmp_path, *pair, rf.weight_matching(*pair))
    assert {tag for tag, _ in found.elements} <= ELEMENTS
    assert all(source.startswith("data:image/png;base64,") for source in found.attributes("src"))
    assert not found.attributes("href")
    assert "url(" not in found.source
    assert "@import" not in found.source
    assert "://" not in found.source
    policy = next(a["content"] for _, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "prefers-color-scheme: dark" in found.source


def test_says_what_the_matching_says(tmp_path, pair):
    spec, a, b = pair
    matching = rf.weight_matching(spec, a, b, restarts=2)
    found = report(tmp_path, spec, a, b, matching, names=("first.pt", "second.pt"))
    matched = [name for name in a if any(spec.axes_to_perm[name])]
    aligned = rf.apply_permutation(spec, matching.permutation, b)
    a, b, moved = ({name: params[name] for name in matched} for params in (a, b, aligned))
    assert "second.pt, reordered to match first.pt" in found.text
    assert f"{matching.first_objective:.6g} → {matching.objective:.6g}" in found.text
    assert f"{l2_distance(a, b):.6g} → {l2_distance(a, moved):.6g}" in found.text
    assert f"{sum(matching.moved_units().values())} of 48 hidden units in 2 permutations" in found.text
    assert f"Converged after {matching.sweeps} sweeps" in found.text
    assert f"10{spec.log10_symmetries(a):,.2f} that compute the same function" in found.text
    assert spec_digest(spec.to_json()) in found.text
    assert rf.__version__ in found.text
    for sweep, value in enumerate(matching.history, 1):
        assert f"sweep {sweep}: {value:.6g}" in found.text
    assert "1 other run" in found.text
    assert "was found by another measure" not in found.text
    assert "Nothing was left out" in found.text


def test_the_same_matching_gives_the_same_page(tmp_path, pair):
    matching = rf.weight_matching(*pair)
    for name in ("first.html", "second.html"):
        write_report(tmp_path / name, *pair, matching)
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()


def test_what_was_left_in_place_is_named_with_its_reason(tmp_path, pair):
    spec, a, b = pair
    a, b = {**a, "alone.weight": np.ones(3)}, {**b, "extra": np.ones((2, 2))}
    found = report(tmp_path, spec, a, b, rf.weight_matching(spec, a, b, strict=False))
    assert "2 parameters were left in place" in found.text
    assert "alone.weight in model A only" in found.text.replace("alone.weightin", "alone.weight in")
    assert "extra" in found.text
    assert "in model B only" in found.text


def test_a_search_that_was_stopped_says_so_and_what_to_do(tmp_path, pair):
    found = report(tmp_path, *pair, rf.weight_matching(*pair, max_iter=1))
    assert "Not converged after 1 sweep" in found.text
    assert "--max-iter" in found.text


def test_a_search_of_no_sweeps_is_a_page_too(tmp_path, pair):
    found = report(tmp_path, *pair, rf.weight_matching(*pair, max_iter=0))
    assert "0 of 48 hidden units" in found.text


def test_a_spec_without_permutations_is_a_page_too(tmp_path):
    spec, a = rf.PermutationSpec({"w": (None, None)}), {"w": np.eye(2)}
    found = report(
        tmp_path, spec, a, {"w": np.ones((2, 2))}, rf.weight_matching(spec, a, {"w": np.ones((2, 2))})
    )
    assert "There is no permutation of two units or more to draw" in found.text
    assert "1 parameter that no permutation moves" in found.text


def test_zeros_are_no_division(tmp_path):
    spec = rf.PermutationSpec({"w": ("P", None), "none": ("P", None)})
    zeros = {"w": np.zeros((4, 3)), "none": np.zeros((4, 0))}
    found = report(tmp_path, spec, zeros, zeros, rf.weight_matching(spec, zeros, zeros))
    assert "they were equal already" in found.text
    assert "nan" not in found.text


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text(tmp_path, name):
    spec = rf.PermutationSpec({name: (name, None), f"{name}.b": (None, name)}, [])
    a, b = (
        {n: np.random.default_rng(seed).standard_normal((4, 4)) for n in spec.axes_to_perm} for seed in (0, 1)
    )
    matching = rf.weight_matching(spec, a, b)
    matching = dataclasses.replace(matching, report={name: name})
    found = report(tmp_path, spec, a, b, matching, names=(name, name))
    assert {tag for tag, _ in found.elements} <= ELEMENTS
    assert not any(key.startswith("on") for _, attributes in found.elements for key in attributes)
    assert all(source.startswith("data:image/png;base64,") for source in found.attributes("src"))
    legible = (
        name.replace("\x00\x1b", "\\x00\\x1b").replace("\u202e", "\\u{202e}").replace("\u2066", "\\u{2066}")
    )
    legible = legible.replace("\udc80", "\\u{dc80}")
    assert legible in found.attributes("title")
    assert not any(ord(c) < 32 and c != "\n" for c in found.source)


def test_long_names_are_cut_where_they_are_shown(tmp_path):
    name = "a" * 100 + "b" * 100
    spec = rf.PermutationSpec({name: ("P",)})
    params = {name: np.arange(3.0)}
    found = report(tmp_path, spec, params, params, rf.weight_matching(spec, params, params))
    assert f"{'a' * 29}…{'b' * 30}" in found.text
    assert "a" * 100 not in found.text


def test_another_models_matching_is_noticed(tmp_path, pair):
    spec, a, b = pair
    matching = rf.weight_matching(spec, a, b)
    found = report(tmp_path, spec, a, rf.apply_permutation(spec, matching.permutation, b), matching)
    assert "the objective is not that of the weights, or the matching is of other models" in found.text


def test_a_matching_of_other_sizes_is_refused(tmp_path, pair):
    other = mlp_params(0, (6, 20, 20, 3))
    with pytest.raises(rf.PermutationError, match="'P0' has shape"):
        report(tmp_path, pair[0], other, other, rf.weight_matching(*pair))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_stays_unless_it_may_be_replaced(tmp_path, pair):
    path = tmp_path / "report.html"
    path.write_text("mine")
    matching = rf.weight_matching(*pair)
    with pytest.raises(OutputExistsError):
        write_report(path, *pair, matching)
    assert path.read_text() == "mine"
    write_report(path, *pair, matching, overwrite=True)
    assert path.read_text().startswith("<!DOCTYPE html>")


def test_a_failure_leaves_no_file(tmp_path, pair, monkeypatch):
    matching = rf.weight_matching(*pair)
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_report(tmp_path / "report.html", *pair, matching)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_dtype_of_torch_and_numpy_gives_the_same_page(tmp_path, pair, dtype):
    pytest.importorskip("torch")
    import ml_dtypes
    import torch

    spec, *models = pair
    # Values that bfloat16 and float16 hold exactly.
    exact = [{n: np.round(array * 4.0) / 4.0 for n, array in params.items()} for params in models]
    matching = rf.weight_matching(spec, *exact)
    numpy_dtype = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    versions = {
        "plain": exact,
        "numpy": [{n: array.astype(numpy_dtype) for n, array in params.items()} for params in exact],
        "torch": [
            {
                n: torch.from_numpy(array).to(getattr(torch, dtype)).requires_grad_()
                for n, array in params.items()
            }
            for params in exact
        ],
    }
    for name, (a, b) in versions.items():
        write_report(tmp_path / name, spec, a, b, matching)
    pages = {(tmp_path / name).read_text() for name in versions}
    assert len(pages) == 1


def test_torch_is_not_imported_for_it(tmp_path):
    import subprocess

    code = (
        "import sys, numpy as np, rebasin_fast as rf\n"
        "from rebasin_fast.report import write_report\n"
        "spec = rf.PermutationSpec({'w': ('P', None)}); a = {'w': np.eye(3)}\n"
        f"write_report({str(tmp_path / 'r.html')!r}, spec, a, a, rf.weight_matching(spec, a, a))\n"
        "print([m for m in ('torch', 'matplotlib', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_memory_stays_small_beside_a_big_model(tmp_path):
    units, inputs = 4096, 8192
    spec = rf.PermutationSpec({"w": ("P", "Q")})
    row = np.random.default_rng(0).standard_normal(inputs).astype(np.float32)
    # One row that is repeated without memory of its own: 32 million entries, 256 MB in float64.
    params = {"w": np.broadcast_to(row, (units, inputs))}
    permutation = {"P": np.arange(units)[::-1].copy(), "Q": np.arange(inputs)[::-1].copy()}
    stats = MatchingStats(*(0,) * len(MatchingStats.__slots__))
    objective = float(units * (row.astype(np.float64) @ row[::-1]))
    matching = Matching(permutation, objective, objective, [objective], 1, True, stats)
    tracemalloc.start()
    try:
        write_report(tmp_path / "report.html", spec, params, params, matching)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 150e6
    assert "was found by another measure" not in (tmp_path / "report.html").read_text()


def test_many_layers_share_rows_and_many_permutations_are_folded(tmp_path):
    count = 200
    axes = {f"block.{i}.w": (f"P{i}", None) for i in range(count)}
    spec = rf.PermutationSpec(axes)
    a, b = ({n: np.random.default_rng(seed).standard_normal((3, 2)) for n in axes} for seed in (0, 1))
    found = report(tmp_path, spec, a, b, rf.weight_matching(spec, a, b))
    rows = [attributes for tag, attributes in found.elements if attributes.get("class") == "row"]
    assert len(rows) == 67
    assert "(3 layers)" in found.text
    assert "160 more" in found.text
    assert found.source.count("data:image/png") <= 3 * 6


def test_nested_permutations_are_drawn_as_one_row_of_units(tmp_path):
    spec = rf.PermutationSpec(
        {"q": (Product("heads", "dims"), None), "g": (Product("groups", "out"), Joined("in"))},
        sizes={"heads": 2, "groups": 2, "in": 3},
    )
    a, b = ({"q": rng.standard_normal((8, 5)), "g": rng.standard_normal((6, 3))}
            for rng in map(np.random.default_rng, (0, 1)))  # fmt: skip
    found = report(tmp_path, spec, a, b, rf.weight_matching(spec, a, b))
    assert "heads × dims" in found.text
    assert "2 times in each of heads" in found.text
