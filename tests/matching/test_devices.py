"""Models and tensors on another device: every method keeps to it, shown on a device that only pretends to be one."""

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.networks import KNOWN
from helpers.pretended_device import DEVICE, PretendedDevice, pretended
from rebasin_fast.matching.sinkhorn_operator import soft_permutations

cross_entropy = nn.functional.cross_entropy


def on_device(params):
    return {name: pretended(torch.tensor(array)) for name, array in params.items()}


def model_on_device(network, params):
    model = KNOWN[network].build().eval()
    model.load_state_dict({name: torch.tensor(array) for name, array in params.items()})
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                module._parameters[name] = nn.Parameter(pretended(parameter))
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = pretended(buffer)
    return model


def case(network):
    known = KNOWN[network]
    rng = torch.Generator().manual_seed(0)
    batches = [(torch.randn(32, *known.input_shape, generator=rng), torch.arange(32) % 3) for _ in range(2)]
    return known.spec(), known.arrays(0), known.arrays(1), batches


def assert_same(found, expected):
    for name, index in expected.permutation.items():
        assert isinstance(found.permutation[name], np.ndarray)
        np.testing.assert_array_equal(found.permutation[name], index)
    assert found.objective == pytest.approx(expected.objective, rel=1e-6)


def test_the_pretended_device_will_not_mix():
    with PretendedDevice():
        there = pretended(torch.ones(3))
        assert there.device == DEVICE
        assert (there + 1.0).sum().item() == 6.0
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)
        with pytest.raises((TypeError, RuntimeError, NotImplementedError)):
            there.numpy()
        assert (there.cpu() + torch.ones(3)).numpy().tolist() == [2.0] * 3


def test_the_sinkhorn_operator():
    for n in (5, 140, 300):
        scores = torch.randn(2, n, n, generator=torch.Generator().manual_seed(0))
        plain = scores.clone().requires_grad_()
        soft_permutations(plain, tau=0.5).square().sum().backward()
        with PretendedDevice():
            there = pretended(scores).requires_grad_()
            soft_permutations(there, tau=0.5).square().sum().backward()
            torch.testing.assert_close(there.grad.cpu(), plain.grad, rtol=1e-3, atol=1e-5)


# No residual network: a tensor that two layers read is known by its address, and pretended ones have none.
@pytest.mark.parametrize("network", ["mlp", "vgg16-cifar"])
def test_activation_matching_and_repair(network):
    spec, a, b, batches = case(network)
    model = KNOWN[network].build

    def loaded(params):
        filled = model().eval()
        filled.load_state_dict({name: torch.tensor(array) for name, array in params.items()})
        return filled

    expected = rf.activation_matching(spec, loaded(a), loaded(b), batches)
    middle = loaded(rf.interpolate(a, b, 0.5))
    layers = rf.repair(middle, loaded(a), loaded(b), [x for x, _ in batches])
    with PretendedDevice():
        there = model_on_device(network, a), model_on_device(network, b)
        assert_same(rf.activation_matching(spec, *there, batches), expected)
        own = model_on_device(network, rf.interpolate(a, b, 0.5))
        assert rf.repair(own, *there, [x for x, _ in batches]) == layers
        for name, tensor in own.state_dict().items():
            assert tensor.device == DEVICE
            torch.testing.assert_close(tensor.cpu(), middle.state_dict()[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("network", ["mlp", "resnet8-padded"])
@pytest.mark.slow
def test_trained_matching(network):
    spec, a, b, batches = case(network)
    model = KNOWN[network].build()
    options = {"epochs": 2, "evaluate_every": 1}
    straight = rf.straight_through_matching(spec, model, a, b, batches, cross_entropy, **options)
    soft = rf.sinkhorn_matching(spec, model, a, b, batches, cross_entropy, **options)
    distance = rf.sinkhorn_matching(spec, model, a, b, steps=5)
    with PretendedDevice():
        there, a, b = model_on_device(network, a), on_device(a), on_device(b)
        assert_same(
            rf.straight_through_matching(spec, there, a, b, batches, cross_entropy, **options), straight
        )
        assert_same(rf.sinkhorn_matching(spec, there, a, b, batches, cross_entropy, **options), soft)
        assert_same(rf.sinkhorn_matching(spec, there, a, b, steps=5), distance)
        assert_same(rf.sinkhorn_matching(spec, None, a, b, steps=5), distance)


@pytest.mark.parametrize("network", ["mlp", "resnet8-padded"])
def test_matching_of_arrays(network):
    spec, a, b, _ = case(network)
    relaxed = rf.frank_wolfe_matching(spec, a, b)
    many = rf.merge_many(spec, [a, b, a])
    with PretendedDevice():
        a, b = on_device(a), on_device(b)
        assert_same(rf.frank_wolfe_matching(spec, a, b), relaxed)
        found = rf.merge_many(spec, [a, b, a])
        assert found.history == pytest.approx(many.history, rel=1e-6)
        assert all(tensor.device == DEVICE for tensor in found.merged.values())
