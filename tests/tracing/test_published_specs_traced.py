"""The specs that git-re-basin published come out of its models."""

from __future__ import annotations

import pytest
import torch

import rebasin_fast as rf
from helpers.equivalence import equivalent
from helpers.published_models import Cnn, Mlp, ResNet20, ResNet50, Vgg16
from rebasin_fast.compat import published_specs as published

IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
ROWS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
MODELS = [
    ("mlp", Mlp, published.mlp_permutation_spec(3), ROWS, 3),
    ("cnn", Cnn, published.cnn_permutation_spec(), IMAGES, 3),
    ("vgg16", Vgg16, published.vgg16_permutation_spec(), IMAGES, 15),
    ("resnet20", ResNet20, published.resnet20_permutation_spec(), IMAGES, 12),
    ("resnet50", ResNet50, published.resnet50_permutation_spec(), IMAGES, 37),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "axes", "inputs", "count"), [row[1:] for row in MODELS], ids=[row[0] for row in MODELS]
)
def test_the_published_spec_is_found(model, axes, inputs, count) -> None:
    network = model() if model is Cnn else model(axes.axes_to_perm)
    traced = rf.trace_spec(network, inputs)
    assert len(traced.permutations) == count
    assert equivalent(traced, rf.PermutationSpec(axes.axes_to_perm), network.state_dict())
