"""The permutations found in image models are those that their architectures have, and preserve their functions."""

from __future__ import annotations

import pytest

import rebasin_fast as rf
from helpers.models.found import difference, found_in
from helpers.models.registry import Model

vision = pytest.importorskip("helpers.models.vision", reason="torch, torchvision or timm is not installed")

SMALL = [model for model in vision.MODELS if model.small]


@pytest.mark.parametrize("model", SMALL, ids=lambda model: model.name)
def test_permutations_are_those_of_the_architecture(model: Model) -> None:
    network, inputs = model.build()
    spec = rf.trace_spec(network, inputs)
    assert difference(model.expected, found_in(spec, network)) == ""


def test_names_tell_models_apart() -> None:
    assert len({model.name for model in vision.MODELS}) == len(vision.MODELS)
