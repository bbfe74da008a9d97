"""CIFAR-10's ResNet-20 with zero-padded ("option A") shortcuts, and the two public checkpoints of it.

Run as a program it shows what the checkpoints reach on the test images::

    REBASIN_FAST_DATA=... python benchmarks/networks/resnet20.py --count 10000
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line

from networks import cifar, training
from networks.storage import data_folder

PREFIX = "module."  # both checkpoints were saved from a DataParallel wrapper


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut that drops pixels and pads channels with zeros."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.padding = stride, (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        """Map (count, inputs, h, w) to (count, outputs, h / stride, w / stride)."""
        out = functional.relu(self.bn1(self.conv1(x)))
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = functional.pad(shortcut, (0, 0, 0, 0, self.padding, self.padding))
        return functional.relu(self.bn2(self.conv2(out)) + shortcut)


class ResNet20(nn.Module):
    """3x3 convolution, three stages of three blocks, average pool, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, 1)
        self.layer2 = self._stage(16, 32, 2)
        self.layer3 = self._stage(32, 64, 2)
        self.linear = nn.Linear(64, 10)

    @staticmethod
    def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            Block(inputs, outputs, stride), Block(outputs, outputs, 1), Block(outputs, outputs, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images (count, 3, 32, 32) to logits (count, 10)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean(dim=(2, 3)))


def checkpoint_path(which: str) -> Path:
    """Return the file of checkpoint ``"a"`` or ``"b"``."""
    return data_folder() / "checkpoints" / f"resnet20_{which}.th"


def load_checkpoint(which: str) -> dict[str, npt.NDArray[np.generic]]:
    """Return a checkpoint's tensors under the names of `ResNet20`."""
    stored = torch.load(checkpoint_path(which), map_location="cpu", weights_only=True)["state_dict"]
    return {name.removeprefix(PREFIX): tensor.numpy() for name, tensor in stored.items()}


def model_with(params: Mapping[str, npt.NDArray[np.generic]]) -> ResNet20:
    """Return the network with these parameters, in evaluation mode."""
    model = ResNet20()
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in params.items()}
    counters = {name for name in model.state_dict() if name.endswith("num_batches_tracked")}
    missing = set(model.load_state_dict(tensors, strict=False).missing_keys) - counters
    if missing:
        raise SystemExit(f"the checkpoint lacks {sorted(missing)}")
    return model.eval()


def main() -> None:
    parser = command_line("Evaluate both checkpoints on test images.", "--cache")
    parser.add_argument("--count", type=int, default=2000, help="how many test images, from the first")
    options = parser.parse_args()
    images = cifar.load_images("test", options.cache).first(options.count)
    for which in "ab":
        metrics = training.evaluate(model_with(load_checkpoint(which)), images)
        print(
            f"{which}: loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.2%}, {options.count} images"
        )


if __name__ == "__main__":
    main()
