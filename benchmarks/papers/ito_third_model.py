"""Barriers among three models: Ito, Yamada and Kumagai (ICLR 2025), figure 6 and table 4.

B and C are matched to A, and never to each other: the barrier between π_b(B) and π_c(C) shows whether a method is
transitive. Naive, weights, activations and the straight-through estimator on MNIST perceptrons 784-512-512-512-10 of
seeds 0, 1, 2, each of them in the role of A::

    REBASIN_FAST_DATA=... python benchmarks/papers/ito_third_model.py [--quick]

About 2 minutes on one idle core with the networks in the cache; permutations are kept
there. ``--quick``: one role, few images and steps.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import mnist

from papers import line_pictures, matched_pairs
from papers.matched_pairs import METHODS, WORDS, Labelled, Pair, Sizes
from rebasin_fast.analysis import MutualBarriers, loss_plane, mutual_barriers

NAMES = ("A", "π(B)", "π(C)")
PLANES = ("weights", "straight_through")  # of figure 6
PUBLISHED = {
    "naive": "–",
    "weights": "smaller than with the straight-through estimator",
    "activations": "–",
    "straight_through": "larger than with weight matching",
}
NOTE = (
    "Barrier: L(1/2) - (L(0) + L(1)) / 2 in nats on {images:,} {split} images; mean ± deviation over the {roles} "
    "choices of A among seeds 0, 1, 2. B and C are matched to A alone. The last row matches B and C to each "
    "other. Straight-through: {steps} minibatches of {batch}, from weight matching's result on. Published: "
    "section 6 (“the barrier between π_b(θ_b) and π_c(θ_c) is smaller with WM than with STE”) as reviews on "
    "OpenReview quote it; one finds the differences of table 4 minimal. Its numbers were not at hand; there the "
    "straight-through estimator trains longer and goes further from weight matching. VGG-16: two seeds are "
    "trained here, and a third would take a quarter of an hour: left out."
)


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--points", type=int, default=3, help="on each line (odd)")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=60, help="of the straight-through estimator")
    parser.add_argument("--quick", action="store_true", help="one role, 500 images, ten steps")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    name, roles = "ito_third_model", [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
    if options.quick:
        name, roles = f"{name}_quick", roles[:1]
        options.images, options.steps = 500, 10
    data = matched_pairs.mnist_data()
    found: dict[str, list[MutualBarriers]] = {}
    direct = []
    for a, b, c in roles:
        to_b, to_c, between = (pair_of(*seeds, data, options) for seeds in ((a, b), (a, c), (b, c)))
        for method in METHODS:
            models = partial(models_of, to_b, to_c, method, options.cache)
            barriers = measured(f"{a}{b}{c}_{method}", models, to_b, options)
            found.setdefault(method, []).append(barriers)
            print(f"A is seed {a}: {WORDS[method]} done", file=sys.stderr, flush=True)
        pair = partial(directly, between, options.cache)
        direct.append(measured(f"{b}{c}_weights", pair, between, options))
    draw(found, pair_of(0, 1, data, options), pair_of(0, 2, data, options), options, name)
    finish(name, as_json(found, direct), text_of(found, direct, options), options.results)


def pair_of(a: int, b: int, data: tuple[Labelled, Labelled], options: argparse.Namespace) -> Pair:
    """Two perceptrons; B is matched to A."""
    name = "mnist_512" if (a, b) == (0, 1) else f"mnist_512_seeds{a}-{b}"
    sizes = Sizes(options.images, options.images, options.steps, 100 if options.quick else 500)
    params = [mnist.trained_mlp(seed, options.cache) for seed in (a, b)]
    return matched_pairs.mnist_pair(name, "MNIST, MLP 3 × 512", *params, data, sizes)


def models_of(to_b: Pair, to_c: Pair, method: str, cache: Path) -> dict[str, Any]:
    return dict(zip(NAMES, (to_b.a, to_b.matched(method, cache), to_c.matched(method, cache)), strict=True))


def directly(pair: Pair, cache: Path) -> dict[str, Any]:
    return {"B": pair.a, "π(C)": pair.matched("weights", cache)}


def measured(
    name: str, models: Callable[[], dict[str, Any]], pair: Pair, options: argparse.Namespace
) -> MutualBarriers:
    """Losses on training and test images on the lines between the models, kept in the cache."""
    effort = f"_{options.steps}steps" if name.endswith("straight_through") else ""
    sizes = f"{options.points}points_{options.images}images"
    path = options.cache / f"mutual_mnist_512_seeds{name}{effort}_{sizes}.npz"
    if not path.exists():
        mutual_barriers(pair.evaluate, models(), ts=options.points).save(path)
    return MutualBarriers.load(path)


def draw(
    found: dict[str, list[MutualBarriers]], to_b: Pair, to_c: Pair, options: argparse.Namespace, name: str
) -> None:
    """Barriers of the training loss of the first role, and the planes of figure 6 with the test loss."""
    figure, panels = line_pictures.new_figure(len(METHODS) + len(PLANES), rows=2, width=4.2, height=3.8)
    for panel, (method, barriers) in zip(panels, found.items(), strict=False):
        barriers[0].plot(panel, metric="train_loss", definition="midpoint")
        panel.set_title(WORDS[method], loc="left", fontsize=11)
    data = to_b.test.first(min(options.images, 1000))

    def evaluate(params: Any) -> float:
        return matched_pairs.scores(to_b.outputs(to_b.with_params(params), data), data)["loss"]

    for panel, method in zip(panels[len(METHODS) :], PLANES, strict=True):
        models = models_of(to_b, to_c, method, options.cache)
        plane = loss_plane(evaluate, *models.values(), points=5 if options.quick else 11)
        plane.plot(panel, labels=list(NAMES))
        panel.set_title(f"{WORDS[method]}: test loss", loc="left", fontsize=11)
    line_pictures.save(
        figure,
        panels[0],
        options.results / f"{name}.png",
        "B and C matched to A, not to each other: barriers of the training loss, and planes of the test loss",
    )


def text_of(
    found: dict[str, list[MutualBarriers]], direct: list[MutualBarriers], options: argparse.Namespace
) -> str:
    """One row a method: the barriers to A and between the two that were matched to it."""
    rows = []
    for method, several in found.items():
        row = [WORDS[method], PUBLISHED[method]]
        for split in ("test", "train"):
            matrices = [each.barriers("midpoint", f"{split}_loss") for each in several]
            row += [spread([m[0, 1] for m in matrices] + [m[0, 2] for m in matrices])]
            row += [spread([m[1, 2] for m in matrices])]
        rows.append(row)
    between = [
        spread([m.barriers("midpoint", f"{split}_loss")[0, 1] for m in direct]) for split in ("test", "train")
    ]
    rows.append(["weight matching of B and C", "–", "", between[0], "", between[1]])
    header = [
        "B and C matched to A by", "published barrier π_b(B)–π_c(C)", "A–π(B) and A–π(C), test", "π_b(B)–π_c(C), test",
        "A–π(B) and A–π(C), train", "π_b(B)–π_c(C), train",
    ]  # fmt: skip
    note = NOTE.format(
        images=options.images, split="training and as many test", roles=len(direct),
        steps=options.steps, batch=100 if options.quick else 500,
    )  # fmt: skip
    title = "### Ito et al., figure 6 and table 4: barriers among three models"
    return f"{title}\n\n{markdown_table(header, rows)}\n\n{note}"


def spread(values: list[float]) -> str:
    """Mean and sample deviation, or the one value."""
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"


def as_json(found: dict[str, list[MutualBarriers]], direct: list[MutualBarriers]) -> dict[str, Any]:
    return {
        name: [
            {"ts": each.ts.tolist(), **{m: v.tolist() for m, v in each.values.items()}} for each in several
        ]
        for name, several in {**found, "direct": direct}.items()
    }


if __name__ == "__main__":
    main()
