"""The loss in planes through networks: A, B and the matched B; and A, B and the bend of a Bézier curve between them.

Git Re-Basin's picture of one basin (figure 1) and Garipov et al. 2018, figure 1, measured::

    REBASIN_FAST_DATA=... python benchmarks/papers/loss_plane.py [--quick]

A plane of 9 x 9 points takes 5 seconds on one free core for MNIST perceptrons, 15 for narrow CIFAR-10 VGG-16s.
``garipov_curves.py`` trains the curves. ``--seconds`` begins no new plane after these; planes are kept in the cache.
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

from papers.trained_pairs import PAIRS, TrainedPair, add_options
from rebasin_fast.analysis import LossPlane, loss_plane
from rebasin_fast.plots import save_figure

PLANES = {
    "matched": "A, B and the matched B",
    "bezier naive": "A, B and the bend of the curve between them",
    "bezier matched": "A, the matched B and the bend of the curve between them",
}
PUBLISHED = {
    "matched": "Git Re-Basin, fig. 1: A and π(B) in one basin, B in another (a sketch, no numbers)",
    "bezier naive": "Garipov et al., fig. 1: isolated modes, a curve of nearly constant loss around the barrier",
    "bezier matched": "–",
}


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--seconds", "--threads")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--points", type=int, default=9, help="on each axis")
    add_options(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    options.points = 5 if options.quick else options.points
    until = time.perf_counter() + options.seconds
    for network in options.networks:
        pair = PAIRS[network](options)
        planes = measured(pair, options, until)
        if planes:
            name = f"loss_plane_{network}{'_quick' if options.quick else ''}"
            results = {label: record(plane) for label, (plane, _) in planes.items()}
            finish(name, results, text_of(pair, planes, options), options.results)
            draw(pair, planes, options.results / f"{name}.png")


def measured(pair: TrainedPair, options: Any, until: float) -> dict[str, tuple[LossPlane, Any]]:
    """Every plane, and the projection of its curve, from the cache where it has them."""
    found = {}
    for label in PLANES:
        path = (
            options.cache / f"plane_{pair.name}_{label.replace(' ', '_')}_{options.points}_{pair.images}.npz"
        )
        if options.quick:
            path = path.with_stem(f"{path.stem}_quick")
        track = path.with_stem(f"{path.stem}_curve")
        if not path.exists():
            if time.perf_counter() > until:
                continue
            started = time.perf_counter()
            plane, coordinates = measure(pair, label, options)
            plane.save(path)
            np.savez(track, coordinates=coordinates)
            print(f"{label}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        with np.load(track) as stored:
            found[label] = LossPlane.load(path), stored["coordinates"]
    return found


def measure(pair: TrainedPair, label: str, options: Any) -> tuple[LossPlane, Any]:
    """One plane, and the coordinates of its curve; none for the plane of B and the matched B."""
    if label == "matched":
        models, curve = (pair.a, pair.b, pair.matched), None
    else:
        curve = pair.curve("bezier", label.endswith("matched"), options.cache)
        models = (curve.points[0], curve.points[2], curve.points[1])
    plane = loss_plane(pair.evaluate_in_plane, *models, points=options.points)
    return plane, np.zeros((0, 2)) if curve is None else plane.along(curve)


def record(plane: LossPlane) -> dict[str, Any]:
    values = {name: value.tolist() for name, value in plane.values.items()}
    return {"x": plane.x.tolist(), "y": plane.y.tolist(), "positions": plane.positions.tolist(), **values}


def text_of(pair: TrainedPair, planes: dict[str, tuple[LossPlane, Any]], options: Any) -> str:
    rows = []
    for label, (plane, _) in planes.items():
        (x, _), (foot, height) = plane.positions[1:]
        distances = f"{x:.1f}, {np.hypot(foot, height):.1f}, {np.hypot(foot - x, height):.1f}"
        values = plane.values["train loss"]
        rows.append([PLANES[label], PUBLISHED[label], distances, f"{values.min():.2g} – {values.max():.3g}"])
    header = ["plane", "published", "distances A–B, A–C, B–C", "ours: train loss on the grid"]
    note = (
        f"{options.points} x {options.points} points, a fifth of each side around the networks, {pair.plane:,} "
        "training images. Axes in the Euclidean distance between parameters."
    )
    return f"### {pair.title}: losses in planes\n\n{markdown_table(header, rows)}\n\n{note}"


def draw(pair: TrainedPair, planes: dict[str, tuple[LossPlane, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    names = {
        "matched": ("A", "B", "π(B)"),
        "bezier naive": ("A", "B", "bend"),
        "bezier matched": ("A", "π(B)", "bend"),
    }
    figure = Figure(figsize=(5.6 * len(planes), 4.9), layout="constrained", facecolor="white")
    panels = np.atleast_1d(figure.subplots(1, len(planes)))
    for panel, (label, (plane, track)) in zip(panels, planes.items(), strict=True):
        paths = {"Bézier curve": track} if len(track) else {}
        lines = ((0, 1), (0, 2)) if label == "matched" else ((0, 1),)
        plane.plot(panel, metric="train loss", labels=names[label], lines=lines, paths=paths)
        first, second, third = names[label]
        panel.set_title(f"{first}, {second} and {third}", loc="left", fontsize=11)
    figure.suptitle(f"{pair.title}: training loss", x=0.01, ha="left", fontsize=12)
    save_figure(figure, path, overwrite=True)


if __name__ == "__main__":
    main()
