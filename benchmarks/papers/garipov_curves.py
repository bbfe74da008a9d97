"""Garipov et al. 2018, figure 2 and the tables of their program: loss and error along curves between two networks.

Bézier curves and polygonal chains with one bend are trained between two networks as they are, and between the
matched ones, and measured beside the straight lines::

    REBASIN_FAST_DATA=... python benchmarks/papers/garipov_curves.py [--quick]

MNIST perceptrons take 2 minutes on one free core, narrow CIFAR-10 VGG-16s 4 (``networks/cifar_training.py`` trains them
before). ``--seconds`` begins nothing new after these; finished and unfinished curves are kept in the cache.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table

import rebasin_fast as rf
from papers.trained_pairs import PAIRS, SHAPES, TrainedPair, add_options
from rebasin_fast._drawing import STYLES, label_axes
from rebasin_fast.plots import save_figure

WORDS = {"line": "straight line", "bezier": "Bézier curve", "polygonal": "polygonal chain"}
# Of CIFAR-10's VGG-16 (width 64, 200 epochs; curves 600 epochs): least and greatest training loss with the decay's
# term, least and greatest test error (%); from the README of timgaripov/dnn-mode-connectivity.
PUBLISHED = {
    "ends": (0.24, 0.24, 6.79, 6.94),
    "bezier": (0.14, 0.24, 6.79, 7.75),
    "polygonal": (0.16, 0.27, 6.79, 8.08),
}
PUBLISHED_NOTE = (
    "The published networks have 64 channels at first and no normalisation, trained for 200 epochs, their curves for "
    "600; their training losses hold the term of the weight decay, ours are cross-entropies."
)


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--seconds", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--points", type=int, default=9, help="on each path")
    add_options(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    options.points = 5 if options.quick else options.points
    until = time.perf_counter() + options.seconds
    for network in options.networks:
        pair = PAIRS[network](options)
        curves = measured(pair, options, until)
        name = f"garipov_curves_{network}{'_quick' if options.quick else ''}"
        results = {label: curve.to_dict() for label, curve in curves.items()}
        finish(name, results, text_of(pair, curves, options), options.results)
        draw(pair, curves, options.results / f"{name}.png")


def measured(pair: TrainedPair, options: Any, until: float) -> dict[str, rf.LossCurve]:
    """Losses and errors along every path, from the cache where it has them."""
    found = {}
    for kind in ("line", *SHAPES):
        for matched in (False, True):
            label = f"{kind} {'matched' if matched else 'as they are'}"
            recipe = f"{pair.epochs}_{pair.images}_{pair.rate:g}_{options.points}_{pair.measured}"
            path = options.cache / f"along_{pair.name}_{label.replace(' ', '_')}_{recipe}.npz"
            if not path.exists():
                if time.perf_counter() > until:
                    continue
                started = time.perf_counter()
                if kind == "line":
                    curve = rf.loss_curve(pair.evaluate, pair.a, pair.end(matched), options.points)
                else:
                    trained = pair.curve(kind, matched, options.cache)
                    curve = rf.loss_curve(pair.evaluate, ts=options.points, path=trained)
                curve.save(path)
                print(f"{label}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            found[label] = rf.LossCurve.load(path)
    return found


def text_of(pair: TrainedPair, curves: dict[str, rf.LossCurve], options: Any) -> str:
    ends = next(iter(curves.values()))
    rows = [["the two networks", *extremes(ends, [0, -1]), "", published(pair, "ends")]]
    for label, curve in curves.items():
        kind, _, side = label.partition(" ")
        where = np.arange(len(curve.ts))
        barrier = f"{curve.barrier(metric='train loss'):.3f}"
        rows.append([f"{WORDS[kind]}, {side}", *extremes(curve, where), barrier, published(pair, kind)])
    header = [
        "path",
        "train loss",
        "test error (%)",
        "barrier (train loss)",
        "published: train loss; test error (%)",
    ]
    note = (
        f"Least and greatest value at {options.points} points; {pair.measured:,} training and {len(pair.test[1]):,} "
        f"test images. One bend, {pair.epochs} epoch{'s' * (pair.epochs > 1)} of {pair.images:,} images in "
        f"batches of {pair.batch}, SGD with rate {pair.rate:g}, momentum 0.9 and the published fall of the rate. "
        "A bend has weight 1/2 in the middle of a Bézier curve, 1 in that of a chain, which makes its steps larger. "
        f"{PUBLISHED_NOTE if pair.name == 'vgg16' else ''}"
    )
    return f"### {pair.title}\n\n{markdown_table(header, rows)}\n\n{note}"


def extremes(curve: rf.LossCurve, where: Any) -> list[str]:
    losses, errors = (curve.values[name][where] for name in ("train loss", "test error"))
    return [f"{losses.min():.3g} – {losses.max():.3g}", f"{errors.min():.2f} – {errors.max():.2f}"]


def published(pair: TrainedPair, kind: str) -> str:
    if pair.name != "vgg16" or kind not in PUBLISHED:
        return ""
    low, high, least, most = PUBLISHED[kind]
    return f"{low:.2f} – {high:.2f}; {least:.2f} – {most:.2f}"


def draw(pair: TrainedPair, curves: dict[str, rf.LossCurve], path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(10.6, 4.4), layout="constrained", facecolor="white")
    for panel, metric in zip(figure.subplots(1, 2), ("train loss", "test error"), strict=True):
        for label, curve in curves.items():
            kind, _, side = label.partition(" ")
            style = STYLES[list(WORDS).index(kind)]
            matched = side == "matched"
            panel.plot(
                curve.ts, curve.values[metric], color=style.colour, linestyle="-" if matched else (0, (2, 1.5)),
                marker=style.marker, markersize=5, markeredgecolor="white", linewidth=2.2,
                label=f"{WORDS[kind]}, {side}",
            )  # fmt: skip
        panel.set_yscale("log")
        low, high = panel.dataLim.intervaly
        panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0,)))
        panel.yaxis.set_major_formatter(lambda value, _place: f"{value:g}")
        panel.yaxis.set_minor_formatter(NullFormatter())
        title = {"train loss": "training loss (nats)", "test error": "test error (%)"}[metric]
        label_axes(panel, title=title, x="t, from network A (0) to network B (1)")
    handles = panel.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(pair.title, x=0.01, ha="left", fontsize=12)
    save_figure(figure, path, overwrite=True)


if __name__ == "__main__":
    main()
