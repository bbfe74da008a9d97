"""Git Re-Basin's networks for CIFAR: ResNet-20 and VGG-16 of any width, LayerNorm over the channels of each pixel."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

VGG16_STAGES = (
    (1, 1),
    (2, 2),
    (4, 4, 4),
    (8, 8, 8),
    (8, 8, 8),
)  # in units of the width; the published has 64


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of each pixel of (count, channels, height, width)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; the image stays in the memory format that it has."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = ChannelNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = ChannelNorm(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), ChannelNorm(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (count, inputs, h, w) to (count, outputs, h / stride, w / stride)."""
        out = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(out)) + self.shortcut(x))


def resnet20(width: int = 16, classes: int = 10) -> nn.Sequential:
    """3x3 convolution, three stages of three blocks, average pool, linear layer; ``width`` channels at first."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 1, 1, bias=False), ChannelNorm(width), nn.ReLU()]
    channels = width
    for multiple in (1, 2, 4):
        for number in range(3):
            outputs = multiple * width
            layers.append(Block(channels, outputs, 2 if number == 0 and multiple > 1 else 1))
            channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def vgg16(width: int = 64, classes: int = 10) -> nn.Sequential:
    """Thirteen 3x3 convolutions in five stages, two hidden linear layers of 8 x width units, a linear layer."""
    layers: list[nn.Module] = []
    channels = 3
    for stage in VGG16_STAGES:
        for multiple in stage:
            outputs = multiple * width
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), ChannelNorm(outputs), nn.ReLU()]
            channels = outputs
        layers.append(nn.MaxPool2d(2))
    layers += [
        nn.Flatten(),
        nn.Linear(channels, channels),
        nn.ReLU(),
        nn.Linear(channels, channels),
        nn.ReLU(),
    ]
    return nn.Sequential(*layers, nn.Linear(channels, classes))


ARCHITECTURES: dict[str, Callable[..., nn.Sequential]] = {"resnet20": resnet20, "vgg16": vgg16}
PUBLISHED_WIDTH = {"resnet20": 16, "vgg16": 64}


def build(architecture: str, width: int, classes: int = 10) -> nn.Sequential:
    """Return a network with torch's first weights, in the memory format that trains fastest on a CPU."""
    model = ARCHITECTURES[architecture](width, classes)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
