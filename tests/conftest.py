"""Settings of every run: one hypothesis profile, one thread of BLAS and torch, a SIGINT that works."""

import importlib.util
import os
import re
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before NumPy and torch are loaded. The arrays are small, and pytest-xdist may run a process on every core.
os.environ.setdefault("OMP_NUM_THREADS", "1")
pytest.register_assert_rewrite("helpers", "reference")

settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.register_profile("search", deadline=None, max_examples=2000, suppress_health_check=list(HealthCheck))
settings.load_profile("suite")

# A run in the background of a script inherits an ignored SIGINT, and its child processes would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_TORCH_IS_HERE = importlib.util.find_spec("torch") is not None
_NEEDS_TORCH = re.compile(
    r"^(import|from) (torch|helpers\.(networks|families|mutations|models))\b", re.MULTILINE
)
_NEEDS_MODELS = re.compile(r"^require_models\(\)", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Modules that cannot run, or are not wanted: their imports take seconds.

    Without torch those that import it at their beginning, themselves or through networks of torch; with
    ``-m "not models"`` those of published architectures.
    """
    if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    text = collection_path.read_text(encoding="utf-8")
    if not _TORCH_IS_HERE and _NEEDS_TORCH.search(text):
        return True
    return True if "not models" in config.getoption("markexpr") and _NEEDS_MODELS.search(text) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """At most four processes for ``-n auto``: each loads torch, and some tests use 1 GB."""
    return min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
