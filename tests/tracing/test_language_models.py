"""The permutations found in transformers and diffusion models are those that their architectures have."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import rebasin_fast as rf

for _package in ("torch", "torchvision", "transformers", "diffusers"):
    if find_spec(_package) is None:
        pytest.skip(f"{_package} is not installed", allow_module_level=True)

from helpers.models import diffusion, language  # noqa: E402
from helpers.models.found import difference, found_in  # noqa: E402
from helpers.models.registry import Model  # noqa: E402

MODELS = [*language.MODELS, *diffusion.MODELS]


@pytest.mark.parametrize("model", [model for model in MODELS if model.small], ids=lambda model: model.name)
def test_permutations_are_those_of_the_architecture(model: Model) -> None:
    network, inputs = model.build()
    spec = rf.trace_spec(network, inputs)
    assert difference(model.expected, found_in(spec, network)) == ""


def test_names_tell_models_apart() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS)
