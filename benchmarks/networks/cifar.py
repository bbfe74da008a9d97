"""CIFAR-10 and CIFAR-100, lossless: mosaics of 10 x 10 images as WebP pictures, one after the other in an npz file."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from networks.storage import DEFAULT_CACHE, cached_arrays, data_folder

Dataset = Literal["cifar10", "cifar100"]

MEAN = np.array((0.485, 0.456, 0.406), dtype=np.float32)
DEVIATION = np.array((0.229, 0.224, 0.225), dtype=np.float32)
SIDE = 32
ACROSS = 10  # images in a row of a mosaic, and rows in a mosaic


@dataclass(frozen=True)
class Images:
    """Decoded images and their classes."""

    pixels: npt.NDArray[np.uint8]  # (count, 32, 32, 3)
    labels: npt.NDArray[np.uint8]  # (count,)

    def first(self, count: int | None) -> "Images":
        """Return the first ``count`` images, all of them for None."""
        return Images(self.pixels[:count], self.labels[:count])

    def rows(self, rows: npt.NDArray[np.int64]) -> "Images":
        """Return the images of these rows, in their order."""
        return Images(self.pixels[rows], self.labels[rows])

    def sample(self, count: int, seed: int) -> "Images":
        """Return ``count`` images drawn without repetition."""
        return self.rows(np.random.default_rng(seed).permutation(len(self.labels))[:count])


def load_images(split: str, cache: Path = DEFAULT_CACHE, dataset: Dataset = "cifar10") -> Images:
    """Return the ``"train"`` (50,000) or ``"test"`` (10,000) images in a random order, decoded once into the cache."""
    arrays = cached_arrays(cache, f"{dataset}_{split}", lambda: decode(split, dataset))
    pixels, labels = (arrays[name].astype(np.uint8, copy=False) for name in ("pixels", "labels"))
    return Images(pixels, labels)


def decode(split: str, dataset: Dataset) -> dict[str, npt.NDArray[np.uint8]]:
    """Decode a split with Pillow, and shuffle it: the file is sorted by class."""
    with np.load(data_folder() / f"{dataset}.npz") as stored:
        stream = stored[f"{split}_webp"]
        offsets = stored[f"{split}_offsets"]
        labels = stored[f"{split}_labels"]
    mosaics = len(labels) // ACROSS**2
    ends = np.append(offsets, len(stream))
    pixels = np.concatenate(
        [mosaic(stream[ends[number] : ends[number + 1]].tobytes()) for number in range(mosaics)]
    )
    order = np.random.default_rng(0).permutation(len(labels))
    return {"pixels": pixels[order], "labels": labels[order]}


def mosaic(picture: bytes) -> npt.NDArray[np.uint8]:
    """Cut one picture into its (100, 32, 32, 3) images."""
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    tiles = pixels.reshape(ACROSS, SIDE, ACROSS, SIDE, 3).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(-1, SIDE, SIDE, 3)


def normalised(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return pixels as (count, 3, 32, 32) float32, normalised as the public checkpoints were trained."""
    scaled = (pixels.astype(np.float32) / 255 - MEAN) / DEVIATION
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), dtype=np.float32)
