"""Git Re-Basin (Ainsworth et al. 2022), figures 5, 10 and 11: two models of disjoint, biased parts of CIFAR-100 merged.

Part A has 20 % of the images of classes 0-49 and 80 % of 50-99, part B the rest. ResNet-20 with LayerNorm, one a part,
and one of all images; the line between them, naive and matched, their ensemble along it, loss, accuracy, calibration::

    REBASIN_FAST_DATA=... python benchmarks/papers/git_rebasin_cifar100.py [--quick]

``networks/cifar_training.py`` trains the networks before; epochs that all have are measured. 4 minutes on one core;
lines are kept in the cache. ``--quick`` takes untrained networks, five points and few images.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import training
from networks.cifar_training import Recipe, snapshot

import rebasin_fast as rf
from papers import line_pictures, matched_pairs
from papers.matched_pairs import WORDS, Pair, Sizes, scores
from rebasin_fast._drawing import label_axes

EPOCHS = 8
LINES = ("naive", "weights", "activations")
PUBLISHED = {
    "model A": "", "model B": "", "joint training": "lowest loss",
    "ensemble of logits": "below the merged", "naive interpolation": "far above the merged",
    "weight matching": "loss below both models, accuracy not", "activation matching": "not shown",
}  # fmt: skip
NOTE = (
    "The paper has ResNet-20 of 32 times the width (512), states the order in words (section 5.4) and shows "
    "losses in figure 5, accuracies in figure 10, calibration in figure 11. Ours have width 16, LayerNorm, "
    "and {epochs} epochs. {test:,} test images; lines of {points} points; the ensemble averages logits with "
    "the weights of the line. ECE: expected calibration error in 15 bins, in percent. Activations: 4,000 "
    "training images of all classes. Least is the lowest test loss on the line, ends included. Evaluated with "
    "{products} products."
)


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--points", type=int, default=9, help="on each line (odd)")
    parser.add_argument("--quick", action="store_true", help="untrained networks, five points, few images")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes, name = Sizes(500, 3_000), "git_rebasin_cifar100"
    if options.quick:
        sizes, name, options.points = Sizes(100, 200), f"{name}_quick", 5
    first, second, joint = (
        Recipe("resnet20", 16, seed, EPOCHS, "cifar100", part)
        for seed, part in enumerate(("first", "second", "joint"))
    )
    epoch = epochs_of((first, second), options)
    data = matched_pairs.cifar_data(sizes, options.cache, "cifar100", matched_pairs.MATCHED_IMAGES)
    pair = matched_pairs.recipe_pair((first, second), epoch, data, sizes, options.cache)
    curves = {method: pair.line(method, options.points, options.cache) for method in LINES}
    curves["ensemble"] = ensemble(pair, options)
    whole = joint_scores(pair, joint, epoch, options)
    draw(curves, whole, options.results / f"{name}.png")
    results = {"epoch": epoch, "joint": whole} | {method: c.to_dict() for method, c in curves.items()}
    note = NOTE.format(
        epochs=epoch, test=sizes.test, points=options.points, products=training.products_name()
    )
    finish(name, results, f"{table_of(curves, whole)}\n\n{note}", options.results)


def epochs_of(recipes: tuple[Recipe, Recipe], options: argparse.Namespace) -> int:
    """Epochs that both have; ends the program where they are not trained."""
    if options.quick:
        for recipe in recipes:
            path = snapshot(recipe.path(options.cache), 0)
            if not path.exists():
                options.cache.mkdir(parents=True, exist_ok=True)
                torch.manual_seed(recipe.seed)
                torch.save(recipe.build().state_dict(), path)
        return 0
    done = min(matched_pairs.trained_epochs(recipe, options.cache) for recipe in recipes)
    for recipe in recipes if done < EPOCHS else ():
        print(f"{done} of {EPOCHS} epochs are measured; to go on: {recipe.command()}", file=sys.stderr)
    if done < 1:
        raise SystemExit(1)
    return done


def ensemble(pair: Pair, options: argparse.Namespace) -> rf.LossCurve:
    """Logits of both models averaged with the weights of the line."""
    a, b = (pair.outputs(pair.with_params(params), pair.test) for params in (pair.a, pair.b))
    ts = np.linspace(0.0, 1.0, options.points)
    rows = [measured((1 - float(t)) * a + float(t) * b, pair) for t in ts]
    return rf.LossCurve(ts, {key: np.array([row[key] for row in rows]) for key in rows[0]})


def joint_scores(
    pair: Pair, joint: Recipe, epoch: int, options: argparse.Namespace
) -> dict[str, float] | None:
    """The network of all images after as many epochs, or None where it is not trained."""
    if matched_pairs.trained_epochs(joint, options.cache) < epoch:
        print(f"left out, not trained yet: {joint.command()}", file=sys.stderr)
        return None
    params = joint.after(epoch, options.cache)
    return measured(pair.outputs(pair.with_params(params), pair.test), pair)


def measured(outputs: torch.Tensor, pair: Pair) -> dict[str, float]:
    return {f"test_{key}": value for key, value in scores(outputs, pair.test).items()}


def table_of(curves: dict[str, rf.LossCurve], whole: dict[str, float] | None) -> str:
    """One row a model: the ends, the midpoints, the ensemble's middle, and joint training."""
    middle = len(curves["naive"].ts) // 2
    rows = [row("model A", curves["naive"], 0), row("model B", curves["naive"], -1)]
    rows += [row(WORDS.get(m, "ensemble of logits"), curve, middle, True) for m, curve in curves.items()]
    if whole is not None:
        joint = rf.LossCurve(np.zeros(1), {key: np.array([value]) for key, value in whole.items()})
        rows.append(row("joint training", joint, 0))
    header = ["model", "published", "test loss", "accuracy", "ECE", "least on the line"]
    title = "### Git Re-Basin, figures 5, 10 and 11: two ResNet-20 of disjoint parts of CIFAR-100"
    return f"{title}\n\n{markdown_table(header, rows)}"


def row(name: str, curve: rf.LossCurve, place: int, on_line: bool = False) -> list[str]:
    loss, accuracy, error = (float(curve.values[f"test_{key}"][place]) for key in ("loss", "accuracy", "ece"))
    least = f"{curve.values['test_loss'].min():.4f}" if on_line else ""
    return [name, PUBLISHED[name], f"{loss:.4f}", f"{accuracy:.2%}", f"{error:.2%}", least]


def draw(curves: dict[str, rf.LossCurve], whole: dict[str, float] | None, path: Path) -> None:
    """Loss and accuracy along the lines."""
    figure, panels = line_pictures.new_figure(2, width=5.2, height=4.2)
    for panel, quantity, label in zip(
        panels, ("loss", "accuracy"), ("test loss (nats)", "test accuracy"), strict=True
    ):
        for method, curve in curves.items():
            name = WORDS.get(method, "ensemble of logits")
            line_pictures.draw_line(panel, curve, f"test_{quantity}", method, name)
        if whole is not None:
            look = line_pictures.LOOKS["joint"]
            level = whole[f"test_{quantity}"]
            panel.axhline(level, color=look.colour, linestyle=":", linewidth=2, label="joint training")
        label_axes(panel, y=label)
        line_pictures.name_ends(panel, ("model A, part A", "model B, part B"))
    panels[1].yaxis.set_major_formatter(lambda value, _position: f"{value:.0%}")
    line_pictures.save(figure, panels[0], path, "CIFAR-100 in two disjoint, biased parts", 3)


if __name__ == "__main__":
    main()
