"""The models of git-re-basin in torch, with their own (Flax) names and layouts of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class Flax(nn.Module):
    """Parameters by Flax's names, of the shapes that the spec and the sizes of its permutations ask for."""

    def __init__(self, axes: Mapping[str, Sequence[str | None]]) -> None:
        super().__init__()
        widths: dict[str, int] = {}
        for name, entries in axes.items():
            for entry in entries:
                if entry is not None:
                    widths.setdefault(entry, 3 + len(widths) % 3)
            # Taps, channels of images, classes: what the spec leaves open.
            shape = [3 if entry is None else widths[entry] for entry in entries]
            self.register_parameter(name, nn.Parameter(torch.randn(shape)))

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._parameters[name]

    def dense(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ self[f"{name}/kernel"] + self[f"{name}/bias"]

    def convolution(self, name: str, x: torch.Tensor, bias: bool = False, stride: int = 1) -> torch.Tensor:
        kernel = self[f"{name}/kernel"].permute(3, 2, 0, 1)
        padding = (kernel.shape[-1] - 1) // 2
        return F.conv2d(x, kernel, self[f"{name}/bias"] if bias else None, stride, padding)

    def layer_norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        channels = x.permute(0, 2, 3, 1)
        scale, shift = self[f"{name}/scale"], self[f"{name}/bias"]
        return F.layer_norm(channels, scale.shape, scale, shift).permute(0, 3, 1, 2)

    def batch_norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        scale, shift = self[f"{name}/scale"], self[f"{name}/bias"]
        return F.batch_norm(x, torch.zeros_like(scale), torch.ones_like(scale), scale, shift)


class Mlp(Flax):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layers = len(self._parameters) // 2
        for layer in range(layers - 1):
            x = self.dense(f"Dense_{layer}", x).relu()
        return self.dense(f"Dense_{layers - 1}", x)


class Cnn(nn.Module):
    """The port to torch: torch's names; biases where the published spec has them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 5, 3, bias=False)
        self.fc1, self.fc2 = nn.Linear(5, 6), nn.Linear(6, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv2(self.conv1(x).relu()).relu().amax((2, 3))
        return self.fc2(self.fc1(x).relu())


class Vgg16(Flax):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in range(13):
            x = self.layer_norm(f"LayerNorm_{layer}", self.convolution(f"Conv_{layer}", x, bias=True)).relu()
        x = x.amax((2, 3))
        x = self.dense("Dense_1", self.dense("Dense_0", x).relu()).relu()
        return self.dense("Dense_2", x)


class ResNet20(Flax):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer_norm("norm1", self.convolution("conv1", x)).relu()
        for group in range(3):
            for block in range(3):
                x = self._block(f"blockgroups_{group}/blocks_{block}", x)
        return self.dense("dense", x.mean((2, 3)))

    def _block(self, name: str, x: torch.Tensor) -> torch.Tensor:
        y = self.layer_norm(f"{name}/norm1", self.convolution(f"{name}/conv1", x)).relu()
        y = self.layer_norm(f"{name}/norm2", self.convolution(f"{name}/conv2", y))
        if f"{name}/shortcut/layers_0/kernel" in self._parameters:
            x = self.convolution(f"{name}/shortcut/layers_0", x)
            x = self.layer_norm(f"{name}/shortcut/layers_1", x)
        return (x + y).relu()


class ResNet50(Flax):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self._conv_block("layers_0/ConvBlock_0", x).relu()
        for group, blocks in enumerate((3, 4, 6, 3)):
            for block in range(blocks):
                x = self._block(f"blockgroups_{group}/blocks_{block}", x)
        return self.dense("dense", x.mean((2, 3)))

    def _conv_block(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self.batch_norm(f"{name}/BatchNorm_0", self.convolution(f"{name}/Conv_0", x))

    def _block(self, name: str, x: torch.Tensor) -> torch.Tensor:
        y = self._conv_block(f"{name}/ConvBlock_0", x).relu()
        y = self._conv_block(f"{name}/ConvBlock_1", y).relu()
        y = self._conv_block(f"{name}/ConvBlock_2", y)
        if f"{name}/ResNetSkipConnection_0/ConvBlock_0/Conv_0/kernel" in self._parameters:
            x = self._conv_block(f"{name}/ResNetSkipConnection_0/ConvBlock_0", x)
        return (x + y).relu()
