"""CIFAR-10 as JPEG files (quality about 75, so lossy: every number measured on it must say so)."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from networks.storage import DEFAULT_CACHE, cached_arrays, data_folder

MEAN = np.array((0.485, 0.456, 0.406), dtype=np.float32)
DEVIATION = np.array((0.229, 0.224, 0.225), dtype=np.float32)


@dataclass(frozen=True)
class Images:
    """Decoded images and their classes."""

    pixels: npt.NDArray[np.uint8]  # (count, 32, 32, 3)
    labels: npt.NDArray[np.uint8]  # (count,)

    def first(self, count: int | None) -> "Images":
        """Return the first ``count`` images, all of them for None."""
        return Images(self.pixels[:count], self.labels[:count])

    def sample(self, count: int, seed: int) -> "Images":
        """Return ``count`` images drawn without repetition."""
        rows = np.random.default_rng(seed).permutation(len(self.labels))[:count]
        return Images(self.pixels[rows], self.labels[rows])


def load_images(split: str, cache: Path = DEFAULT_CACHE) -> Images:
    """Return the ``"train"`` (50,000) or ``"test"`` (10,000) images, decoded once into the cache."""
    arrays = cached_arrays(cache, f"cifar10_jpeg_{split}", lambda: decode(split))
    return Images(
        arrays["pixels"].astype(np.uint8, copy=False), arrays["labels"].astype(np.uint8, copy=False)
    )


def decode(split: str) -> dict[str, npt.NDArray[np.uint8]]:
    """Decode every JPEG of a split with Pillow."""
    from PIL import Image

    with np.load(data_folder() / "cifar10_jpeg.npz") as stored:
        stream = stored[f"{split}_jpeg"].tobytes()
        offsets = stored[f"{split}_offsets"]
        labels = stored[f"{split}_labels"]
    # Offsets may or may not close with the end of the last image.
    ends = np.append(offsets, len(stream))[1 : len(labels) + 1]
    pixels = np.empty((len(labels), 32, 32, 3), dtype=np.uint8)
    for index, (start, stop) in enumerate(zip(offsets[: len(labels)], ends, strict=True)):
        pixels[index] = np.asarray(Image.open(io.BytesIO(stream[start:stop])).convert("RGB"))
    return {"pixels": pixels, "labels": labels}


def normalised(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return pixels as (count, 3, 32, 32) float32, normalised as the checkpoints were trained."""
    scaled = (pixels.astype(np.float32) / 255 - MEAN) / DEVIATION
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), dtype=np.float32)
