"""Agreement of the permutations of three methods: Ito, Yamada and Kumagai (ICLR 2025).

The share of units that weight matching (WM), activation matching (AM) and the straight-through estimator (STE) place
alike, for each permutation, with mean and deviation over seeds: two public ResNet-20 checkpoints with BatchNorm and
three seeds of the matching, ResNet-20 of width 16 with LayerNorm likewise, and MNIST perceptrons of three pairs of
seeds::

    REBASIN_FAST_DATA=... python benchmarks/papers/ito_agreement.py [--quick]

About 3 minutes on one idle core with the networks in the cache; permutations are kept there. ``--quick``: one pair of
perceptrons, ten steps.
"""

import argparse
import copy
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks.storage import cached_arrays

import rebasin_fast as rf
from papers import git_rebasin_line, ito_taylor, line_pictures, matched_pairs
from papers.matched_pairs import Pair, Sizes
from rebasin_fast.analysis import Agreement, permutation_agreement

SHORT = {"weights": "WM", "activations": "AM", "straight_through": "STE"}
NETWORKS = ("public", "resnet20", "mnist")
PUBLISHED = {"WM–AM": "6.7–28.6 %", "WM–STE": "at most 1.25 %", "AM–STE": "–"}
Permutations = dict[str, list[Any]]  # short name of a method -> its permutation from each seed
Found = dict[str, dict[str, Agreement]]  # networks -> pair of methods -> agreement


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--seconds", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--steps", type=int, default=40, help="of the straight-through estimator, ResNet-20")
    parser.add_argument("--images", type=int, default=1000, help="of activation matching, ResNet-20")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the matching, ResNet-20")
    parser.add_argument("--mnist-steps", type=int, default=ito_taylor.STEPS, help="the same, perceptrons")
    parser.add_argument("--quick", action="store_true", help="one pair of perceptrons, ten steps")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    name, until = "ito_agreement", time.perf_counter() + options.seconds
    if options.quick:
        name, options.networks, options.mnist_steps = f"{name}_quick", ["mnist"], 10
    found: Found = {}
    for network in options.networks:
        if time.perf_counter() < until:
            title, permutations = permutations_of(network, options)
            if permutations:
                found[title] = agreements(permutations)
    draw(found, options.results / f"{name}.png")
    finish(name, as_json(found), text_of(found, options), options.results)


def permutations_of(network: str, options: argparse.Namespace) -> tuple[str, Permutations]:
    """Title of the networks, and every method's permutations; none where they are not trained yet."""
    found: Permutations = {short: [] for short in SHORT.values()}
    if network == "mnist":
        steps = argparse.Namespace(**{**vars(options), "steps": options.mnist_steps})
        pairs = list(ito_taylor.pairs("mnist", steps))
        for pair, (method, short) in itertools.product(pairs, SHORT.items()):
            found[short].append(dict(pair.permutation(method, options.cache)))
        return pairs[0].title, found
    pair = git_rebasin_line.PAIRS[network](options, Sizes(test=100))
    if pair is None:
        return network, {}
    for seed, (method, short) in itertools.product(options.seeds, SHORT.items()):
        found[short].append(seeded(pair, method, seed, options))
        print(f"{pair.title}: {short} of seed {seed} done", file=sys.stderr, flush=True)
    return pair.title.replace(" reset", ""), found


def seeded(pair: Pair, method: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The permutation of one seed: of the search, or of the images and their order."""
    effort = {"straight_through": f"_{options.steps}steps", "activations": f"_{options.images}images"}.get(
        method, ""
    )
    drawn = np.random.default_rng(seed).permutation(len(pair.train.labels))
    inputs, labels = pair.train.inputs[drawn], pair.train.labels[drawn]

    def find() -> dict[str, Any]:
        if method == "weights":
            return rf.weight_matching(pair.spec, pair.a, pair.b, rng=seed, threads=1).permutation
        with pair.products():
            if method == "activations":
                models = pair.with_params(pair.a), pair.with_params(pair.b)
                return rf.activation_matching(
                    pair.spec, *models, inputs[: options.images].split(100)
                ).permutation
            size = pair.sizes.batch
            batches = list(zip(inputs.split(size), labels.split(size), strict=True))[: options.steps]
            return rf.straight_through_matching(
                pair.spec, copy.deepcopy(pair.model), pair.a, pair.b, batches, matched_pairs.cross_entropy, rng=seed,
                learning_rate=pair.rate, evaluate_every=max(5, options.steps // 10), kept_batches=5, threads=1,
            ).permutation  # fmt: skip

    name = f"permutation_{pair.name}_{method}{effort}_seed{seed}"
    return dict(cached_arrays(options.cache, name, find))


def agreements(permutations: Permutations) -> dict[str, Agreement]:
    """Every two methods, seed by seed; and each method with itself between seeds of one pair of networks."""
    return {
        f"{first}–{second}": permutation_agreement(permutations[first], permutations[second])
        for first, second in itertools.combinations(permutations, 2)
    }


def draw(found: Found, path: Path) -> None:
    """One panel a pair of networks: shares by permutation."""
    figure, panels = line_pictures.new_figure(len(found), width=5.6, height=4.4)
    for panel, (title, pairs) in zip(panels, found.items(), strict=True):
        for style, (pair, agreement) in enumerate(pairs.items()):
            agreement.plot(panel, label=pair, style=style)
        panel.set_title(title, loc="left", fontsize=10.5)
    title = "Units that two methods place alike (grey: by chance)"
    line_pictures.save(figure, panels[0], path, title)


def text_of(found: Found, options: argparse.Namespace) -> str:
    """The range over permutations for each pair of methods, and all permutations below."""
    rows, tables = [], []
    for title, pairs in found.items():
        for pair, agreement in pairs.items():
            means = np.array(list(agreement.mean.values()))
            chances = np.array(list(agreement.chance.values()))
            published = PUBLISHED[pair] if "ResNet-20" in title else "–"
            rows.append([
                title, pair, published, f"{means.min():.1%} to {means.max():.1%}",
                percent(agreement.total), f"{chances.min():.2%} to {chances.max():.2%}",
            ])  # fmt: skip
        tables.append(by_permutation(title, pairs))
    header = [
        "networks",
        "methods",
        "published, ResNet-20",
        "ours, over permutations",
        "all units",
        "by chance",
    ]
    size = 100 if options.quick else 500
    steps = f"{options.steps} minibatches of 100 (perceptrons: {options.mnist_steps} of {size})"
    note = (
        f"Mean ± sample deviation over {len(options.seeds)} seeds of the matching for the ResNet-20s (search of WM, "
        f"{options.images:,} images of AM, order of the minibatches of STE; the checkpoints are the same), over 3 "
        f"pairs of networks for the perceptrons. STE starts at WM's result and runs {steps}; the paper trains "
        "longer. By chance: 1 / n for n units."
    )
    title = "### Ito et al.: agreement of permutations"
    return "\n\n".join([title, markdown_table(header, rows), note, *tables])


def by_permutation(title: str, pairs: dict[str, Agreement]) -> str:
    first = next(iter(pairs.values()))
    rows = [
        [
            name,
            str(units),
            *(percent(agreement.shares[name]) for agreement in pairs.values()),
            f"{first.chance[name]:.2%}",
        ]
        for name, units in first.units.items()
    ]
    return f"{title}\n\n" + markdown_table(["permutation", "units", *pairs, "by chance"], rows)


def percent(shares: Any) -> str:
    """Mean and sample deviation."""
    mean = f"{np.mean(shares):.1%}"
    return mean if len(shares) == 1 else f"{mean} ± {100 * np.std(shares, ddof=1):.1f}"


def as_json(found: Found) -> dict[str, Any]:
    return {
        title: {
            pair: {"total": agreement.total.tolist(), **{n: s.tolist() for n, s in agreement.shares.items()}}
            for pair, agreement in pairs.items()
        }
        for title, pairs in found.items()
    }


if __name__ == "__main__":
    main()
