"""Singular vectors of matched networks: Ito, Yamada and Kumagai (ICLR 2025, arXiv 2402.04051).

R with and without a permutation (figure 2), the reduction of the L2 distance (table 1), singular values of both
networks and their average, inner products of right singular vectors with inputs, R between the average and its
parents, and all of it against width, from one command::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/papers/ito_singular.py

Networks: MNIST perceptrons 784-512-512-512-10 (the three pairs of seeds 0, 1, 2), a narrow CIFAR-10 VGG-16 and two
public CIFAR-10 ResNet-20 with BatchNorm. About 3 minutes with the networks in the cache, 6 minutes of training before
that; the VGG-16s are trained by ``benchmarks/networks/cifar_training.py`` and left out until they are. Parts of an
earlier run are taken from ``ito_singular.json``; ``--fresh`` measures them again. ``--quick``: narrow perceptrons, a
minute.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, earlier_results, finish
from common.environment import RESULTS, write_results
from networks import cifar, mnist, resnet20, training
from networks.cifar_training import Recipe, snapshot
from networks.storage import cached_arrays

import rebasin_fast as rf
from papers.ito_pictures import drawn
from papers.ito_tables import tables
from rebasin_fast.analysis import SingularAlignment, distance_reduction, input_alignment, singular_alignment
from rebasin_fast.evaluation import load_into

Params = Mapping[str, Any]
NAME = "ito_singular"
SEEDS = ((0, 1), (0, 2), (1, 2))
WIDTHS = (32, 128, 512)
THRESHOLDS = (0.0, 0.3)
STE_EPOCHS = 6  # of 10,000 images: as many steps as one epoch of all


@dataclass(frozen=True)
class Pair:
    """Two networks, a model that runs them, batches of training images, and the layer that is drawn."""

    network: str
    a: Params
    b: Params
    model: nn.Module
    spec: rf.PermutationSpec
    batches: list[torch.Tensor]
    shown: str
    labels: torch.Tensor | None = None  # where the straight-through estimator is run, too
    with_parents: bool = True

    @property
    def measured_batches(self) -> list[torch.Tensor]:
        """Of images, whose positions are samples, 200 suffice."""
        return self.batches[:2] if self.batches[0].ndim == 4 else self.batches


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--quick", action="store_true", help="perceptrons of width 64, trained for one epoch")
    parser.add_argument(
        "--fresh", action="store_true", help="measure parts again that an earlier run measured"
    )
    parser.add_argument("--widths", nargs="+", type=int, help="of the study of width", default=list(WIDTHS))
    parser.add_argument("--parts", nargs="+", default=["mlp", "width", "resnet20", "vgg16"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    name = f"{NAME}_quick" if options.quick else NAME
    parts = {} if options.fresh else earlier_results(name, options.results).get("parts", {})
    for part, make in jobs(options).items():
        if part in parts:
            continue
        pair = make()
        if pair is not None:
            print(f"measuring {part}", file=sys.stderr, flush=True)
            parts[part] = measured(pair, options)
            meanwhile = earlier_results(name, options.results).get("parts", {})  # another run's
            parts = dict(sorted({**({} if options.fresh else meanwhile), **parts}.items(), key=order_of))
            write_results(name, {"parts": parts}, tables(parts), options.results)
    finish(name, {"parts": parts}, tables(parts), options.results)
    drawn(parts, options.results / f"{name}.png")


def order_of(item: tuple[str, Any]) -> tuple[str, int]:
    name, _, number = item[0].partition(" ")
    return name, int(number.partition(" ")[0] or 0)


def jobs(options: argparse.Namespace) -> dict[str, Callable[[], Pair | None]]:
    """Part -> its pair of networks, or None where they are not trained yet."""
    hidden, widths = ((64,) * 3, (16, 64)) if options.quick else (mnist.HIDDEN, options.widths)
    found: dict[str, Callable[[], Pair | None]] = {}
    if "mlp" in options.parts:
        for seeds in SEEDS[:1] if options.quick else SEEDS:
            found[f"mlp {seeds[0]} {seeds[1]}"] = lambda seeds=seeds: perceptrons(seeds, hidden, options)
    if "width" in options.parts:
        for width in widths:
            found[f"width {width}"] = lambda width=width: perceptrons(
                (0, 1), (width,) * 3, options, short=True
            )
    if not options.quick:
        found |= {"resnet20": lambda: public_resnets(options)} if "resnet20" in options.parts else {}
        found |= {"vgg16": lambda: narrow_vggs(options)} if "vgg16" in options.parts else {}
    return found


def perceptrons(
    seeds: tuple[int, int], hidden: tuple[int, ...], options: argparse.Namespace, *, short: bool = False
) -> Pair:
    """MNIST perceptrons; ``short`` for R, distance and inputs alone, by weight and activation matching."""
    if options.quick:
        name = f"mnist_mlp_{'-'.join(map(str, hidden))}_1epochs_seed"
        a, b = (
            cached_arrays(
                options.cache, name + str(seed), lambda seed=seed: mnist.train(seed, hidden, epochs=1)
            )  # type: ignore[misc]
            for seed in seeds
        )
    else:
        a, b = (mnist.trained_mlp(seed, options.cache, hidden) for seed in seeds)
    images, count = mnist.load_images("train"), 1000 if options.quick else 10_000
    names = mnist.layer_names(len(hidden) + 1)
    model, batches = training.perceptron_with(a), list(torch.from_numpy(images.inputs[:count]).split(500))
    title = f"MNIST perceptron, width {hidden[0]}"
    labels = torch.from_numpy(images.labels[:count]) if seeds == SEEDS[0] and not short else None
    return Pair(title, a, b, model, rf.specs.mlp(names), batches, f"{names[1]}.weight", labels, not short)


def public_resnets(options: argparse.Namespace) -> Pair:
    """The two public checkpoints with BatchNorm."""
    a, b = (resnet20.load_checkpoint(which) for which in "ab")
    batches = cifar_batches(options)
    network = "CIFAR-10 ResNet-20, BatchNorm, width 16 (public)"
    return Pair(
        network, a, b, resnet20.model_with(a), rf.specs.for_params(a), batches, "layer2.1.conv1.weight"
    )


def narrow_vggs(options: argparse.Namespace) -> Pair | None:
    """VGG-16 with LayerNorm, of a quarter of the published width."""
    recipes = [Recipe("vgg16", 16, seed, 8) for seed in (0, 1)]
    for recipe in recipes:
        if not snapshot(recipe.path(options.cache), recipe.epochs).exists():
            print(f"left out, not trained yet: {recipe.command()}", file=sys.stderr)
            return None
    a, b = (recipe.after(recipe.epochs, options.cache) for recipe in recipes)
    model = training.loaded(recipes[0].build(), a)
    spec = rf.trace_spec(model, torch.zeros(2, 3, 32, 32))
    network = "CIFAR-10 VGG-16, LayerNorm, width 16 of 64"
    convolutions = [name for name, tensor in a.items() if tensor.ndim == 4]
    return Pair(network, a, b, model, spec, cifar_batches(options), convolutions[5])


def cifar_batches(options: argparse.Namespace) -> list[torch.Tensor]:
    return list(training.batches(cifar.load_images("train", options.cache).sample(1000, seed=0), 100))


def measured(pair: Pair, options: argparse.Namespace) -> dict[str, Any]:
    """Every measure of one pair, as JSON values: by measure and permutation."""
    own = input_alignment(pair.model, pair.a, pair.measured_batches)
    record: dict[str, Any] = {
        "network": pair.network,
        "shown": pair.shown,
        "inputs": {"own": summary_of_inputs(own, pair.shown)},
        "values": {"A": own.values[pair.shown].tolist()},
    }
    for name, permutation in permutations_of(pair, options).items():
        for measure, value in measures(pair, permutation).items():
            record.setdefault(measure, {})[name] = value
    record["values"]["B"] = record.pop("values of B")["none"]
    return record


def permutations_of(pair: Pair, options: argparse.Namespace) -> dict[str, Mapping[str, Any] | None]:
    """None, weight matching, activation matching, and where there are labels the straight-through estimator."""
    models = [with_params(pair.model, params) for params in (pair.a, pair.b)]
    found = {
        "WM": rf.weight_matching(pair.spec, pair.a, pair.b, threads=options.threads),
        "AM": rf.activation_matching(pair.spec, *models, pair.batches),
    }
    if pair.labels is not None:
        data = list(zip(pair.batches, pair.labels.split(len(pair.batches[0])), strict=True))
        found["STE"] = rf.straight_through_matching(
            pair.spec, pair.model, pair.a, pair.b, data, nn.functional.cross_entropy,
            epochs=STE_EPOCHS, threads=options.threads,
        )  # fmt: skip
    return {"none": None} | {name: matching.permutation for name, matching in found.items()}


def measures(pair: Pair, permutation: Mapping[str, Any] | None) -> dict[str, Any]:
    """The measures of one permutation, or of the networks as they are."""
    aligned = singular_alignment(pair.spec, pair.a, pair.b, permutation, threshold=0.0)
    found = {
        "R": at_thresholds(aligned),
        "per layer": dict(zip(aligned.layers, aligned.at(0.3).ratios.tolist(), strict=True)),
        "values": aligned.values_average[pair.shown].tolist(),
        "values of B": aligned.values_b[pair.shown].tolist(),
    }
    moved = pair.b
    if permutation is not None:
        found["reduction"] = distance_reduction(pair.spec, pair.a, pair.b, permutation).reduction
        moved = rf.apply_permutation(pair.spec, permutation, pair.b)
    average = rf.interpolate(pair.a, moved, 0.5)
    inputs = input_alignment(pair.model, repaired(pair, average), pair.measured_batches, vectors=pair.a)
    found["inputs"] = summary_of_inputs(inputs, pair.shown)
    if pair.with_parents:
        found["parents"] = {
            which: at_thresholds(singular_alignment(pair.spec, average, parent, threshold=0.0))
            for which, parent in {"A": pair.a, "B": moved}.items()
        }
    return found


def at_thresholds(found: SingularAlignment) -> dict[str, float]:
    return {str(threshold): found.at(threshold).ratio for threshold in THRESHOLDS}


def with_params(model: nn.Module, params: Params) -> nn.Module:
    """A copy of the model that has these parameters."""
    other = deepcopy(model)
    load_into(other, params)
    return other.eval()


def repaired(pair: Pair, average: Params) -> Params:
    """The average, its BatchNorm statistics measured again."""
    if not pair.spec.unmatched:
        return average
    model = with_params(pair.model, average)
    rf.reset_batch_norm(model, pair.batches)
    return model.state_dict()


def summary_of_inputs(found: Any, shown: str) -> dict[str, Any]:
    """Mean cosine over chance: of leading singular vectors (from 0.3 of the largest value) and of the others."""
    leading, others = [], []
    for number, layer in enumerate(found.layers):
        relative = found.values[layer] / found.values[layer][0]
        over = found.cosines[layer] / found.chance[number]
        leading += [over[relative >= 0.3].mean()]
        others += [over[relative < 0.3].mean()] if (relative < 0.3).any() else []
    return {
        "leading": float(np.mean(leading)),
        "others": float(np.mean(others)) if others else None,
        "cosines": found.cosines[shown].tolist(),
        "chance": float(found.chance[found.layers.index(shown)]),
        "values": found.values[shown].tolist(),
    }


if __name__ == "__main__":
    main()
