"""The types of the public functions, as a user's checker sees them."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def test_calls_of_a_user_pass_strict_mypy():
    pytest.importorskip("mypy", reason="mypy belongs to the lint extra")
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, str(ROOT / "tests/typing/user_code.py")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
