"""Every matching method, and REPAIR, on a GPU: as on the CPU."""

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.networks import KNOWN

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device"),
]
cross_entropy = nn.functional.cross_entropy
NETWORKS = ("mlp", "resnet8-padded", "vgg16-cifar")


def there(params):
    return {name: torch.tensor(array, device="cuda") for name, array in params.items()}


def model_of(network, params, device):
    model = KNOWN[network].build().eval()
    model.load_state_dict({name: torch.tensor(array) for name, array in params.items()})
    return model.to(device)


def case(network):
    known = KNOWN[network]
    rng = torch.Generator().manual_seed(0)
    shape = known.input_shape
    batches = [(torch.randn(64, *shape, generator=rng), torch.arange(64) % 3) for _ in range(3)]
    spec, a = known.spec(), known.arrays(0)
    planted = {p: np.random.default_rng(1).permutation(n) for p, n in spec.sizes(a).items()}
    return spec, a, rf.apply_permutation(spec, planted, a), batches


def assert_aligned(spec, found, a, b):
    moved = rf.apply_permutation(spec, found.permutation, b)
    for name, array in a.items():
        np.testing.assert_array_equal(moved[name], array, err_msg=name)


@pytest.mark.parametrize("network", NETWORKS)
def test_methods_of_arrays(network):
    spec, a, b, _ = case(network)
    on_device = there(a), there(b)
    for found in (
        rf.frank_wolfe_matching(spec, *on_device),
        rf.sinkhorn_matching(spec, None, *on_device),
        rf.sinkhorn_matching(spec, model_of(network, a, "cuda"), *on_device),
    ):
        assert_aligned(spec, found, a, b)
    many = rf.merge_many(spec, on_device)
    assert all(tensor.device.type == "cuda" for tensor in many.merged.values())
    for name, array in a.items():
        np.testing.assert_allclose(many.merged[name].cpu().numpy(), array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
def test_methods_of_models(network):
    spec, a, b, batches = case(network)
    model = model_of(network, a, "cuda")
    straight = rf.straight_through_matching(spec, model, there(a), there(b), batches, cross_entropy)
    assert_aligned(spec, straight, a, b)
    found = rf.sinkhorn_matching(spec, model, there(a), there(b), batches, cross_entropy, epochs=3)
    assert found.loss <= found.first_loss
    sides = [[model_of(network, params, device) for params in (a, b)] for device in ("cpu", "cuda")]
    host, device = (rf.activation_matching(spec, *pair, batches) for pair in sides)
    assert device.objective == pytest.approx(host.objective, rel=1e-3)


@pytest.mark.parametrize("network", NETWORKS)
def test_repair(network):
    _, a, b, batches = case(network)
    middle = rf.interpolate(a, b, 0.5)
    repaired = {}
    for device in ("cpu", "cuda"):
        model = model_of(network, middle, device)
        rf.repair(model, model_of(network, a, device), model_of(network, b, device), [x for x, _ in batches])
        repaired[device] = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    for name, tensor in repaired["cpu"].items():
        torch.testing.assert_close(repaired["cuda"][name], tensor, rtol=1e-2, atol=1e-3)
