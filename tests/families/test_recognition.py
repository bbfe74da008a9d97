"""Refusals of recognition, hints that are asked for, and their messages."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.cnn import Cnn
from helpers.families.gpt2 import Gpt2
from helpers.families.resnet import ResNet
from helpers.families.vgg import Vgg


class Skipping(nn.Module):
    """A chain by its shapes, and none by its function."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1)) for _ in range(2))
        self.fc = nn.Linear(4, 2)


def test_a_tree_of_blocks_is_not_taken_for_a_chain() -> None:
    with pytest.raises(rf.SpecError, match="no ready spec fits these 8 parameters"):
        rf.specs.for_params(Skipping().state_dict())


def test_unknown_parameters_are_described() -> None:
    params = {"alpha": np.ones((2, 3)), "beta": np.ones((4, 1, 3, 3))}
    with pytest.raises(rf.SpecError) as caught:
        rf.specs.for_params(params)
    message = str(caught.value)
    assert (
        "2 parameters (1 matrices, 1 convolutions; the first are alpha (2, 3), beta (4, 1, 3, 3))" in message
    )
    assert "Known families: " in message
    assert "spec.verify" in message
    with pytest.raises(rf.SpecError, match="0 parameters"):
        rf.specs.for_params({})


def test_a_family_with_something_more_is_named() -> None:
    params = ResNet([1, 1]).state_dict()
    params["layer1.0.se.weight"] = torch.ones(2, 2)
    with pytest.raises(
        rf.SpecError, match=r"resembles a resnet, but parameter 'layer1.0.se.weight' is not in"
    ):
        rf.specs.for_params(params)


def test_mixed_prefixes_are_left_alone() -> None:
    params = {
        ("module." if i else "") + name: array for i, (name, array) in enumerate(Cnn().state_dict().items())
    }
    with pytest.raises(rf.SpecError):
        rf.specs.for_params(params)


def test_heads_that_do_not_divide_the_width() -> None:
    with pytest.raises(rf.SpecError, match="expected a positive multiple of"):
        rf.specs.for_params(Gpt2(1).state_dict(), heads=4)


def test_hints_that_a_family_does_not_need_are_ignored() -> None:
    params = Vgg(11, "cifar", nn.BatchNorm2d).state_dict()
    assert rf.specs.for_params(params, heads=7, norm_groups=3) == rf.specs.for_params(params)


def test_tied_and_untied_heads_are_told_apart() -> None:
    tied = rf.specs.for_params(Gpt2(1).state_dict(), heads=3)
    assert tied.unmatched == ("lm_head.weight",)
    arrays = {name: tensor.numpy() for name, tensor in Gpt2(1).state_dict().items()}
    assert rf.specs.for_params(arrays, heads=3) == tied
    copies = {name: array.copy() for name, array in arrays.items()}
    assert rf.specs.for_params(copies, heads=3).unmatched == ()


@pytest.mark.parametrize(
    "shapes",
    [
        {"encoder.weight": (3, 3, 3)},
        {"0.weight": (4, 3), "1.weight": (2, 5)},
        {"conv1.weight": (4, 3, 3, 3), "layer1.0.conv1.weight": (4, 4, 3, 3)},
    ],
)
def test_unknown_networks_are_refused(shapes) -> None:
    first, shape = next(iter(shapes.items()))
    message = rf"no ready spec.*{len(shapes)} parameters .*{re.escape(f'{first} {shape}')}"
    with pytest.raises(rf.SpecError, match=message):
        rf.specs.for_params({name: np.ones(shape) for name, shape in shapes.items()})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rf.specs.vgg16("tiny"), "form is 'cifar' or 'imagenet'; got 'tiny'"),
        (lambda: rf.specs.vgg(["a"], ["b", "c"], ["d"]), "norms has 2 names and convolutions 1"),
        (lambda: rf.specs.mlp("fc1"), "got 'fc1'"),
        (lambda: rf.specs.mlp([]), "at least 1 different names; got 0"),
        (lambda: rf.specs.cifar_resnet(21), "6 n . 2"),
        (lambda: rf.specs.cifar_resnet(20, shortcut="C"), "shortcut is 'A' or 'B'; got 'C'"),
        (lambda: rf.specs.resnet([1], shortcuts=[2], norm="layer", norm_groups=2), "cuts across"),
        (lambda: rf.specs.resnet([1], shortcuts=[None], norm_groups=2), "norm_groups is 1"),
        (lambda: rf.specs.resnet([1], shortcuts=[None], norm="instance"), "norm is 'batch' or 'layer'"),
        (lambda: rf.specs.cnn(["a", "b"], ["c"], norms=["n"]), "give one for each of them"),
        (lambda: rf.specs.recurrent("qrnn"), "kind is .*'lstm'.*; got 'qrnn'"),
        (lambda: rf.specs.vit(layout="keras"), "layout is 'torchvision' or .*; got 'keras'"),
    ],
)
def test_arguments_out_of_range(make, message) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()
