"""The reduced ResNet-18 of GEM and A-GEM: BatchNorm, four stages of two blocks, 20 channels at first."""

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 20


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (count, inputs, h, w) to (count, outputs, h / stride, w / stride)."""
        out = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(out)) + self.shortcut(x))


class ReducedResNet18(nn.Sequential):
    """The network; its convolutions are bfloat16 where the processor multiplies it, its outputs float32."""

    def __init__(self, width: int = WIDTH, classes: int = 100) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
        for multiple in (1, 2, 4, 8):
            for number in range(2):
                outputs = multiple * width
                layers.append(Block(channels, outputs, 2 if number == 0 and multiple > 1 else 1))
                channels = outputs
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # trains fastest on a CPU

    def forward(self, x: Tensor) -> Tensor:
        """Map (count, 3, 32, 32) to (count, classes)."""
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()):
            outputs: Tensor = super().forward(x)
        return outputs.float()
