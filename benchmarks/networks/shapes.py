"""Networks as names and shapes under their usual ``state_dict`` keys, filled with random numbers.

Matching is as slow on random weights as on trained ones, or slower, and needs no download.
"""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Shapes = dict[str, tuple[int, ...]]
Arrays = dict[str, npt.NDArray[np.generic]]

BATCHNORM_VECTORS = ("weight", "bias", "running_mean", "running_var")


def resnet50(width: int = 64) -> Shapes:
    """Return torchvision's ResNet-50; ``width`` channels inside the blocks of its first stage."""
    return _imagenet_resnet((3, 4, 6, 3), _bottleneck, expansion=4, width=width)


def resnet18(width: int = 64) -> Shapes:
    """Return torchvision's ResNet-18; ``width`` channels in its first stage."""
    return _imagenet_resnet((2, 2, 2, 2), _basic_block, expansion=1, width=width)


def resnet20(multiplier: int = 1, width: int = 16, blocks: int = 3) -> Shapes:
    """Return CIFAR-10's ResNet-20 with zero-padded shortcuts and ``width`` x ``multiplier`` channels.

    Other numbers of blocks a stage make it a ResNet of 6 x blocks + 2 layers.
    """
    width *= multiplier
    items = [*_convolution("conv1", width, 3, 3), *_batchnorm("bn1", width)]
    inputs = width
    for stage, outputs in enumerate((width, 2 * width, 4 * width), start=1):
        for block in range(blocks):
            items += _basic_block(f"layer{stage}.{block}", inputs, outputs)
            inputs = outputs
    return dict([*items, *_linear("linear", 10, inputs)])


def vgg16() -> Shapes:
    """Return torchvision's VGG-16: 224 x 224 images, two linear layers of 4096 units, no BatchNorm."""
    items: list[tuple[str, tuple[int, ...]]] = []
    inputs, position = 3, 0
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            items += [
                (f"features.{position}.weight", (width, inputs, 3, 3)),
                (f"features.{position}.bias", (width,)),
            ]
            inputs, position = width, position + 2  # the activation takes a position
        position += 1  # so does the pooling layer
    for position, (outputs, features) in zip(
        (0, 3, 6), ((4096, 512 * 7 * 7), (4096, 4096), (1000, 4096)), strict=True
    ):
        items += _linear(f"classifier.{position}", outputs, features)
    return dict(items)


def mlp(*widths: int) -> Shapes:
    """Return a torch ``Sequential`` of Linear layers at even positions: ``0.weight``, ``2.weight``, ..."""
    items: list[tuple[str, tuple[int, ...]]] = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        items += _linear(str(2 * index), outputs, inputs)
    return dict(items)


def random_params(shapes: Shapes, rng: np.random.Generator) -> Arrays:
    """Fill shapes as an initialised network is filled, with every vector away from zero; float32."""
    return {name: _random_array(name, shape, rng) for name, shape in shapes.items()}


def noisy(params: Arrays, deviations: float, rng: np.random.Generator) -> Arrays:
    """Add to each array noise of ``deviations`` times that array's own standard deviation."""
    result = dict(params)
    for name, value in params.items():
        if value.dtype == np.float32 and not name.endswith("running_var"):
            noise = rng.standard_normal(value.shape, dtype=np.float32)
            result[name] = value + np.float32(deviations * value.std()) * noise
    return result


def _random_array(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.generic]:
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, dtype=np.int64)
    normal = rng.standard_normal(shape, dtype=np.float32)
    if len(shape) > 1:
        return normal * np.float32(math.sqrt(2 / math.prod(shape[1:])))
    if name.endswith("running_var"):
        return 1 + np.float32(0.1) * np.abs(normal)
    is_scale = name.endswith("weight")
    return np.float32(is_scale) + np.float32(0.1) * normal


Items = Iterator[tuple[str, tuple[int, ...]]]


def _convolution(name: str, outputs: int, inputs: int, kernel: int) -> Items:
    yield f"{name}.weight", (outputs, inputs, kernel, kernel)


def _linear(name: str, outputs: int, inputs: int) -> Items:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _batchnorm(name: str, channels: int) -> Items:
    for vector in BATCHNORM_VECTORS:
        yield f"{name}.{vector}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def _basic_block(name: str, inputs: int, outputs: int) -> Items:
    for index, channels in ((1, inputs), (2, outputs)):
        yield from _convolution(f"{name}.conv{index}", outputs, channels, 3)
        yield from _batchnorm(f"{name}.bn{index}", outputs)


def _bottleneck(name: str, inputs: int, outputs: int) -> Items:
    inner = outputs // 4
    for index, (after, before, kernel) in enumerate(
        ((inner, inputs, 1), (inner, inner, 3), (outputs, inner, 1)), start=1
    ):
        yield from _convolution(f"{name}.conv{index}", after, before, kernel)
        yield from _batchnorm(f"{name}.bn{index}", after)


def _imagenet_resnet(
    depths: tuple[int, ...], block: Callable[[str, int, int], Items], expansion: int, width: int = 64
) -> Shapes:
    items = [*_convolution("conv1", width, 3, 7), *_batchnorm("bn1", width)]
    inputs = width
    for stage, depth in enumerate(depths):
        outputs = width * 2**stage * expansion
        for index in range(depth):
            name = f"layer{stage + 1}.{index}"
            items += block(name, inputs, outputs)
            if index == 0 and inputs != outputs:
                items += _convolution(f"{name}.downsample.0", outputs, inputs, 1)
                items += _batchnorm(f"{name}.downsample.1", outputs)
            inputs = outputs
    return dict([*items, *_linear("fc", 1000, inputs)])
