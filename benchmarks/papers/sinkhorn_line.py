"""Loss and accuracy along the line after re-basin, as drawn in the Sinkhorn re-basin paper (Peña et al., CVPR 2023).

Weight matching (WM), the straight-through estimator (STE), and Sinkhorn re-basin with the cost C_L2, C_Mid and C_Rnd,
beside the naive line: perceptrons with two hidden layers that fit a polynomial of degree one or three or classify MNIST
or CIFAR-10, and a narrow VGG-11 on CIFAR-10::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/papers/sinkhorn_line.py

Perceptrons are trained first where the cache lacks them, the VGG-11 by ``networks/vgg11.py --width 8 --epochs 5`` with
seeds 0 and 1. ``--parts`` measures some of the networks; the picture is of all that were measured so far. 8 minutes on
one core.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, earlier_results, finish
from common.environment import RESULTS, markdown_table, write_results
from networks import cifar, polynomials, training, vgg11
from networks.small_sets import SmallSet, perceptron_of

import rebasin_fast as rf
from rebasin_fast._drawing import INK, STYLES, LineStyle, label_axes
from rebasin_fast.evaluation import Evaluator

NAME = "sinkhorn_line"
STYLE_OF = dict(
    zip(("naive", "WM", "STE", "L2", "Mid", "Rnd"), (*STYLES, LineStyle("#56B4E9", "-", "P")), strict=True)
)
LINE = "drawn: linear mode connectivity by all five"
PUBLISHED = {
    "Pol1": LINE,
    "Pol3": LINE,
    "mnist": f"{LINE}, told apart in an amplified view",
    "cifar10": LINE,
    "vgg11": "drawn: barrier and area of VGGs against depth",
}
Batches = list[tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Part:
    """Two networks, their model, the batches to match on, and the evaluation."""

    title: str
    a: dict[str, Any]
    b: dict[str, Any]
    model: nn.Module
    batches: Batches
    loss: Callable[[Any, Any], Any]
    evaluate: Evaluator
    epochs: int
    points: int


def regression(kind: str, options: argparse.Namespace) -> Part:
    """Two hidden layers of ten units, all points of the polynomial in one batch."""
    a, b = (polynomials.fitted(kind, 2, seed, steps=2000) for seed in (0, 1))
    batches = [polynomials.POLYNOMIALS[kind].data(0)]
    model, loss = polynomials.regressor(2), functional.mse_loss
    test = [polynomials.POLYNOMIALS[kind].data(1)]
    return Part(
        f"{kind}, 1-10-10-1",
        a,
        b,
        model,
        batches,
        loss,
        Evaluator(model, test, loss=loss),
        300,
        options.points,
    )


def perceptrons(name: str, options: argparse.Namespace) -> Part:
    """Two hidden layers of 512 units."""
    images = SmallSet(name)
    a, b = (images.trained(seed, (512, 512), options.cache, options.training_epochs) for seed in (0, 1))
    batches = images.batches(options.cache)
    inputs, classes = images.rows("test", options.test_images, options.cache)
    model, loss = perceptron_of(a), functional.cross_entropy
    test = list(zip(inputs.split(2000), classes.split(2000), strict=True))
    title = f"{ {'mnist': 'MNIST', 'cifar10': 'CIFAR-10'}[name] }, {inputs.shape[1]}-512-512-10"
    return Part(title, a, b, model, batches, loss, Evaluator(model, test), options.epochs, options.points)


def convolutions(options: argparse.Namespace) -> Part:
    """The narrow VGG-11; matched on 2,000 images."""
    network = options.cache, options.vgg_width, options.vgg_epochs
    (a, _), (b, _) = (vgg11.trained(seed, *network) for seed in (0, 1))

    def batches(split: str, count: int, size: int) -> Batches:
        images = cifar.load_images(split, options.cache).first(count)
        classes = torch.from_numpy(images.labels.astype("int64"))
        return list(zip(training.batches(images, size), classes.split(size), strict=True))

    model = vgg11.vgg11(options.vgg_width)
    title = f"CIFAR-10, VGG-11, width {options.vgg_width} of 64"
    test = batches("test", min(2000, options.test_images or 2000), 500)
    return Part(
        title, a, b, model, batches("train", 2000, 250), functional.cross_entropy, Evaluator(model, test),
        max(1, options.epochs // 2), min(13, options.points),
    )  # fmt: skip


PARTS: dict[str, Callable[[argparse.Namespace], Part]] = {
    "Pol1": lambda options: regression("Pol1", options),
    "Pol3": lambda options: regression("Pol3", options),
    "mnist": lambda options: perceptrons("mnist", options),
    "cifar10": lambda options: perceptrons("cifar10", options),
    "vgg11": convolutions,
}


def matchings(part: Part) -> dict[str, Callable[[], Any]]:
    """Name -> the permutation of B."""
    spec = rf.specs.for_params(part.a)

    def sinkhorn(objective: Any) -> Any:
        data = (
            {} if objective == "l2" else {"batches": part.batches, "loss": part.loss, "epochs": part.epochs}
        )
        model = None if objective == "l2" else part.model
        steps = {"steps": 100} if objective == "l2" else {}
        return rf.sinkhorn_matching(
            spec,
            model,
            part.a,
            part.b,
            objective=objective,
            direction="a_to_b",
            evaluate_every=5,
            **data,
            **steps,
        ).permutation

    return {
        "naive": dict,
        "WM": lambda: rf.weight_matching(spec, part.a, part.b).permutation,
        "STE": lambda: (
            rf.straight_through_matching(
                spec,
                part.model,
                part.a,
                part.b,
                part.batches,
                part.loss,
                epochs=part.epochs,
                evaluate_every=5,
            ).permutation
        ),
        "L2": lambda: sinkhorn("l2"),
        "Mid": lambda: sinkhorn("midpoint"),
        "Rnd": lambda: sinkhorn("random"),
    }


def measure(part: Part, known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Method -> curve, barrier and seconds, after each method; those of an earlier run with equal settings are kept."""
    weights = round(
        float(sum(abs(tensor).sum() for tensor in part.a.values())), 3
    )  # tells trained networks apart
    settings = [part.title, part.epochs, part.points, weights]
    spec = rf.specs.for_params(part.a)
    found = dict(known["methods"]) if known.get("settings") == settings else {}
    for name, match in matchings(part).items():
        if name in found:
            continue
        started = time.perf_counter()
        permutation = match()
        seconds = time.perf_counter() - started
        end = rf.apply_permutation(spec, permutation, part.b) if permutation else part.b
        curve = rf.loss_curve(part.evaluate, part.a, end, part.points)
        found[name] = {"curve": curve.to_dict(), "barrier": curve.barrier(), "seconds": seconds}
        print(
            f"{part.title}, {name}: barrier {curve.barrier():.4f}, {seconds:.1f} s",
            file=sys.stderr,
            flush=True,
        )
        yield {"title": part.title, "settings": settings, "methods": found}


def table(results: dict[str, Any]) -> str:
    """One row a network and method."""
    cells = []
    for name in PARTS:
        for method, one in results.get(name, {"methods": {}})["methods"].items():
            curve = rf.LossCurve.from_dict(one["curve"])
            loss, accuracy = curve.values["loss"], curve.values.get("accuracy")
            shown = "" if accuracy is None else f"{accuracy.min():.2%}"
            area, ends = float(np.trapezoid(loss, curve.ts)), f"{loss[0]:.3f}, {loss[-1]:.3f}"
            cells.append([
                results[name]["title"] if method == "naive" else "", method,
                PUBLISHED[name] if method == "naive" else "", f"{one['barrier']:.4f}", f"{area:.4f}", ends,
                shown, f"{one['seconds']:.1f}",
            ])  # fmt: skip
    header = [
        "networks",
        "method",
        "published (a figure)",
        "barrier, ours",
        "area",
        "A, B",
        "lowest accuracy",
        "s",
    ]
    return markdown_table(header, cells)


def draw(results: dict[str, Any], path: Path) -> None:
    """Accuracy above, loss below, one column a network; regressions have the loss only."""
    from matplotlib.figure import Figure

    shown = [name for name in PARTS if name in results]
    figure = Figure(figsize=(3.5 * len(shown), 6.4), layout="constrained", facecolor="white")
    axes = figure.subplots(2, len(shown), squeeze=False)
    for column, name in enumerate(shown):
        for method, one in results[name]["methods"].items():
            curve, style = rf.LossCurve.from_dict(one["curve"]), STYLE_OF[method]
            for ax, metric in zip(axes[:, column], ("accuracy", "loss"), strict=True):
                if metric in curve.values:
                    ax.plot(
                        curve.ts, curve.values[metric], color=style.colour, linestyle=style.dashes,
                        marker=style.marker, markersize=5, markevery=4, markeredgecolor="white", linewidth=1.9,
                        label=method,
                    )  # fmt: skip
        upper, lower = axes[:, column]
        label_axes(lower, x="λ", y="loss" if column == 0 else None)
        lower.set_xticks([0, 0.5, 1], ["model A", "0.5", "model B"])
        top = upper if upper.lines else lower
        if upper.lines:
            label_axes(upper, y="accuracy")
            upper.set_xticks([0, 0.5, 1], ["", "", ""])
        else:
            upper.set_axis_off()
        top.set_title(results[name]["title"], loc="left", fontsize=10.5, color=INK)
    handles = axes[1, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", frameon=False, ncols=6, handlelength=3)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--points", type=int, default=25, help="on the line")
    parser.add_argument("--epochs", type=int, default=10, help="of the trained matchings")
    parser.add_argument("--training-epochs", type=int, default=50, help="of the perceptrons")
    parser.add_argument("--test-images", type=int, help="all by default")
    parser.add_argument("--vgg-width", type=int, default=8)
    parser.add_argument("--vgg-epochs", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help="few points, images and epochs; without the VGG-11"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.quick:
        options.points, options.epochs, options.test_images, options.training_epochs = 5, 1, 1000, 3
        options.parts = [name for name in options.parts if name != "vgg11"]
    results = {key: one for key, one in earlier_results(NAME, options.results).items() if key in PARTS}
    options.results.mkdir(parents=True, exist_ok=True)
    title = "### The line after re-basin, as in Peña et al., CVPR 2023"
    note = (
        "Test loss (mean squared error for the polynomials); the barrier is above the mean of the ends, the area that "
        "below the loss. The perceptrons are those of the published program: 9,000 images, 50 epochs of AdamW. The "
        f"VGG-11 is narrower, trained on {options.vgg_epochs} × 25,000 images, matched on 2,000 and "
        f"evaluated on {min(2000, options.test_images or 2000):,}. "
        "Sinkhorn as published: AdamW, rate "
        "0.1, τ = 1, 20 iterations, A mixed onto B; of the rounded permutations the best on the first batches is drawn."
    )
    for name in options.parts:
        for measured in measure(PARTS[name](options), results.get(name, {})):
            results[name] = measured
            write_results(NAME, results, table(results), options.results)
        draw(results, options.results / f"{NAME}.png")
        finish(NAME, results, f"{title}\n\n{table(results)}\n\n{note}", options.results)


if __name__ == "__main__":
    main()
