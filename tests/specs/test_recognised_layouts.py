"""Chains of every kind of layer, in the layouts of torch, Flax and Keras."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import rebasin_fast as rf
from rebasin_fast.axis import Fixed, Product

NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], dict[str, object]]] = {
    "1-D convolutions alone": (
        lambda: nn.Sequential(nn.Conv1d(2, 5, 3), nn.ReLU(), nn.Conv1d(5, 6, 3), nn.ReLU(), nn.Conv1d(6, 3, 1)),
        (2, 2, 12), {},
    ),
    "3-D convolutions and a flatten": (
        lambda: nn.Sequential(nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.Conv3d(4, 5, 3), nn.BatchNorm3d(5),
                              nn.Flatten(), nn.Linear(5 * 8, 7), nn.ReLU(), nn.Linear(7, 2)),
        (2, 1, 6, 6, 6), {},
    ),
    "LayerNorm in an MLP": (
        lambda: nn.Sequential(nn.Linear(4, 9), nn.LayerNorm(9), nn.ReLU(), nn.Linear(9, 7), nn.LayerNorm(7), nn.ReLU(),
                              nn.Linear(7, 3)),
        (3, 4), {"norm_groups": 1},
    ),
    "BatchNorm in an MLP": (
        lambda: nn.Sequential(nn.Linear(4, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 7), nn.BatchNorm1d(7),
                              nn.ReLU(), nn.Linear(7, 3)),
        (3, 4), {},
    ),
    "a transposed generator": (
        lambda: nn.Sequential(nn.Linear(5, 8 * 4), nn.ReLU(), nn.Unflatten(1, (8, 2, 2)),
                              nn.ConvTranspose2d(8, 6, 3), nn.ReLU(), nn.ConvTranspose2d(6, 3, 3)),
        (2, 5), {},
    ),
    "an encoder and a decoder of convolutions": (
        lambda: nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 7, 3), nn.ReLU(),
                              nn.ConvTranspose2d(7, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 2, 3)),
        (2, 3, 8, 8), {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_chains_of_torch_are_recognised_and_right(name: str) -> None:
    make, shape, hints = NETWORKS[name]
    model = make()
    for params in (model.state_dict(), dict(sorted(model.state_dict().items()))):
        spec = rf.specs.for_params(params, **hints)
        assert len(spec.permutations) == sum(len(w.shape) > 1 for w in params.values()) - 1
        spec.verify(model, torch.randn(shape))


def test_named_layer_norms_need_no_hint() -> None:
    params = {"fc1.weight": np.ones((9, 4)), "fc1.bias": np.ones(9), "ln1.weight": np.ones(9), "ln1.bias": np.ones(9),
              "fc2.weight": np.ones((3, 9)), "fc2.bias": np.ones(3)}  # fmt: skip
    assert rf.specs.for_params(params).axes_to_perm["ln1.bias"] == ("P0",)
    with pytest.raises(rf.SpecError, match="norm_groups=1"):
        rf.specs.for_params({name.replace("ln1", "norm"): array for name, array in params.items()})


def channels_last(params: dict[str, torch.Tensor], x: torch.Tensor, suffix: str, last: int) -> torch.Tensor:
    """Flax's and Keras's program: kernels (taps, in, out), a flatten position by position."""
    names = [name.rpartition("/")[0] for name in params if name.endswith(f"kernel{suffix}")]
    h = x.permute(0, 3, 1, 2)
    for number, name in enumerate(names):
        kernel, bias = params[f"{name}/kernel{suffix}"], params[f"{name}/bias{suffix}"]
        if kernel.ndim == 4:
            h = F.conv2d(h, kernel.permute(3, 2, 0, 1), bias)
        else:
            h = h.permute(0, 2, 3, 1).flatten(1) if h.ndim == 4 else h
            h = h @ kernel + bias
        h = h if number == last else h.tanh()
    return h


@pytest.mark.parametrize(
    ("names", "suffix"),
    [
        (["Conv_0", "Conv_1", "Dense_0", "Dense_1"], ""),
        (["params/Conv_0", "params/Conv_1", "params/Dense_0", "params/Dense_1"], ""),
        (["conv2d/conv2d", "conv2d_1/conv2d_1", "dense/dense", "dense_1/dense_1"], ":0"),
    ],
)
def test_kernels_of_flax_and_keras(names: list[str], suffix: str) -> None:
    shapes = [(3, 3, 3, 5), (3, 3, 5, 6), (6 * 4, 7), (7, 4)]
    rng = np.random.default_rng(0)
    params = {}
    for name, shape in zip(names, shapes, strict=True):
        params[f"{name}/kernel{suffix}"] = torch.as_tensor(rng.standard_normal(shape))
        params[f"{name}/bias{suffix}"] = torch.as_tensor(rng.standard_normal(shape[-1]))
    spec = rf.specs.for_params(params)
    assert spec.axes_to_perm[f"{names[2]}/kernel{suffix}"][0] == Product(Fixed(4), "conv1")
    drawn = {name: rng.permutation(n) for name, n in spec.sizes(params).items()}
    x = torch.as_tensor(rng.standard_normal((2, 6, 6, 3)))
    moved = rf.apply_permutation(spec, drawn, params)
    torch.testing.assert_close(channels_last(moved, x, suffix, 3), channels_last(params, x, suffix, 3))


def test_square_convolutions_without_plain_names_may_be_transposed() -> None:
    params = {f"{name}.weight": np.ones(shape) for name, shape in
              {"fold": (4, 4, 3, 3), "sheet": (4, 4, 3, 3)}.items()}  # fmt: skip
    with pytest.raises(rf.SpecError, match="more than one way"):
        rf.specs.for_params(params)


def test_a_nested_tree_is_to_be_flattened() -> None:
    layers = {
        f"Dense_{i}": {"kernel": np.ones(shape), "bias": np.ones(shape[1])}
        for i, shape in enumerate([(4, 9), (9, 2)])
    }
    for tree in (layers, {"params": layers}, {"params": layers, "batch_stats": {}}):
        with pytest.raises(TypeError, match=r"flatten_dict\(params, sep='/'\)"):
            rf.specs.for_params(tree)
    with pytest.raises(TypeError, match=r"pass params\['state_dict'\]"):
        rf.specs.for_params({"state_dict": {"fc1.weight": np.ones((2, 2))}, "epoch": 3})
    with pytest.raises(TypeError, match="'epoch' is no array but a int"):
        rf.specs.for_params({"fc1.weight": np.ones((2, 2)), "epoch": 3})
    flat = {f"{layer}/{name}": array for layer, arrays in layers.items() for name, array in arrays.items()}
    assert len(rf.specs.for_params(flat).permutations) == 1


def test_a_container_runs_as_a_whole() -> None:
    """TFeat: the shapes alone allow the linear layer between the convolutions, behind an unflatten."""
    shapes = {"features.1": (32, 1, 7, 7), "features.4": (64, 32, 6, 6), "descr.0": (128, 4096)}
    params = {f"{name}.weight": np.ones(shape, np.float32) for name, shape in shapes.items()}
    params |= {f"{name}.bias": np.ones(shape[0], np.float32) for name, shape in shapes.items()}
    spec = rf.specs.for_params(params)
    assert spec.sizes(params) == {"conv0": 32, "conv1": 64}
