"""torchvision's networks whose layers read concatenations, or shuffles, of what layers before them produced."""

from __future__ import annotations

from collections import Counter

from .chains import each, repeated, total
from .images import image_model
from .installed import import_torchvision
from .registry import Model
from .symmetries import Symmetries, units

_tv = import_torchvision().models

# Channels of the stem, growth, and layers of each block.
DENSENET = {
    "densenet121": (64, 32, (6, 12, 24, 16)),
    "densenet161": (96, 48, (6, 12, 36, 24)),
    "densenet169": (64, 32, (6, 12, 32, 32)),
    "densenet201": (64, 32, (6, 12, 48, 32)),
}
# Channels of each stage and of the last convolution; repeats are 4, 8, 4.
SHUFFLENET = {
    "shufflenet_v2_x0_5": (48, 96, 192, 1024),
    "shufflenet_v2_x1_0": (116, 232, 464, 1024),
    "shufflenet_v2_x1_5": (176, 352, 704, 1024),
    "shufflenet_v2_x2_0": (244, 488, 976, 2048),
}
REPEATS = (4, 8, 4)


def densenet(stem: int, growth: int, blocks: tuple[int, ...]) -> Symmetries:
    """The stem's map, in each layer a bottleneck and the map it adds, and halves between the blocks."""
    found, channels = units(stem), stem
    for index, layers in enumerate(blocks):
        if index:
            channels //= 2
            found = total(found, units(channels))
        found = total(found, repeated(layers, each((4 * growth, growth))))
        channels += layers * growth
    return found


def shufflenet(stages: tuple[int, ...], last: int) -> Symmetries:
    """Units of one convolution may change places where they take the same way through every split and shuffle."""
    found = each((24, last))
    for channels, repeats in zip(stages, REPEATS, strict=True):
        found = total(found, _shuffled_stage(channels // 2, repeats))
    return found


def _shuffled_stage(half: int, repeats: int) -> Symmetries:
    """The first block has three convolutions that produce maps, two of them kept; every other block two, one kept."""
    hidden = units(half, times=repeats)
    producer = {0: list(range(half)), 1: list(range(half))}
    ways: dict[tuple[int, int], tuple[int, ...]] = {(p, unit): () for p in producer for unit in range(half)}
    stream = _interleaved([(0, unit) for unit in range(half)], [(1, unit) for unit in range(half)])
    for block in range(1, repeats):
        for side, part in enumerate((stream[:half], stream[half:])):
            for unit in part:
                ways[unit] += (block, side)
        made = [(block + 1, unit) for unit in range(half)]
        ways |= dict.fromkeys(made, ())
        stream = _interleaved(stream[:half], made)
    sizes = Counter((producer, way) for (producer, _), way in ways.items())
    return total(hidden, each(sizes.values()))


def _interleaved(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [unit for pair in zip(first, second, strict=True) for unit in pair]


MODELS = [
    Model(
        "torchvision/densenet, blocks of 2, 2 and 3 layers",
        image_model(
            _tv.DenseNet, 64, growth_rate=4, block_config=(2, 2, 3), num_init_features=8, num_classes=10
        ),
        densenet(8, 4, (2, 2, 3)),
    ),
    *(
        Model(
            f"torchvision/{name}",
            image_model(getattr(_tv, name), 64, weights=None),
            densenet(*config),
            small=False,
        )
        for name, config in DENSENET.items()
    ),
    *(
        Model(
            f"torchvision/{name}",
            image_model(getattr(_tv, name), 64, weights=None),
            shufflenet(channels, last),
            small=name.endswith("x0_5"),
        )
        for name, (*channels, last) in SHUFFLENET.items()
    ),
]
