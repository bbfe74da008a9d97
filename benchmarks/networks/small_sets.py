"""Perceptrons trained on 9,000 images, as in the programs of the Sinkhorn re-basin paper (Peña et al., CVPR 2023).

AdamW at a constant rate of 0.001, batches of 1,000, 50 epochs; MNIST or CIFAR-10; 1,000 further images for validation.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from networks import cifar, mnist, training
from networks.storage import DEFAULT_CACHE, cached_arrays

TRAINING, VALIDATION, BATCH = 9_000, 1_000, 1_000
EPOCHS, RATE = 50, 1e-3

Rows = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class SmallSet:
    """Images of a data set as rows."""

    name: str

    def rows(self, split: str, count: int | None, cache: Path, start: int = 0) -> Rows:
        """Inputs and classes of images from the ``"train"`` or ``"test"`` ones."""
        end = None if count is None else start + count
        if self.name == "mnist":
            images = mnist.load_images(split)
            return torch.from_numpy(images.inputs[start:end]), torch.from_numpy(images.labels[start:end])
        coloured = cifar.load_images(split, cache)
        inputs = torch.from_numpy(cifar.normalised(coloured.pixels[start:end])).flatten(1)
        return inputs, torch.from_numpy(coloured.labels[start:end].astype("int64"))

    def batches(self, cache: Path, start: int = 0, count: int = TRAINING) -> list[Rows]:
        """Training images; the validation images follow them."""
        inputs, classes = self.rows("train", count, cache, start)
        return list(zip(inputs.split(BATCH), classes.split(BATCH), strict=True))

    def trained(
        self, seed: int, hidden: tuple[int, ...], cache: Path = DEFAULT_CACHE, epochs: int = EPOCHS
    ) -> dict[str, Tensor]:
        """Parameters of a perceptron, from the cache where it is there."""
        widths = "-".join(map(str, hidden))
        name = f"{self.name}_9000_mlp_{widths}_{epochs}epochs_seed{seed}"
        arrays = cached_arrays(cache, name, lambda: self._train(seed, hidden, cache, epochs))
        return {key: torch.from_numpy(array) for key, array in arrays.items()}

    def _train(self, seed: int, hidden: tuple[int, ...], cache: Path, epochs: int) -> dict[str, object]:
        torch.manual_seed(seed)
        batches = self.batches(cache)
        model = training.perceptron(batches[0][0].shape[1], *hidden, 10)
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
        for _ in range(epochs):
            for place in torch.randperm(len(batches)).tolist():
                inputs, classes = batches[place]
                optimizer.zero_grad()
                functional.cross_entropy(model(inputs), classes).backward()
                optimizer.step()
        return {name: value.detach().numpy().copy() for name, value in model.state_dict().items()}


def perceptron_of(params: dict[str, Tensor]) -> nn.Sequential:
    """A model that holds these parameters."""
    return training.perceptron_with({name: tensor.numpy() for name, tensor in params.items()})
