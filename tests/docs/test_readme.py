"""The README's example runs, and its pictures and pages are there."""

import re
from pathlib import Path

import numpy as np
import pytest

import rebasin_fast as rf

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_merges_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    shapes = {"fc1.weight": (64, 20), "fc1.bias": (64,), "fc2.weight": (3, 64), "fc2.bias": (3,)}
    a = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    spec = rf.specs.for_params(a)
    rf.save_params("a.safetensors", a)
    rf.save_params("b.safetensors", rf.apply_permutation(spec, {"P0": rng.permutation(64)}, a))
    (example,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    merged = rf.load_params("merged.safetensors", library="numpy")
    assert all(np.array_equal(merged[name], a[name]) for name in a)


def test_the_demo_and_the_tests_are_one_command_each_with_its_own_set_up() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    commands = [block for block in blocks if block.startswith("python3 -m venv .venv && ")]
    assert [command.count("\n") for command in commands] == [1, 1]
    assert len(re.findall("^python3 -m venv", TEXT, re.MULTILINE)) == 2


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", TEXT))))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
