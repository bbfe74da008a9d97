"""What do signs and scales add to permutations between networks that were trained apart?

Perceptrons with tanh on MNIST from different seeds (signs), perceptrons with ReLU, one of them trained with weight
decay (scales), and three published patch descriptors with tanh (signs): the line to B as it is, under permutations,
and under all symmetries, each from the weights alone::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/symmetric_pairs.py

Networks are trained first where the cache lacks them, half a minute each; what is there is used again. The descriptors
have no labels here: their task is to find a patch of CIFAR-10 again, shifted by a pixel and under noise.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from common.command import command_line, finish
from common.environment import markdown_table
from networks import cifar, mnist, training
from networks.storage import data_folder
from networks.unit_networks import EPOCHS, Recipe
from networks.zoo_networks import TFeat
from torch import Tensor, nn

import rebasin_fast as rf

Params = dict[str, Tensor]
Metrics = dict[str, float]
METHODS = {"naive": "as it is", "permutations": "permutations", "all": "all symmetries"}
SEEDS = ((0, 1), (2, 3), (4, 5))
PATCHES, SIZE = 2_000, 32
DECAY = 1.0  # AdamW's: a rate of 1e-3 takes a thousandth of the weights at each of the first steps
NOTE = (
    "Perceptrons: 784, hidden layers of 256, 10; {epochs} epochs of Adam; loss on the 10,000 test images; barrier: "
    "loss at the midpoint less the mean of the ends'. With decay: B trained by AdamW with a decay of {decay:g}, A "
    "without. Cosine: of the weights with units that move; under all symmetries of both normal forms. Descriptors: "
    "the share of {patches:,} grey CIFAR-10 patches that are found again among all by the nearest descriptor, shifted "
    "by a pixel and under noise; the patches that they were trained on are not here, so that there is no loss. They "
    "are compared by their distances, so that their 128 outputs may change places and signs too."
)


class Distances(TFeat):
    """Squared distances of the descriptors of neighbouring patches of a batch, which is all that a search reads."""

    def forward(self, patches: Tensor) -> Tensor:
        """One number a pair."""
        found = super().forward(patches)
        return (found[::2] - found[1::2]).square().sum(1)


@dataclass(frozen=True)
class Pair:
    """Two networks of one program, and what is measured on a network between them."""

    kind: str
    seeds: str
    model: nn.Module
    inputs: Tensor
    a: Params
    b: Params
    evaluate: Callable[[Params], Metrics]

    @cached_property
    def spec(self) -> rf.TracedSpec:
        """Permutations and symmetries, proven."""
        return rf.trace_spec(self.model, self.inputs)

    def aligned(self, method: str) -> tuple[Params, Params]:
        """A and B, matched by a method."""
        if method == "naive":
            return self.a, self.b
        if method == "permutations":
            found = rf.weight_matching(self.spec, self.a, self.b, restarts=5, threads=1)
            return self.a, dict(rf.apply_permutation(self.spec, found.permutation, self.b))
        matching = rf.weight_matching(self.spec, self.a, self.b, symmetries="all", restarts=5, threads=1)
        a, b = matching.endpoints(self.a, self.b)
        return dict(a), dict(b)

    def row(self, method: str) -> dict[str, Any]:
        """Ends, midpoint and cosine."""
        a, b = self.aligned(method)
        ends = [self.evaluate(end) for end in (a, b)]
        middle = self.evaluate({name: (a[name] + b[name]) / 2 for name in a})
        barrier = (
            middle["loss"] - (ends[0]["loss"] + ends[1]["loss"]) / 2 if "loss" in middle else float("nan")
        )
        return {"ends": ends, "middle": middle, "barrier": barrier, "cosine": self.cosine(a, b)}

    def cosine(self, a: Params, b: Params) -> float:
        """Of the arrays with units that move."""
        moved = sorted({name for places in self.spec.perm_to_axes.values() for name, _ in places})
        of_a, of_b = (torch.cat([params[name].double().ravel() for name in moved]) for params in (a, b))
        return float(of_a @ of_b / (of_a.norm() * of_b.norm()))


def perceptrons(seeds: tuple[int, int], recipes: tuple[Recipe, Recipe], options: argparse.Namespace) -> Pair:
    first, second = (
        {name: torch.from_numpy(array) for name, array in recipe.trained(seed, options.cache).items()}
        for recipe, seed in zip(recipes, seeds, strict=True)
    )
    test = mnist.load_images("test")
    model = training.perceptron(
        784, *recipes[0].hidden, 10, activation=getattr(nn, recipes[0].activation)
    ).eval()
    decay = ", B with decay" if recipes[1].decay else ""
    kind = f"{recipes[0].activation}, {recipes[0].layers} hidden layers{decay}"

    def evaluate(params: Params) -> Metrics:
        return training.evaluate_rows(training.loaded(model, params), test)

    inputs = torch.from_numpy(test.inputs[:4])
    return Pair(kind, f"seeds {seeds[0]}, {seeds[1]}", model, inputs, first, second, evaluate)


def descriptors(first: str, second: str) -> Pair:
    folder = data_folder() / "zoo"
    a, b = (dict(rf.load_params(folder / f"tfeat_{name}.params")) for name in (first, second))
    model = Distances().eval()
    queries, known = patches()

    def evaluate(params: Params) -> Metrics:
        described = TFeat().eval()
        described.load_state_dict(params)
        with torch.inference_mode():
            sought, found = (
                torch.cat([described(part) for part in images.split(200)]) for images in (queries, known)
            )
        nearest = torch.cdist(sought, found).argmin(1)
        return {"accuracy": float((nearest == torch.arange(len(nearest))).double().mean())}

    return Pair("TFeat (tanh)", f"{first}, {second}", model, known[:4], a, b, evaluate)


def patches() -> tuple[Tensor, Tensor]:
    """Grey pictures of 32 x 32, and the same shifted by a pixel each way, with noise of a tenth of their deviation."""
    pixels = cifar.load_images("test").pixels[:PATCHES].astype(np.float32).mean(axis=-1) / 255
    known = torch.from_numpy(pixels)[:, None]
    noise = torch.randn(known.shape, generator=torch.Generator().manual_seed(0))
    return known.roll((1, 1), (2, 3)) + 0.1 * known.std() * noise, known


def pairs(options: argparse.Namespace) -> list[Callable[[], Pair]]:
    tanh = [(Recipe("Tanh", layers),) * 2 for layers in (2, 3)]
    relu = [(Recipe("ReLU", 2), Recipe("ReLU", 2, DECAY))]
    of_mnist = [
        lambda seeds=seeds, recipes=recipes: perceptrons(seeds, recipes, options)
        for recipes in [*tanh, *relu]
        for seeds in options.seeds
    ]
    names = ("liberty", "notredame", "yosemite")
    of_patches = [
        lambda first=first, second=second: descriptors(first, second)
        for number, first in enumerate(names)
        for second in names[number + 1 :]
    ]
    return [*of_mnist, *of_patches]


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.add_argument("--quick", action="store_true", help="one pair of seeds each")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.seeds = SEEDS[:1] if options.quick else SEEDS
    rows = []
    for make in pairs(options):
        pair = make()
        found = {method: pair.row(method) for method in METHODS}
        groups = sorted({symmetry.group for symmetry in pair.spec.symmetries})
        rows.append({"kind": pair.kind, "seeds": pair.seeds, "groups": groups, "methods": found})
        print(rows[-1], file=sys.stderr, flush=True)
    name = "symmetric_pairs_quick" if options.quick else "symmetric_pairs"
    folder = options.cache if options.quick else options.results
    finish(name, {"pairs": rows}, text_of(rows), folder)


def text_of(rows: list[dict[str, Any]]) -> str:
    """Two tables: one row a pair, three columns for each measure."""
    measures = [
        ("barrier of the test loss", lambda row: f"{row['barrier']:.3f}" if row["barrier"] == row["barrier"] else "–"),
        ("accuracy at the midpoint", lambda row: f"{row['middle']['accuracy']:.1%}"),
        ("cosine", lambda row: f"{row['cosine']:.3f}"),
    ]  # fmt: skip
    header = ["pair", "", "ends, accuracy"]
    header += [f"{measure}: {word}" for measure, _ in measures for word in METHODS.values()]
    cells = [
        [
            row["kind"], row["seeds"],
            " / ".join(f"{end['accuracy']:.1%}" for end in row["methods"]["naive"]["ends"]),
            *(shown(row["methods"][method]) for _, shown in measures for method in METHODS),
        ]
        for row in rows
    ]  # fmt: skip
    note = NOTE.format(epochs=EPOCHS, decay=DECAY, patches=PATCHES)
    return f"### Signs and scales between networks trained apart\n\n{markdown_table(header, cells)}\n\n{note}"


if __name__ == "__main__":
    main()
