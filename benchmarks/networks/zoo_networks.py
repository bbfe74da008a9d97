"""Architectures of the networks of the zoo, under the names of their checkpoints."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


class TFeat(nn.Module):
    """A descriptor of grey patches of 32 x 32."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.InstanceNorm2d(1), nn.Conv2d(1, 32, 7), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 6), nn.Tanh()
        )  # fmt: skip
        self.descr = nn.Sequential(nn.Linear(4096, 128), nn.Tanh())

    def forward(self, patches: Tensor) -> Tensor:
        """Descriptors of 128 numbers."""
        return self.descr(self.features(patches).flatten(1))


class MnistPerceptron(nn.Module):
    """784-256-10."""

    def __init__(self) -> None:
        super().__init__()
        self.level1 = nn.Sequential(nn.Flatten(), nn.Linear(784, 256))
        self.level2 = nn.Sequential(nn.ReLU(), nn.Linear(256, 10))

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        return self.level2(self.level1(images))


class ActorCritic(nn.Module):
    """A policy and a value of Stable-Baselines3, each a perceptron of its own."""

    def __init__(self, observed: int, actions: int) -> None:
        super().__init__()
        branch = [nn.Linear(observed, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()]
        other = [nn.Linear(observed, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()]
        self.mlp_extractor = nn.ModuleDict(
            {"policy_net": nn.Sequential(*branch), "value_net": nn.Sequential(*other)}
        )
        self.action_net = nn.Linear(64, actions)
        self.value_net = nn.Linear(64, 1)

    def forward(self, observations: Tensor) -> Tensor:
        """Probabilities of the actions."""
        return self.both(observations)[0].softmax(1)

    def both(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the actions, and the value."""
        policy, value = (self.mlp_extractor[name](observations) for name in ("policy_net", "value_net"))
        return self.action_net(policy), self.value_net(value)


class BothHeads(ActorCritic):
    """For tracing: the program reads every parameter."""

    def forward(self, observations: Tensor) -> Any:
        """Logits and value."""
        return self.both(observations)


class FaceSlim(nn.Module):
    """A face detector: depthwise convolutions, and heads at four scales."""

    widths = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256)
    strides = (1, 2, 1, 2, 1, 1, 1, 2, 1, 1, 2, 1)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        ]
        width = 16
        for wide, stride in zip(self.widths, self.strides, strict=True):
            layers.append(_separable_with_norms(width, wide, stride))
            width = wide
        self.base_net = nn.Sequential(*layers)
        self.extras = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(256, 64, 1), nn.ReLU(), _separable(64, 256, 3, stride=2), nn.ReLU())]
        )
        self.classification_headers = nn.ModuleList(_heads(2))
        self.regression_headers = nn.ModuleList(_heads(4))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and box offsets of all anchors."""
        scales = []
        found = images
        for number, layer in enumerate(self.base_net):
            found = layer(found)
            if number in (7, 10, 12):
                scales.append(found)
        scales.append(self.extras[0](found))
        logits = [
            head(x).permute(0, 2, 3, 1).flatten(1)
            for head, x in zip(self.classification_headers, scales, strict=True)
        ]
        boxes = [
            head(x).permute(0, 2, 3, 1).flatten(1)
            for head, x in zip(self.regression_headers, scales, strict=True)
        ]
        return torch.cat(logits, 1), torch.cat(boxes, 1)


def _separable_with_norms(width: int, wide: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(),
    )  # fmt: skip


def _separable(width: int, wide: int, size: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(width, width, size, stride, size // 2, groups=width), nn.ReLU(), nn.Conv2d(width, wide, 1)
    )


def _heads(numbers: int) -> list[nn.Module]:
    separable = [_separable(width, anchors * numbers, 3) for width, anchors in ((64, 3), (128, 2), (256, 2))]
    return [*separable, nn.Conv2d(256, 3 * numbers, 3, padding=1)]


class GninaDefault(nn.Module):
    """Five 3-D convolutions on grids of 48, for a pose and an affinity."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((28, 32, 3), (32, 32, 1), (32, 64, 3), (64, 64, 1), (64, 128, 3))
        for number, (width, wide, size) in enumerate(widths, 1):
            self.add_module(f"unit{number}_conv", nn.Conv3d(width, wide, size, padding=size // 2))
        self.pose_output = nn.Linear(27648, 2)
        self.affinity_output = nn.Linear(27648, 1)

    def forward(self, grid: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the pose, and the affinity."""
        for number in range(1, 6):
            if number % 2:
                grid = functional.avg_pool3d(grid, 2)
            grid = self.get_submodule(f"unit{number}_conv")(grid).relu()
        units = grid.flatten(1)
        return self.pose_output(units).log_softmax(1), self.affinity_output(units)


class GninaDense(nn.Module):
    """Three dense blocks of 3-D convolutions, each norm before its convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.data_enc_init_conv = nn.Conv3d(28, 32, 3, padding=1)
        width = 32
        for level in range(3):
            block = nn.ModuleDict()
            for number in range(4):
                block[f"data_enc_level{level}_batchnorm_conv{number}"] = nn.BatchNorm3d(width)
                block[f"data_enc_level{level}_conv{number}"] = nn.Conv3d(width, 16, 3, padding=1)
                width += 16
            self.add_module(f"dense_block_{level}", block)
            if level < 2:
                self.add_module(f"data_enc_level{level}_bottleneck", nn.Conv3d(width, width, 1))
        self.affinity_output = nn.Linear(width, 1)
        self.pose_output = nn.Linear(width, 2)

    def forward(self, grid: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the pose, and the affinity."""
        units = self.data_enc_init_conv(functional.max_pool3d(grid, 2)).relu()
        for level in range(3):
            block = self.get_submodule(f"dense_block_{level}")
            for number in range(4):
                norm = block.get_submodule(f"data_enc_level{level}_batchnorm_conv{number}")
                convolution = block.get_submodule(f"data_enc_level{level}_conv{number}")
                units = torch.cat([units, convolution(norm(units)).relu()], 1)
            if level < 2:
                units = functional.max_pool3d(
                    self.get_submodule(f"data_enc_level{level}_bottleneck")(units).relu(), 2
                )
        pooled = units.amax((2, 3, 4))
        return self.pose_output(pooled).log_softmax(1), self.affinity_output(pooled)


class Upconv7(nn.Module):
    """Pictures at twice their size: six convolutions, and a transposed one."""

    widths = (3, 16, 32, 64, 128, 128, 256)

    def __init__(self) -> None:
        super().__init__()
        for number, (width, wide) in enumerate(zip(self.widths[:-1], self.widths[1:], strict=True), 1):
            self.add_module(f"conv{number}", nn.Conv2d(width, wide, 3))
        self.conv7 = nn.ConvTranspose2d(256, 3, 4, 2, 3)

    def forward(self, pictures: Tensor) -> Tensor:
        """Colours."""
        for number in range(1, 7):
            pictures = functional.leaky_relu(self.get_submodule(f"conv{number}")(pictures), 0.1)
        return self.conv7(pictures)


class KerasConvolution(nn.Module):
    """A 1-D convolution as Keras stores it: positions, inputs, outputs."""

    def __init__(self, width: int, wide: int, size: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.kernel = nn.Parameter(torch.zeros(size, width, wide))
        self.bias = nn.Parameter(torch.zeros(wide))

    def forward(self, x: Tensor) -> Tensor:
        """As long as its input."""
        return functional.conv1d(
            x, self.kernel.permute(2, 1, 0), self.bias, padding="same", dilation=self.dilation
        )


class KerasNorm(nn.Module):
    """BatchNorm under the names of Keras."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("moving_mean", torch.zeros(width))
        self.register_buffer("moving_variance", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalised."""
        return functional.batch_norm(
            x, self.moving_mean, self.moving_variance, self.gamma, self.beta, eps=1e-3
        )


class SpliceAI(nn.Module):
    """A residual network along DNA, 10,000 positions of context; layers of Keras, or torch's own."""

    groups = ((11, 1), (11, 4), (21, 10), (41, 25))

    def __init__(self, *, keras: bool) -> None:
        super().__init__()
        self.keras = keras
        self.convolutions, self.norms = nn.ModuleDict(), nn.ModuleDict()
        for number in (1, 2, 11, 20, 29, 38, 39):
            self._add(number, 4 if number == 1 else 32, 3 if number == 39 else 32, 1, 1)
        for group, (size, dilation) in enumerate(self.groups):
            for number in range(3 + 9 * group, 11 + 9 * group):
                self._add(number, 32, 32, size, dilation)
        for number in range(1, 33):
            self.norms[str(number)] = KerasNorm(32) if keras else nn.BatchNorm1d(32, eps=1e-3)

    def _add(self, number: int, width: int, wide: int, size: int, dilation: int) -> None:
        self.convolutions[str(number)] = (
            KerasConvolution(width, wide, size, dilation)
            if self.keras
            else nn.Conv1d(width, wide, size, padding="same", dilation=dilation)
        )

    def forward(self, bases: Tensor) -> Tensor:
        """Probabilities at the positions that have all their context."""
        x = self.convolutions["1"](bases)
        summed = self.convolutions["2"](x)
        for group in range(4):
            for block in range(4):
                first = 3 + 9 * group + 2 * block
                y = x
                for number in (first, first + 1):
                    norm = self.norms[str(number - 2 - group)]
                    y = self.convolutions[str(number)](norm(y).relu())
                x = x + y
            summed = summed + self.convolutions[str(11 + 9 * group)](x)
        return self.convolutions["39"](summed[..., 5000:-5000]).softmax(1)


def keras_names() -> dict[str, str]:
    """The file's name of every parameter of ``SpliceAI(keras=True)``."""
    names = {}
    for name in SpliceAI(keras=True).state_dict():
        kind, number, parameter = name.split(".")
        layer = f"{'conv1d' if kind == 'convolutions' else 'batch_normalization'}_{number}"
        names[name] = f"{layer}/{layer}/{parameter}"
    return names


def torch_layout(params: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Parameters of ``SpliceAI(keras=True)`` as those of ``SpliceAI(keras=False)``."""
    other = {
        "kernel": "weight", "gamma": "weight", "beta": "bias",
        "moving_mean": "running_mean", "moving_variance": "running_var",
    }  # fmt: skip
    found = {}
    for name, array in params.items():
        stem, _, last = name.rpartition(".")
        value = np.asarray(array)
        found[f"{stem}.{other.get(last, last)}"] = value.transpose(2, 1, 0) if last == "kernel" else value
    return found
