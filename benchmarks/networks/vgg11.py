"""A VGG-11 for CIFAR-10 without BatchNorm, any width, trained from a seed.

Run as a program it trains for a number of seconds, keeps its state in the cache, and resumes at the
next call, until all epochs are done::

    REBASIN_FAST_DATA=... python benchmarks/networks/vgg11.py --seed 0 --seconds 150

Random flips and shifts; SGD with momentum, a linear warm-up and fall; bfloat16 products where
the processor has them.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line

from networks import cifar, training
from networks.cifar_training import augmented, fast_products
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


def trained(
    seed: int, cache: Path = DEFAULT_CACHE, width: int = WIDTH, epochs: int = EPOCHS
) -> tuple[dict[str, Tensor], int]:
    """The parameters of a network and its epochs; ends the program where there is none yet."""
    program = f"vgg11.py --seed {seed} --width {width} --epochs {epochs}"
    return training.trained_so_far(state_path(seed, cache, width, epochs), program)


def train(
    seed: int, seconds: float, cache: Path = DEFAULT_CACHE, width: int = WIDTH, epochs: int = EPOCHS
) -> int:
    """Train whole epochs until the seconds are used up; the number of epochs done in all."""
    images = cifar.load_images("train", cache)
    data = torch.from_numpy(cifar.normalised(images.pixels)), torch.from_numpy(images.labels.astype("int64"))
    torch.manual_seed(seed)
    model = vgg11(width)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=PEAK_RATE, momentum=MOMENTUM, weight_decay=DECAY, nesterov=True
    )
    steps = epochs * (PER_EPOCH // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / (WARM_UP * steps), (steps - step) / (steps * (1 - WARM_UP))),
    )

    def epoch() -> float:
        return training.train_epoch(
            model, optimizer, schedule, data, BATCH, count=PER_EPOCH, augmented=augmented, clip=5.0,
            products=fast_products,
        )  # fmt: skip

    path, lengths = state_path(seed, cache, width, epochs), (epochs, PER_EPOCH // BATCH)
    return training.train_in_pieces(path, model, optimizer, schedule, epoch, lengths, seconds)


def state_path(seed: int, cache: Path, width: int, epochs: int) -> Path:
    return cache / f"cifar10_vgg11_width{width}_{epochs}epochs_seed{seed}.pt"


def main() -> None:
    parser = command_line(__doc__, "--cache", "--seconds")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="passes over half of the images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = options.seed, options.seconds, options.cache, options.width, options.epochs
    done = train(*network)
    if done == options.epochs:
        params, _ = trained(options.seed, *network[2:])
        model = training.loaded(vgg11(options.width), params)
        metrics = training.evaluate(model, cifar.load_images("test", options.cache))
        print(f"seed {options.seed}: test loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.2%}")
    else:
        print(f"seed {options.seed}: {done} of {options.epochs} epochs done; run again to go on")


if __name__ == "__main__":
    main()
