"""The permutations found in image models are those that their architectures have, and preserve their functions."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import rebasin_fast as rf

for _package in ("torch", "torchvision", "timm"):
    if find_spec(_package) is None:
        pytest.skip(f"{_package} is not installed", allow_module_level=True)

from models.found import difference, found_in
from models.registry import Model
from models.vision import MODELS

SMALL = [model for model in MODELS if model.small]


@pytest.mark.parametrize("model", SMALL, ids=lambda model: model.name)
def test_permutations_are_those_of_the_architecture(model: Model) -> None:
    network, inputs = model.build()
    spec = rf.trace_spec(network, inputs)
    assert difference(model.expected, found_in(spec, network)) == ""


def test_names_tell_models_apart() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS)
