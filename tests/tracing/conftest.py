"""The same random weights for every test."""

import pytest


@pytest.fixture(autouse=True)
def _seeded() -> None:
    pytest.importorskip("torch").manual_seed(0)
