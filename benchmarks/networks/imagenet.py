"""ImageNet from a folder of class folders, and torchvision's ResNet-50 with checkpoints from files.

The folder is the usual one: ``train/CLASS/*.JPEG`` and ``val/CLASS/*.JPEG``, 1,000 classes under equal names in both.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import common.command  # noqa: F401  the models of the tests can be imported then

import rebasin_fast as rf
from helpers.models.installed import import_torchvision
from rebasin_fast.evaluation import load_into

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESIZE, CROP = 256, 224


@dataclass(frozen=True)
class Split:
    """Images of one split, decoded when they are read.

    ``count`` images are drawn at random once, all of them for None.
    """

    folder: Path
    name: str
    count: int | None = None
    crop: int = CROP
    batch: int = 64
    workers: int = 0

    def loader(self) -> torch.utils.data.DataLoader[tuple[Tensor, Tensor]]:
        """Pairs of normalised images and classes, batch by batch, in the same order each time."""
        torchvision = import_torchvision()
        place = self.folder / self.name
        if not place.is_dir():
            raise SystemExit(
                f"{place} is no folder: name the one that holds train/ and val/, with class folders"
            )
        steps = torchvision.transforms
        transform = steps.Compose(
            [
                steps.Resize(self.crop * RESIZE // CROP),
                steps.CenterCrop(self.crop),
                steps.ToTensor(),
                steps.Normalize(MEAN, DEVIATION),
            ]
        )
        images: Any = torchvision.datasets.ImageFolder(place, transform)
        order = np.random.default_rng(0).permutation(len(images))[: self.count]
        return torch.utils.data.DataLoader(
            torch.utils.data.Subset(images, order.tolist()), self.batch, num_workers=self.workers
        )

    def inputs(self) -> Iterator[Tensor]:
        """The images without their classes."""
        for images, _ in self.loader():
            yield images


def resnet50(classes: int = 1000, width: int = 64) -> nn.Module:
    """Torchvision's ResNet-50 without trained weights; ``width`` channels inside the blocks of its first stage."""
    models = import_torchvision().models
    network: nn.Module = models.resnet50(weights=None, num_classes=classes, width_per_group=width)
    return network.eval()


def evaluate(
    model: nn.Module, params: Mapping[str, Any], split: Split, reset: Split | None = None
) -> dict[str, float]:
    """Loss, top-1 and top-5 accuracy, with BatchNorm statistics of ``reset`` where it is given."""
    load_into(model, params)
    if reset is not None:
        rf.reset_batch_norm(model, reset.inputs())
    count, loss = 0, 0.0
    right = {1: 0, 5: 0}
    model.eval()
    with torch.inference_mode():
        for images, classes in split.loader():
            logits = model(images)
            loss += functional.cross_entropy(logits.double(), classes, reduction="sum").item()
            best = logits.topk(min(5, logits.shape[1])).indices == classes[:, None]
            for k in right:
                right[k] += int(best[:, :k].any(1).sum())
            count += len(classes)
    return {"loss": loss / count, "top1": right[1] / count, "top5": right[5] / count}


@contextmanager
def fake_folder(classes: int = 6, each: int = 4, side: int = 48) -> Iterator[Path]:
    """A folder of noise in ImageNet's layout, for trying a program without the data."""
    from PIL import Image

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        for split in ("train", "val"):
            for label in range(classes):
                place = Path(name) / split / f"n{label:08d}"
                place.mkdir(parents=True)
                for number in range(each):
                    pixels = rng.integers(0, 256, (side, side + 7, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(place / f"{number}.JPEG")
        yield Path(name)
