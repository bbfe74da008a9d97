"""Derivatives of torch's operations along a line, against differences: some nested ones are wrong without a word."""

import numpy as np
import pytest

from rebasin_fast._models.plain_arithmetic import plain_arithmetic
from rebasin_fast.analysis._line import _with_derivative, differentiable

torch = pytest.importorskip("torch")
F, STEP = torch.nn.functional, 4e-3
ACTIVATIONS = ("gelu", "silu", "mish", "elu", "hardswish", "hardsigmoid", "softplus", "tanh", "sigmoid")
# Seven-point differences: the value and the first three derivatives.
DIFFERENCES = np.array([
    [0, 0, 0, 1, 0, 0, 0],
    np.array([-1, 9, -45, 0, 45, -9, 1]) / 60,
    np.array([2, -27, 270, -490, 270, -27, 2]) / 180,
    np.array([1, -8, 13, 0, -13, 8, -1]) / 8,
])  # fmt: skip


def operations():
    """Functions of an image batch (3, 4, 5, 5) and of two vectors of 4."""
    kernel = torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(5)).double()
    labels = torch.tensor([0, 3, 1])

    def last(x):
        return x.permute(0, 2, 3, 1)

    def rows(x):
        return x.mean((2, 3))

    def activation(name):
        # Few values, so that none passes a kink within the differences.
        return lambda x, w, b: getattr(F, name)(rows(x) * w)

    return {
        "convolution": lambda x, w, b: F.conv2d(x, kernel * w[:, None, None, None], b),
        "linear": lambda x, w, b: F.linear(rows(x), kernel[:, :, 0, 0] * w, b),
        "batch_norm of running statistics": lambda x, w, b: F.batch_norm(x, b, w, w, b),
        "batch_norm of the batch": lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        "torch.batch_norm": lambda x, w, b: torch.batch_norm(x, w, b, b, w, False, 0.1, 1e-5, False),
        "layer_norm": lambda x, w, b: F.layer_norm(last(x), (4,), w, b),
        "layer_norm of two axes": lambda x, w, b: F.layer_norm(x, (5, 5)),
        "torch.layer_norm": lambda x, w, b: torch.layer_norm(last(x), (4,), w, b),
        "group_norm": lambda x, w, b: F.group_norm(x, 2, w, b),
        "instance_norm": lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
        "rms_norm": lambda x, w, b: F.rms_norm(last(x), (4,), w),
        "max_pool": lambda x, w, b: F.max_pool2d(x.exp(), 2),
        "avg_pool": lambda x, w, b: F.adaptive_avg_pool2d(x.exp(), 2),
        "softmax": lambda x, w, b: F.softmax(x * w[:, None, None], 1),
        "cross_entropy": lambda x, w, b: F.cross_entropy(rows(x) * w, labels, label_smoothing=0.1),
        "attention": lambda x, w, b: F.scaled_dot_product_attention(last(x) * w, last(x), last(x) + b),
        "relu in place": lambda x, w, b: F.relu(rows(x) * w, inplace=True) ** 2,
        **{name: activation(name) for name in ACTIVATIONS},
        "glu": lambda x, w, b: F.glu(x * w[:, None, None], 1),
    }


@pytest.mark.parametrize("name", list(operations()))
def test_three_derivatives(name):
    operation, generator = operations()[name], torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator).double() for shape in ((3, 4, 5, 5), (4,), (4,))]
    towards = [torch.randn(value.shape, generator=generator).double() * 0.3 for value in start]
    start[1] = start[1].abs() + 0.5
    weights = torch.randn(400, generator=generator).double()

    def along(t):
        result = operation(
            *(value + t * change for value, change in zip(start, towards, strict=True))
        ).flatten()
        return (((result * weights[: result.numel()]).sum() / 8).sin(),)

    function = along
    for _ in range(3):
        function = _with_derivative(function)
    with differentiable(torch.nn.Identity(), "running"):
        found = [float(value) for value in function(torch.zeros(()).double())]
    around = np.array([float(along(torch.tensor(k * STEP).double())[0]) for k in range(-3, 4)])
    expected = DIFFERENCES @ around / STEP ** np.arange(4)
    for value, reference, tolerance in zip(found, expected, (1e-10, 1e-6, 1e-5, 2e-3), strict=True):
        assert value == pytest.approx(reference, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("statistics", ["running", "batch"])
def test_replaced_operations_give_the_same_values(statistics):
    x, w = torch.randn(6, 4, 3).double(), torch.rand(4).double() + 0.5
    training = statistics == "batch"
    cases = [
        lambda: F.batch_norm(x, w.clone(), w.clone(), w, w, training=training),
        lambda: F.layer_norm(x.transpose(1, 2), (4,), w),
        lambda: F.instance_norm(x, w.clone(), w.clone(), w, use_input_stats=training),
        lambda: F.silu(x.clone(), inplace=True),
        lambda: F.mish(x),
        lambda: F.glu(x, dim=1),
        lambda: F.hardsigmoid(6 * x),
    ]
    for case in cases:
        with plain_arithmetic(statistics):
            found = case()
        torch.testing.assert_close(found, case())
