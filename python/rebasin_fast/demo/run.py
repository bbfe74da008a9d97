"""The whole way on real data: two small networks trained apart, matched, averaged, measured and drawn.

Needs scikit-learn (for its digits and its training loop) and matplotlib; no torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from rebasin_fast import specs
from rebasin_fast.demo import networks
from rebasin_fast.evaluation.curve import Barrier, LossCurve, loss_curve
from rebasin_fast.matching import Matching, weight_matching
from rebasin_fast.permutation import apply_permutation

DemoProgress = Callable[[str, int, int], object]

POINTS = 25
DEFINITIONS: tuple[Barrier, ...] = ("mean", "linear", "midpoint")
METRICS = ("loss", "accuracy")


@dataclass(frozen=True)
class DemoResult:
    """What the demo measured.

    Attributes
    ----------
    naive, matched : LossCurve
        Test loss (cross-entropy in nats) and accuracy on the line from A to B, and from A to the matched B.
    matching : Matching
        The permutation that was found, and how.
    log10_symmetries : float
        log10 of the number of networks that equal one of these up to the order of its hidden units.
    widths : tuple of int
        Units of each layer, the input first.
    images : dict[str, int]
        Number of images of each split.
    seeds : tuple of two int
        The seeds of A and B.
    seconds : dict[str, float]
        Wall-clock time of each stage.
    picture : Path
        The figure.
    """

    naive: LossCurve
    matched: LossCurve
    matching: Matching
    log10_symmetries: float
    widths: tuple[int, ...]
    images: dict[str, int]
    seeds: tuple[int, int]
    seconds: dict[str, float]
    picture: Path

    def barriers(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the barriers by line ("naive", "matched"), metric and definition."""
        lines = {"naive": self.naive, "matched": self.matched}
        return {
            line: {metric: {d: curve.barrier(d, metric) for d in DEFINITIONS} for metric in METRICS}
            for line, curve in lines.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the permutation as JSON values."""
        return {
            "widths": list(self.widths),
            "images": dict(self.images),
            "seeds": list(self.seeds),
            "log10_symmetries": self.log10_symmetries,
            "sweeps": self.matching.sweeps,
            "objective": self.matching.objective,
            "barriers": self.barriers(),
            "curves": {"naive": self.naive.to_dict(), "matched": self.matched.to_dict()},
            "seconds": dict(self.seconds),
            "picture": str(self.picture),
        }

    def summary(self) -> str:
        """Return the numbers as a text table."""
        return "\n".join([*_heading(self), "", *_table(self), "", *_footing(self)])


def run_demo(
    output: str | PathLike[str],
    seed: int = 0,
    progress: DemoProgress | None = None,
    *,
    overwrite: bool = True,
) -> DemoResult:
    """Train two networks on scikit-learn's digits, match them, and draw the line between them.

    Parameters
    ----------
    output : path
        Where the picture goes (.png, .pdf, .svg); its folder must exist.
    seed : int
        Decides the seeds of both networks, 2 x seed and 2 x seed + 1, and the order of the matching.
    progress : callable, optional
        Called with (stage, steps done, steps in all) before each step and after the last.
    overwrite : bool
        Whether an existing picture may be replaced.

    Returns
    -------
    DemoResult

    Raises
    ------
    MissingDependencyError
        scikit-learn or matplotlib is not installed; raised before anything is trained.
    FileFormatError, OutputExistsError, UnwritableOutputError
        The picture cannot be written; raised before anything is trained.

    Notes
    -----
    About 15 seconds on one core, nearly all of it training. The same seed and library versions give the same
    numbers, up to the order in which BLAS adds.

    Examples
    --------
    >>> from rebasin_fast.demo import run_demo
    >>> result = run_demo("digits.png")  # doctest: +SKIP
    >>> print(result.summary())  # doctest: +SKIP
    """
    from rebasin_fast.plots import check_figure

    check_figure(output, overwrite=overwrite, extra="demo")
    steps = _Steps(progress, total=2 * len(networks.PHASES) + 4)
    steps.begin("loading", "loading the digits")
    train_images, test_images = networks.load_digits()
    seeds = (2 * seed, 2 * seed + 1)
    models = []
    for name, network_seed in zip("AB", seeds, strict=True):
        announce = partial(steps.begin_phase, name)
        models.append(networks.train(train_images, network_seed, announce))
    params_a, params_b = models

    steps.begin("matching", "matching the hidden units")
    spec = specs.mlp(networks.layer_names())
    matching = weight_matching(spec, params_a, params_b, rng=seed)
    aligned_b = apply_permutation(spec, matching.permutation, params_b)

    steps.begin("measuring", "measuring the line between the networks")
    evaluate = partial(networks.evaluate, images=test_images)
    naive = loss_curve(evaluate, params_a, params_b, POINTS)
    matched = loss_curve(evaluate, params_a, aligned_b, POINTS)

    steps.begin("drawing", "drawing")
    _draw(naive, matched, output, overwrite=overwrite)
    steps.end()
    return DemoResult(
        naive=naive,
        matched=matched,
        matching=matching,
        log10_symmetries=spec.log10_symmetries(params_a),
        widths=(train_images.inputs.shape[1], *networks.HIDDEN, networks.CLASSES),
        images={"train": len(train_images.labels), "test": len(test_images.labels)},
        seeds=seeds,
        seconds=steps.seconds,
        picture=Path(output),
    )


@dataclass
class _Steps:
    """Tells the caller how far the demo is, and adds up the time of each stage."""

    progress: DemoProgress | None
    total: int
    done: int = -1
    seconds: dict[str, float] = field(default_factory=dict)
    _stage: str = ""
    _started: float = 0.0

    def begin(self, stage: str, message: str) -> None:
        self._close_stage()
        self._stage = stage
        self.done += 1
        if self.progress is not None:
            self.progress(message, self.done, self.total)

    def begin_phase(self, network: str, phase: int) -> None:
        self.begin("training", f"training network {network}, phase {phase + 1} of {len(networks.PHASES)}")

    def end(self) -> None:
        self.begin("", "done")

    def _close_stage(self) -> None:
        now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._started
        self._started = now


def _draw(naive: LossCurve, matched: LossCurve, output: str | PathLike[str], *, overwrite: bool) -> None:
    from rebasin_fast.plots import plot_loss_curves

    plot_loss_curves(
        {"averaged as they are": naive, "hidden units matched first": matched},
        output,
        title=f"Two networks trained apart: matching units takes the loss barrier "
        f"from {naive.barrier():.2f} to {matched.barrier():.2f}",
        subtitle="Handwritten digits not seen in training, along the line between two networks' weights",
        metric_labels={"loss": "Test loss (nats)", "accuracy": "Test accuracy"},
        ends=("network A", "network B"),
        overwrite=overwrite,
    )


def _heading(result: DemoResult) -> list[str]:
    layers = "-".join(map(str, result.widths))
    return [
        f"Two networks {layers} (seeds {result.seeds[0]} and {result.seeds[1]}) on scikit-learn's digits:",
        f"{result.images['train']} training images, {result.images['test']} test images. "
        f"Each is one of 10^{result.log10_symmetries:.0f} equal networks.",
    ]


def _table(result: DemoResult) -> list[str]:
    ends, middle = (0, -1), len(result.naive.ts) // 2
    rows: list[tuple[str, ...]] = [("on test images", "A", "B", "average as they are", "average, matched")]
    for metric, form in (("loss", "{:.4f}"), ("accuracy", "{:.2%}")):
        values = [result.naive.values[metric][at] for at in ends]
        values += [curve.values[metric][middle] for curve in (result.naive, result.matched)]
        rows.append((metric, *(form.format(value) for value in values)))
    barriers = result.barriers()
    for metric, form in (("loss", "{:.4f}"), ("accuracy", "{:.2%}")):
        for definition in DEFINITIONS:
            pair = [form.format(barriers[line][metric][definition]) for line in ("naive", "matched")]
            rows.append((f"{metric} barrier, {definition}", "", "", *pair))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [_aligned(row, widths) for row in rows]


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
    cells[0] = row[0].ljust(widths[0])
    return "  ".join(cells).rstrip()


def _footing(result: DemoResult) -> list[str]:
    return [
        f"Matched in {result.matching.sweeps} sweeps and {result.seconds['matching']:.2f} s; "
        f"training took {result.seconds['training']:.1f} s.",
        f"Picture: {result.picture}",
    ]
