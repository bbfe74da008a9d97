"""REPAIR of transformers: every linear map but the head, between ends that all symmetries align."""

import pytest
import torch
from torch import nn

import rebasin_fast as rf


class Net(nn.Module):
    def __init__(self, tied):
        super().__init__()
        self.embed = nn.Embedding(13, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, norm_first=True, batch_first=True)
        self.up, self.down, self.norm1, self.norm2 = layer.linear1, layer.linear2, layer.norm1, layer.norm2
        self.head = nn.Linear(16, 13, bias=False)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, tokens):
        x = self.embed(tokens)
        x = x + self.down(nn.functional.gelu(self.up(self.norm1(x))))
        return self.head(self.norm2(x))


def three(tied):
    torch.manual_seed(0)
    a, b, middle = (Net(tied).double() for _ in range(3))
    middle.load_state_dict(rf.interpolate(a.state_dict(), b.state_dict(), 0.5))
    return a, b, middle


def statistics(model, tokens, layers=("up", "down")):
    found = {}
    handles = [
        getattr(model, name).register_forward_hook(
            lambda _m, _a, out, name=name: found.update({name: out.flatten(0, 1)})
        )
        for name in layers
    ]
    model(tokens)
    for handle in handles:
        handle.remove()
    return {name: (out.mean(0), out.std(0)) for name, out in found.items()}


@pytest.mark.parametrize("tied", [False, True])
def test_the_units_of_every_linear_map_get_the_interpolated_statistics(tied):
    a, b, middle = three(tied)
    tokens = torch.randint(13, (400, 5), generator=torch.Generator().manual_seed(1))
    before = middle.embed.weight.clone()
    assert rf.repair(middle, a, b, [tokens]) == ["up", "down"]
    of_a, of_b, found = (statistics(model, tokens) for model in (a, b, middle))
    for name, moments in found.items():
        for each, first, second in zip(moments, of_a[name], of_b[name], strict=True):
            assert torch.allclose(each, (first + second) / 2, atol=1e-6), name
    assert torch.equal(middle.embed.weight, before)


def test_a_model_between_itself_stays():
    a, _, middle = three(tied=False)
    middle.load_state_dict(a.state_dict())
    tokens = torch.randint(13, (400, 5), generator=torch.Generator().manual_seed(1))
    rf.repair(middle, a, a, [tokens])
    for name, weights in middle.state_dict().items():
        assert torch.allclose(weights, a.state_dict()[name], atol=1e-9), name


class Attention(nn.Module):
    """One block of attention without biases, its keys shared with the values, under a norm of either kind."""

    def __init__(self, norm):
        super().__init__()
        self.embed, self.norm1, self.norm2 = nn.Embedding(13, 16), norm(16), norm(16)
        self.query, self.value, self.out = (nn.Linear(16, 16, bias=False) for _ in range(3))
        self.key = nn.Linear(16, 16, bias=False)
        self.key.weight = self.value.weight
        self.up, self.head = nn.Linear(16, 24), nn.Linear(24, 13)

    def forward(self, tokens):
        x = self.embed(tokens)
        h = self.norm1(x)
        x = x + self.out(
            nn.functional.scaled_dot_product_attention(self.query(h), self.key(h), self.value(h))
        )
        return self.head(nn.functional.silu(self.up(self.norm2(x))))


@pytest.mark.parametrize("norm", [nn.RMSNorm, nn.LayerNorm])
def test_maps_without_a_bias_get_deviations_and_shared_ones_stay(norm):
    torch.manual_seed(0)
    a, b, middle = (Attention(norm).double() for _ in range(3))
    middle.load_state_dict(rf.interpolate(a.state_dict(), b.state_dict(), 0.5))
    before = {name: weights.clone() for name, weights in middle.state_dict().items()}
    tokens = torch.randint(13, (400, 5), generator=torch.Generator().manual_seed(1))
    repaired = rf.repair(middle, a, b, [tokens])
    assert repaired == ["query", "out", "up"]
    of_a, of_b, found = (statistics(model, tokens, repaired) for model in (a, b, middle))
    for name, (mean, deviation) in found.items():
        assert torch.allclose(deviation, (of_a[name][1] + of_b[name][1]) / 2, rtol=1e-6), name
        if getattr(middle, name).bias is not None:
            assert torch.allclose(mean, (of_a[name][0] + of_b[name][0]) / 2, atol=1e-6), name
    changed = {
        name for name, weights in middle.state_dict().items() if not torch.equal(weights, before[name])
    }
    assert changed == {"query.weight", "out.weight", "up.weight", "up.bias"}
    assert middle.key.weight is middle.value.weight
