"""A VGG-11 for CIFAR-10 without BatchNorm, any width, trained from a seed.

Run as a program it trains for a number of seconds, keeps where it stands in the cache, and goes on there at the
next call, until all epochs are done::

    REBASIN_FAST_DATA=... python benchmarks/networks/vgg11.py --seed 0 --seconds 150

Images are lossy JPEG copies of CIFAR-10's. Random flips and shifts; SGD with momentum, a linear warm-up and fall.
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line

from networks import cifar
from networks.storage import DEFAULT_CACHE

STAGES = ((1,), (2,), (4, 4), (8, 8), (8, 8))  # channels of each convolution, in units of the width
WIDTH = 16  # the published network has 64
EPOCHS = 10
PER_EPOCH = 25_000  # images of the 50,000, drawn anew each time: short pieces to stop between
BATCH = 125
PEAK_RATE, MOMENTUM, DECAY = 0.04, 0.9, 5e-4
WARM_UP = 0.2  # of all steps


def vgg11(width: int = WIDTH) -> nn.Sequential:
    """Convolutions 3x3 with ReLU, a pooling layer after each stage, one linear layer."""
    layers: list[nn.Module] = []
    channels = 3
    for stage in STAGES:
        for multiple in stage:
            layers += [nn.Conv2d(channels, multiple * width, 3, padding=1), nn.ReLU()]
            channels = multiple * width
        layers.append(nn.MaxPool2d(2))
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, 10))
    for module in model:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    return model


def trained(seed: int, cache: Path = DEFAULT_CACHE, width: int = WIDTH) -> tuple[dict[str, Tensor], int]:
    """The parameters of a network and the epochs it was trained for; ends the program where there is none yet."""
    state = load_state(seed, cache, width)
    if state is None:
        raise SystemExit(
            f"VGG-11 of seed {seed} is not trained yet: run benchmarks/networks/vgg11.py --seed {seed}"
        )
    return dict(state["model"]), state["epoch"]


def train(seed: int, seconds: float, cache: Path = DEFAULT_CACHE, width: int = WIDTH) -> int:
    """Train whole epochs until the seconds are used up; the number of epochs done in all."""
    images = cifar.load_images("train", cache)
    pixels = torch.from_numpy(cifar.normalised(images.pixels))
    labels = torch.from_numpy(images.labels.astype("int64"))
    torch.manual_seed(seed)
    model = vgg11(width)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=PEAK_RATE, momentum=MOMENTUM, weight_decay=DECAY, nesterov=True
    )
    steps = EPOCHS * (PER_EPOCH // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / (WARM_UP * steps), (steps - step) / (steps * (1 - WARM_UP))),
    )
    state = load_state(seed, cache, width)
    epoch = 0
    if state is not None:
        epoch = state["epoch"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["rng"])
    started, longest = time.perf_counter(), 0.0
    while epoch < EPOCHS and time.perf_counter() - started + longest < seconds:
        began = time.perf_counter()
        loss = train_epoch(model, optimizer, schedule, pixels, labels)
        epoch += 1
        longest = max(longest, time.perf_counter() - began)
        print(
            f"seed {seed} epoch {epoch}/{EPOCHS} loss {loss:.4f} {time.perf_counter() - began:.1f} s",
            file=sys.stderr,
            flush=True,
        )
        state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                 "schedule": schedule.state_dict(), "rng": torch.get_rng_state()}  # fmt: skip
        save_state(state, seed, cache, width)
    return epoch


def train_epoch(model: nn.Module, optimizer: Any, schedule: Any, pixels: Tensor, labels: Tensor) -> float:
    """One pass over half of the images in a random order; the mean loss."""
    total = 0.0
    for rows in torch.randperm(len(labels))[:PER_EPOCH].split(BATCH):
        inputs = augmented(pixels[rows])
        loss = functional.cross_entropy(model(inputs), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        total += loss.item() * len(rows)
    return total / PER_EPOCH


def augmented(batch: Tensor) -> Tensor:
    """Every image flipped or not; the batch shifted by up to four pixels."""
    flip = torch.rand(len(batch)) < 0.5
    batch = torch.where(flip[:, None, None, None], batch.flip(3), batch)
    top, left = torch.randint(0, 9, (2,)).tolist()
    return functional.pad(batch, (4, 4, 4, 4))[:, :, top : top + 32, left : left + 32]


@torch.inference_mode()
def evaluate(model: nn.Module, images: cifar.Images) -> dict[str, float]:
    """The mean cross-entropy (nats) and the accuracy."""
    pixels = torch.from_numpy(cifar.normalised(images.pixels))
    logits = torch.cat([model(batch) for batch in pixels.split(500)])
    labels = torch.from_numpy(images.labels.astype("int64"))
    loss = functional.cross_entropy(logits.double(), labels).item()
    return {"loss": loss, "accuracy": (logits.argmax(1) == labels).double().mean().item()}


def load_state(seed: int, cache: Path, width: int) -> dict[str, Any] | None:
    path = state_path(seed, cache, width)
    return torch.load(path, weights_only=True) if path.exists() else None


def save_state(state: dict[str, Any], seed: int, cache: Path, width: int) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    path = state_path(seed, cache, width)
    unfinished = path.with_suffix(".tmp")
    torch.save(state, unfinished)
    unfinished.replace(path)


def state_path(seed: int, cache: Path, width: int) -> Path:
    return cache / f"cifar_vgg11_width{width}_{EPOCHS}epochs_seed{seed}.pt"


def main() -> None:
    parser = command_line(__doc__, "--cache", "--seconds")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--width", type=int, default=WIDTH)
    options = parser.parse_args()
    done = train(options.seed, options.seconds, options.cache, options.width)
    if done == EPOCHS:
        model = vgg11(options.width)
        model.load_state_dict(trained(options.seed, options.cache, options.width)[0])
        metrics = evaluate(model, cifar.load_images("test", options.cache))
        print(f"seed {options.seed}: test loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.2%}")
    else:
        print(f"seed {options.seed}: {done} of {EPOCHS} epochs done; run again to go on")


if __name__ == "__main__":
    main()
