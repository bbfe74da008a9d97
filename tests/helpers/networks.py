"""The networks that the ready specs describe, written narrow, with the names that their checkpoints have."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

import rebasin_fast as rf


class Block(nn.Module):
    """Carries its input past its convolutions: as it is, projected, or subsampled and padded with zeros ("A")."""

    def add_shortcut(self, inputs, outputs, stride, kind):
        self.shortcut_kind = kind if stride > 1 or inputs != outputs else None
        self.stride, self.padding = stride, (outputs - inputs) // 2
        if self.shortcut_kind not in (None, "A"):
            layers = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            setattr(self, kind, layers)

    def carried(self, x):
        if self.shortcut_kind is None:
            return x
        if self.shortcut_kind == "A":
            every_other = x[:, :, :: self.stride, :: self.stride]
            return functional.pad(every_other, (0, 0, 0, 0, self.padding, self.padding))
        return getattr(self, self.shortcut_kind)(x)


class BasicBlock(Block):
    expansion = 1

    def __init__(self, inputs, planes, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.add_shortcut(inputs, planes, stride, shortcut)

    def forward(self, x):
        hidden = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(hidden)) + self.carried(x))


class Bottleneck(Block):
    expansion = 4

    def __init__(self, inputs, planes, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.add_shortcut(inputs, 4 * planes, stride, shortcut)

    def forward(self, x):
        hidden = functional.relu(self.bn1(self.conv1(x)))
        hidden = functional.relu(self.bn2(self.conv2(hidden)))
        return functional.relu(self.bn3(self.conv3(hidden)) + self.carried(x))


class ResNet(nn.Module):
    """Stages ``layer1`` …; ``shortcut`` is "downsample", "shortcut" or "A"."""

    def __init__(self, block, blocks, width, *, shortcut, head, classes=5):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        self.stages = [f"layer{stage}" for stage in range(1, len(blocks) + 1)]
        for stage, count in enumerate(blocks):
            planes, layers = width << stage, []
            for index in range(count):
                stride = 2 if stage and not index else 1
                layers.append(block(channels, planes, stride, shortcut))
                channels = planes * block.expansion
            setattr(self, self.stages[stage], nn.Sequential(*layers))
        setattr(self, head, nn.Linear(channels, classes))
        self.head = head

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return getattr(self, self.head)(x.mean((2, 3)))


def mlp(widths, *, bias=True):
    layers = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Vgg(nn.Module):
    """VGG-16 whose pooling halves the image only the last time, so that small images have many positions."""

    def __init__(self, form, *, batch_norm, widths=(4, 4, 6, 6, 6), hidden=6, classes=5):
        super().__init__()
        features, channels = [], 3
        for stage, (count, width) in enumerate(zip((2, 2, 3, 3, 3), widths, strict=True)):
            for _ in range(count):
                features.append(nn.Conv2d(channels, width, 3, padding=1))
                features += [nn.BatchNorm2d(width)] * batch_norm
                features.append(nn.ReLU())
                channels = width
            features.append(nn.MaxPool2d(2) if stage == 4 else nn.MaxPool2d(3, 1, 1))
        self.features = nn.Sequential(*features)
        side = 7 if form == "imagenet" else 1
        self.pool = nn.AdaptiveAvgPool2d(side)
        first, second, last = (
            nn.Linear(channels * side * side, hidden),
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, classes),
        )
        self.classifier = (
            nn.Sequential(first, nn.ReLU(), nn.Dropout(), second, nn.ReLU(), nn.Dropout(), last)
            if form == "imagenet"
            else nn.Sequential(nn.Dropout(), first, nn.ReLU(), nn.Dropout(), second, nn.ReLU(), last)
        )

    def forward(self, x):
        return self.classifier(self.pool(self.features(x)).flatten(1))


@dataclass(frozen=True)
class Known:
    """A network, its ready spec, and the shape of an input."""

    build: Callable[[], nn.Module]
    spec: Callable[[], rf.PermutationSpec]
    input_shape: tuple[int, ...]

    def inputs(self, batch=3):
        return torch.randn(batch, *self.input_shape, generator=torch.Generator().manual_seed(0))

    def arrays(self, seed=0):
        """A state dict of float32 NumPy arrays with random weights, buffers included."""
        torch.manual_seed(seed)
        return {
            name: torch.rand(tensor.shape).numpy() if tensor.ndim < 2 else tensor.detach().numpy().copy()
            for name, tensor in self.build().state_dict().items()
        }


def _cifar(depth, shortcut):
    return Known(
        lambda: ResNet(
            BasicBlock,
            [(depth - 2) // 6] * 3,
            4,
            shortcut="A" if shortcut == "A" else "shortcut",
            head="linear",
        ),
        lambda: rf.specs.cifar_resnet(depth, shortcut=shortcut, width=4),
        (3, 8, 8),
    )


KNOWN = {
    "mlp": Known(lambda: mlp([6, 8, 8, 7, 3]), lambda: rf.specs.mlp([f"{i}" for i in range(0, 8, 2)]), (6,)),
    "mlp-without-biases": Known(
        lambda: mlp([6, 8, 8, 3], bias=False), lambda: rf.specs.mlp(["0", "2", "4"], bias=False), (6,)
    ),
    "resnet8-padded": _cifar(8, "A"),
    "resnet20-padded": _cifar(20, "A"),
    "resnet32-padded": _cifar(32, "A"),
    "resnet20-projected": _cifar(20, "B"),
    "resnet32-projected": _cifar(32, "B"),
    "resnet18": Known(
        lambda: ResNet(BasicBlock, [2, 2, 2, 2], 4, shortcut="downsample", head="fc"),
        rf.specs.resnet18,
        (3, 8, 8),
    ),
    "resnet50": Known(
        lambda: ResNet(Bottleneck, [3, 4, 6, 3], 2, shortcut="downsample", head="fc"),
        rf.specs.resnet50,
        (3, 8, 8),
    ),
} | {
    f"vgg16-{form}{'-norm' * norm}": Known(
        lambda form=form, norm=norm: Vgg(form, batch_norm=norm),
        lambda form=form, norm=norm: rf.specs.vgg16(form, batch_norm=norm),
        (3, 14, 14),
    )
    for form in ("cifar", "imagenet")
    for norm in (False, True)
}
