import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import rebasin_fast as rf  # noqa: E402
from helpers.networks import KNOWN, mlp  # noqa: E402
from rebasin_fast.analysis import InputAlignment, input_alignment  # noqa: E402


def slow_alignment(weight, inputs):
    """Mean |v . x| and |v . x| / |x| of every right singular vector, one row of ``inputs`` after the other."""
    right = np.linalg.svd(np.float64(weight).reshape(len(weight), -1), full_matrices=False)[2]
    products, cosines, directed = np.zeros(len(right)), np.zeros(len(right)), 0
    for x in np.float64(inputs):
        for i, v in enumerate(right):
            products[i] += abs(v @ x)
            cosines[i] += abs(v @ x) / np.linalg.norm(x) if x.any() else 0.0
        directed += x.any()
    return products / len(inputs), cosines / directed


def test_inputs_along_one_singular_vector():
    model = nn.Linear(3, 3)
    params = {"weight": np.diag([1.0, 5.0, 3.0]), "bias": np.zeros(3)}
    batches = [torch.tensor([[0.0, 2.0, 0.0], [0.0, -4.0, 0.0]]), torch.zeros(2, 3)]
    found = input_alignment(model, params, batches)
    np.testing.assert_allclose(found.values["weight"], [5.0, 3.0, 1.0])
    np.testing.assert_allclose(found.products["weight"], [1.5, 0.0, 0.0], atol=1e-7)
    np.testing.assert_allclose(found.cosines["weight"], [1.0, 0.0, 0.0], atol=1e-7)
    assert (found.samples.tolist(), found.widths.tolist()) == ([4], [3])


def test_hidden_layers_of_a_perceptron_against_a_slow_loop():
    torch.manual_seed(0)
    model = mlp([5, 7, 6, 3])
    params = {name: tensor.numpy() * 2 for name, tensor in model.state_dict().items()}
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    x = torch.randn(11, 5)
    found = input_alignment(model, params, [x[:4], (x[4:], None)])
    hidden = x.numpy()
    for number, layer in enumerate(found.layers):
        products, cosines = slow_alignment(params[layer], hidden)
        np.testing.assert_allclose(found.products[layer], products, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.cosines[layer], cosines, rtol=1e-4, atol=1e-6)
        hidden = np.maximum(hidden @ params[layer].T + params[f"{2 * number}.bias"], 0)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert model.training


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "mode"), [(1, 1, 1, "zeros"), (2, 0, 1, "zeros"), (1, 2, 2, "reflect")]
)
def test_patches_of_a_convolution_against_unfold(stride, padding, dilation, mode):
    torch.manual_seed(0)
    model = nn.Conv2d(2, 4, 3, stride, padding, dilation, padding_mode=mode, bias=False)
    x = torch.randn(3, 2, 6, 7)
    padded = nn.functional.pad(x, (padding,) * 4, mode="constant" if mode == "zeros" else mode)
    patches = nn.functional.unfold(padded, 3, dilation, 0, stride).movedim(1, 2).reshape(-1, 18)
    found = input_alignment(model, model.state_dict(), [x])
    products, cosines = slow_alignment(model.weight.detach().numpy(), patches.numpy())
    np.testing.assert_allclose(found.products["weight"], products, rtol=1e-4)
    np.testing.assert_allclose(found.cosines["weight"], cosines, rtol=1e-4)
    assert (found.samples.tolist(), found.widths.tolist()) == ([len(patches)], [18])


def test_vectors_of_another_network():
    torch.manual_seed(0)
    model, other = mlp([4, 6, 3]), mlp([4, 6, 3])
    x = torch.randn(9, 4)
    average = rf.interpolate(model.state_dict(), other.state_dict(), 0.5)
    found = input_alignment(
        model, average, lambda: iter([x]), vectors=other.state_dict(), layers=["2.weight"]
    )
    hidden = np.maximum(x.numpy() @ average["0.weight"].numpy().T + average["0.bias"].numpy(), 0)
    products, _ = slow_alignment(other.state_dict()["2.weight"].numpy(), hidden)
    assert found.layers == ["2.weight"]
    np.testing.assert_allclose(found.products["2.weight"], products, rtol=1e-4)


def test_a_permuted_network_has_the_same_inner_products():
    known = KNOWN["resnet20-padded"]
    model, spec, params = known.build(), known.spec(), known.arrays()
    order = rf.permutation.random_permutation(spec, spec.sizes(params), np.random.default_rng(0))
    first, second = (
        input_alignment(model, each, [known.inputs()])
        for each in (params, rf.apply_permutation(spec, order, params))
    )
    for layer in first.layers:
        np.testing.assert_allclose(first.cosines[layer], second.cosines[layer], rtol=0.02, atol=2e-3)


def test_random_directions_have_the_cosine_of_chance():
    torch.manual_seed(0)
    model = nn.Linear(40, 40)
    found = input_alignment(model, model.state_dict(), [torch.randn(20_000, 40)])
    np.testing.assert_allclose(found.cosines["weight"], found.chance[0], rtol=0.05)
    assert found.chance[0] == pytest.approx((2 / (np.pi * 40)) ** 0.5, rel=0.01)


def test_mistakes():
    model = mlp([2, 3, 1])
    params = model.state_dict()
    with pytest.raises(rf.DataError, match="batches is empty"):
        input_alignment(model, params, [])
    with pytest.raises(rf.ParamsError, match=r"layers names '1\.weight'"):
        input_alignment(model, params, [torch.ones(1, 2)], layers=["1.weight"])
    with pytest.raises(rf.ParamsError, match="parameters of vectors"):
        input_alignment(model, params, [torch.ones(1, 2)], vectors={})
    depthwise = nn.Conv2d(2, 2, 3, groups=2)
    with pytest.raises(rf.DataError, match="no Linear and no Conv2d"):
        input_alignment(depthwise, depthwise.state_dict(), [torch.ones(1, 2, 4, 4)])
    with pytest.raises(RuntimeError):
        input_alignment(model, params, [torch.ones(1, 5)])
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_saved_and_drawn(tmp_path):
    model = mlp([2, 3, 1])
    seen = []
    found = input_alignment(
        model, model.state_dict(), [torch.ones(4, 2)] * 2, progress=lambda *event: seen.append(event)
    )
    assert seen == [(1, 2), (2, 2)]
    found.save(tmp_path / "found.npz")
    again = InputAlignment.load(tmp_path / "found.npz")
    np.testing.assert_array_equal(again.cosines["2.weight"], found.cosines["2.weight"])
    pytest.importorskip("matplotlib")
    np.testing.assert_array_equal(
        again.plot(layer="0.weight").lines[0].get_ydata(), found.cosines["0.weight"]
    )
    with pytest.raises(KeyError, match="there is no layer 'x'"):
        again.plot(layer="x")
    pytest.importorskip("pandas")
    table = again.to_pandas()
    assert list(table.columns) == ["layer", "index", "value", "product", "cosine"]
    assert len(table) == 3
