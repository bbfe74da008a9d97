"""MNIST, and multilayer perceptrons trained on it from a seed.

Run as a program it trains (or finds in the cache) the networks that the other benchmarks use::

    REBASIN_FAST_DATA=... python benchmarks/networks/mnist.py --seeds 0 1
"""

import gzip
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line

from networks.storage import DEFAULT_CACHE, Params, cached_arrays, data_folder

HIDDEN = (512, 512, 512)
EPOCHS = 20
BATCH = 500
LEARNING_RATE = 1e-3
MEAN, DEVIATION = 0.1307, 0.3081  # of the training images' pixels
IDX_IMAGES, IDX_LABELS = 0x803, 0x801


@dataclass(frozen=True)
class Images:
    """Normalised images as rows, and their classes."""

    inputs: npt.NDArray[np.float32]  # (count, 784)
    labels: npt.NDArray[np.int64]  # (count,)


def read_idx(path: Path, magic: int) -> npt.NDArray[np.uint8]:
    """Read one gzipped IDX file of unsigned bytes."""
    raw = gzip.decompress(path.read_bytes())
    found = int.from_bytes(raw[:4], "big")
    if found != magic:
        raise SystemExit(f"{path}: expected an IDX file with magic number {magic:#x}, found {found:#x}")
    rank = magic & 0xFF
    shape = np.frombuffer(raw, ">u4", rank, 4).astype(int)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_images(split: str) -> Images:
    """Return MNIST's ``"train"`` (60,000) or ``"test"`` (10,000) images."""
    stem = {"train": "train", "test": "t10k"}[split]
    folder = data_folder() / "mnist"
    pixels = read_idx(folder / f"{stem}-images-idx3-ubyte.gz", IDX_IMAGES)
    labels = read_idx(folder / f"{stem}-labels-idx1-ubyte.gz", IDX_LABELS)
    inputs = (pixels.reshape(len(pixels), -1).astype(np.float32) / 255 - MEAN) / DEVIATION
    return Images(inputs.astype(np.float32), labels.astype(np.int64))


def layer_names(count: int) -> list[str]:
    """Return the names of ``count`` Linear layers in a torch ``Sequential`` with an activation between."""
    return [str(2 * index) for index in range(count)]


def trained_mlp(seed: int, cache: Path = DEFAULT_CACHE, hidden: tuple[int, ...] = HIDDEN) -> Params:
    """Return the parameters of the network trained from this seed, from the cache where it holds them."""
    name = f"mnist_mlp_{'-'.join(map(str, hidden))}_{EPOCHS}epochs_seed{seed}"
    return cached_arrays(cache, name, lambda: train(seed, hidden))  # type: ignore[return-value]


def train(
    seed: int,
    hidden: tuple[int, ...],
    images: Images | None = None,
    *,
    epochs: int = EPOCHS,
    falling: bool = True,
    keep: Callable[[int, Params], None] | None = None,
    fast: bool = False,
    activation: str = "ReLU",
    decay: float = 0.0,
) -> Params:
    """Train one network with Adam on all images by default.

    The learning rate falls to zero by a cosine, or with ``falling`` False stays as it is. ``keep`` is called with the
    number of epochs done and the parameters, before the first epoch and after each. ``fast`` multiplies bfloat16 where
    the processor can. ``activation`` is a class of ``torch.nn``; ``decay`` that of the weights, apart from the gradient
    (AdamW).
    """
    import torch

    from networks import training

    images = load_images("train") if images is None else images
    data = torch.from_numpy(images.inputs), torch.from_numpy(images.labels)
    torch.manual_seed(seed)
    between = getattr(torch.nn, activation)
    model = training.perceptron(images.inputs.shape[1], *hidden, 10, activation=between)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=decay)
    steps = epochs * (len(images.labels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) if falling else None
    if keep is not None:
        keep(0, arrays_of(model))
    products = training.fast_products if fast else nullcontext
    for epoch in range(epochs):
        started = time.perf_counter()
        loss = training.train_epoch(model, optimizer, schedule, data, BATCH, products=products)
        seconds = time.perf_counter() - started
        print(f"seed {seed} epoch {epoch + 1}/{epochs} loss {loss:.5f} {seconds:.1f} s", file=sys.stderr)
        if keep is not None:
            keep(epoch + 1, arrays_of(model))
    return arrays_of(model)


def arrays_of(model: Any) -> Params:
    """Copies of a torch model's parameters."""
    return {name: value.detach().numpy().copy() for name, value in model.state_dict().items()}


def after(
    seed: int, epoch: int, epochs: int, cache: Path = DEFAULT_CACHE, hidden: tuple[int, ...] = HIDDEN
) -> Params:
    """Return the parameters after an epoch of training at a constant rate; every epoch is kept in the cache."""

    def name(number: int) -> str:
        return f"mnist_mlp_{'-'.join(map(str, hidden))}_constant_{epochs}epochs_bfloat16_seed{seed}_after{number}"

    if not (cache / f"{name(epochs)}.npz").exists():

        def keep(number: int, params: Params) -> None:
            cached_arrays(cache, name(number), lambda: params)

        train(seed, hidden, epochs=epochs, falling=False, keep=keep, fast=True)
    return cached_arrays(cache, name(epoch), dict)  # type: ignore[return-value]


def few_epochs(seed: int, epochs: int, width: int, cache: Path = DEFAULT_CACHE) -> Params:
    """Return three hidden layers of this width, trained for a few epochs at a falling rate, as fast as it goes."""
    name = f"mnist_mlp_{width}-{width}-{width}_{epochs}epochs_bfloat16_seed{seed}"
    return cached_arrays(cache, name, lambda: train(seed, (width,) * 3, epochs=epochs, fast=True))  # type: ignore[return-value]


def logits(params: Params, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the outputs of a perceptron, one row an image."""
    names = layer_names(len(params) // 2)
    activation = inputs
    for name in names:
        activation = activation @ params[f"{name}.weight"].T + params[f"{name}.bias"]
        if name != names[-1]:
            np.maximum(activation, 0, out=activation)
    return activation.astype(np.float64)


def evaluate(params: Params, images: Images, batch: int = 5000) -> dict[str, float]:
    """Return the mean cross-entropy (nats) and the accuracy of a network on some images."""
    loss, correct = 0.0, 0
    for start in range(0, len(images.labels), batch):
        labels = images.labels[start : start + batch]
        found = logits(params, images.inputs[start : start + batch])
        top = found.max(axis=1)
        normaliser = top + np.log(np.exp(found - top[:, None]).sum(axis=1))
        loss += float((normaliser - found[np.arange(len(labels)), labels]).sum())
        correct += int((found.argmax(axis=1) == labels).sum())
    return {"loss": loss / len(images.labels), "accuracy": correct / len(images.labels)}


def main() -> None:
    parser = command_line("Train MNIST networks into the cache, show their accuracy.", "--cache")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--hidden", type=int, nargs="+", default=list(HIDDEN))
    options = parser.parse_args()
    test = load_images("test")
    for seed in options.seeds:
        metrics = evaluate(trained_mlp(seed, options.cache, tuple(options.hidden)), test)
        print(f"seed {seed}: test loss {metrics['loss']:.4f}, test accuracy {metrics['accuracy']:.2%}")


if __name__ == "__main__":
    main()
