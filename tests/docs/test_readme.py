"""The README's example runs, and its pictures and pages are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_restores_the_planted_units(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert 10 <= len([line for line in example.splitlines() if line]) <= 14
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.rstrip().endswith("True")


def test_exactly_two_commands_do_their_own_set_up() -> None:
    commands = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(commands) == 2
    assert all(
        command.startswith("python3 -m venv .venv && ") and command.count("\n") == 1 for command in commands
    )


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", TEXT))))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
