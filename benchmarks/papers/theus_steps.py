"""Barrier between two character-level GPTs against the steps of refinement on the groups of their symmetries.

Gradient steps on the matrices of B's units (``straight_through_matching(…, symmetries="all", gradient="group")``), at a
rate that falls by a cosine, from the matching of the weights::

    REBASIN_FAST_DATA=... python benchmarks/papers/theus_steps.py [--steps 400 1500] [--most-layers 2]

The networks are those of ``theus_line.py``; those that are not trained are left out. Half a minute on one core for 400
steps of 2 layers of 64, two for 4 layers of 128. Lines and states are kept in the cache.
"""

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table

import rebasin_fast as rf
from papers.theus_line import NETWORKS, Gpts
from papers.transformer_pairs import BATCH

NOTE = (
    "Adam at 0.01, falling by a cosine over the steps, {batch} sequences of the training text a step; orders and signs "
    "are those of the matching of the weights. Held-out loss in nats a character on {test:,} sequences; barrier as in "
    "`theus_line.py`, over {points} points. Published for GPT-2 with maps learned on data: .02. One pair a row."
)


def refined_line(pair: Gpts, steps: int) -> rf.LossCurve:
    """Held-out losses between A and B after a number of steps."""
    size = f"{pair.options.points}points_{pair.options.sequences}sequences"
    path = pair.options.cache / f"theus_{pair.recipe.name}_group_{steps}steps_{size}.npz"
    if not path.exists():
        pair.measured(*pair.refined_on_groups(steps).endpoints(*pair.ends)).save(path, overwrite=True)
    return rf.LossCurve.load(path)


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.set_defaults(results=RESULTS / "papers", quick=False)
    parser.add_argument("--steps", type=int, nargs="+", default=[400, 1_500])
    parser.add_argument("--most-layers", type=int, default=4, help="leave larger networks out")
    parser.add_argument("--points", type=int, default=9, help="on each line (odd)")
    parser.add_argument("--sequences", type=int, default=1_000, help="of the held-out text")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found: dict[str, dict[int, rf.LossCurve]] = {}
    for steps in options.steps:
        for recipe in NETWORKS:
            pair = Gpts(recipe, options)
            if recipe.layers <= options.most_layers and pair.is_trained:
                curve = found.setdefault(pair.title, {})[steps] = refined_line(pair, steps)
                print(
                    f"{pair.title}: {steps} steps, barrier {curve.barrier():.3f}", file=sys.stderr, flush=True
                )
    results = {title: {str(n): curve.to_dict() for n, curve in own.items()} for title, own in found.items()}
    finish("theus_steps", results, text_of(found, options), options.results)


def text_of(found: dict[str, dict[int, rf.LossCurve]], options: argparse.Namespace) -> str:
    """One row a network and number of steps."""
    rows = [
        [
            title,
            f"{steps:,}",
            f"{curve.barrier():.3f}",
            f"{losses[len(losses) // 2]:.3f}",
            f"{losses[0]:.3f} / {losses[-1]:.3f}",
        ]
        for title, own in found.items()
        for steps, curve in own.items()
        for losses in [curve.values["loss"]]
    ]
    header = ["networks", "steps of refinement", "barrier", "loss, midpoint", "loss, A / B"]
    note = NOTE.format(batch=BATCH, test=options.sequences, points=options.points)
    return f"### Transformers refined on the groups of their symmetries\n\n{markdown_table(header, rows)}\n\n{note}"


if __name__ == "__main__":
    main()
