"""Ready specs on the networks that they describe: recognised, verified, counted."""

import math

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.networks import mlp
from rebasin_fast.axis import Concat, Slice, blocks


class Shape:
    """All that counting asks of a parameter."""

    def __init__(self, *shape):
        self.shape = shape


def test_option_a_shares_the_stream_of_the_stage_before():
    spec = rf.specs.cifar_resnet(20)
    stage2 = Concat(Slice("stage2", 0, 8), "stem", Slice("stage2", 8, 16))
    stage3 = Concat(Slice("stage3", 0, 16), stage2, Slice("stage3", 16, 32))
    assert spec.axes_to_perm["layer2.0.conv2.weight"] == (stage2, "layer2.0.1", None, None)
    assert spec.axes_to_perm["linear.weight"] == (None, stage3)
    assert len(spec.permutations) == 12
    assert len(rf.specs.cifar_resnet(56).permutations) == 30


def test_flax_names_of_git_re_basin():
    spec = rf.specs.mlp(3)
    assert spec.axes_to_perm == {
        "Dense_0/kernel": (None, "P0"),
        "Dense_0/bias": ("P0",),
        "Dense_1/kernel": ("P0", "P1"),
        "Dense_1/bias": ("P1",),
        "Dense_2/kernel": ("P1", "P2"),
        "Dense_2/bias": ("P2",),
        "Dense_3/kernel": ("P2", None),
        "Dense_3/bias": (None,),
    }
    shapes = {name: np.zeros([4] * len(entries)) for name, entries in spec.axes_to_perm.items()}
    assert rf.specs.for_params(shapes) == spec
    assert rf.specs.for_params({f"params/{name}": w for name, w in shapes.items()}) == spec.with_prefix(
        "params/"
    )


def test_ten_layers_come_in_the_order_of_their_numbers():
    params = mlp([4] * 12).state_dict()
    backwards = dict(reversed(params.items()))
    assert rf.specs.for_params(backwards).perm_to_axes["P0"][0] == ("0.weight", 0)
    assert rf.specs.for_params(backwards) == rf.specs.for_params(params)


def resnet50_shapes():
    model = {"conv1.weight": Shape(64, 3, 7, 7)}
    axes = rf.specs.resnet50().axes_to_perm
    widths = {"stem": 64, None: 1} | {f"stage{s}": 128 << s for s in range(1, 5)}
    for stage in range(1, 5):
        widths |= {f"layer{stage}.{b}.{i}": 32 << stage for b in range(6) for i in (1, 2)}
    return {name: Shape(*(widths[entry] for entry in entries)) for name, entries in axes.items()} | model


def vgg16_shapes():
    spec = rf.specs.vgg16("cifar")
    channels = [64, 64, 128, 128, 256, 256, 256, *[512] * 6]
    widths = {f"conv{i}": n for i, n in enumerate(channels)} | {"fc0": 4096, "fc1": 4096, None: 10}
    return spec, {name: Shape(*map(widths.get, entries)) for name, entries in spec.axes_to_perm.items()}


def test_published_architectures_have_as_many_symmetries_as_known():
    """The exact counts; Git Re-Basin prints sums of rounded-down layers: 3498, 35160, 55109."""
    widths = [784, 512, 512, 512, 10]
    layers = {f"Dense_{i}/kernel": Shape(widths[i], widths[i + 1]) for i in range(4)}
    layers |= {f"Dense_{i}/bias": Shape(widths[i + 1]) for i in range(4)}
    assert rf.specs.mlp(3).log10_symmetries(layers) == pytest.approx(3499.62, abs=0.005)
    assert rf.specs.mlp(3).log10_symmetries(layers) == pytest.approx(
        3 * math.log10(math.factorial(512)), rel=1e-12
    )

    resnet = rf.specs.resnet50()
    assert len(resnet.permutations) == 37
    assert resnet.log10_symmetries(resnet50_shapes()) == pytest.approx(25638.29, abs=0.005)
    sizes = sorted(resnet.sizes(resnet50_shapes()).values())
    assert sizes == sorted([64, 256, 512, 1024, 2048, *[64] * 6, *[128] * 8, *[256] * 12, *[512] * 6])


def test_vgg_symmetries():
    spec, shapes = vgg16_shapes()
    assert len(spec.permutations) == 15
    assert spec.log10_symmetries(shapes) == pytest.approx(35168.55, abs=0.005)


def test_vgg_of_imagenet_owns_49_positions_a_channel():
    entry = rf.specs.vgg16("imagenet").axes_to_perm["classifier.0.weight"][1]
    assert entry == blocks("conv12", 49)
