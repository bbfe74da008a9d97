"""The permutations found in published architectures are those that they have, and preserve their functions."""

from __future__ import annotations

import pytest

import rebasin_fast as rf
from helpers.models.installed import require_models

require_models()

from helpers.models import diffusion, language, vision  # noqa: E402
from helpers.models.found import difference, found_in  # noqa: E402
from helpers.models.registry import Model  # noqa: E402

pytestmark = pytest.mark.models
MODELS = [*vision.MODELS, *language.MODELS, *diffusion.MODELS]


@pytest.mark.parametrize("model", [model for model in MODELS if model.small], ids=lambda model: model.name)
def test_permutations_are_those_of_the_architecture(model: Model) -> None:
    network, inputs = model.build()
    spec = rf.trace_spec(network, inputs)
    assert difference(model.expected, found_in(spec, network)) == ""


def test_names_tell_models_apart() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS)
