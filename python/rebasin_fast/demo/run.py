"""All stages on real data: two small networks trained from different seeds, matched, averaged, measured and drawn.

Needs scikit-learn (for its digits and its training loop) and matplotlib; no torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, get_args

from rebasin_fast import specs
from rebasin_fast._terminal.progress import listener
from rebasin_fast._terminal.tables import table
from rebasin_fast.demo import networks
from rebasin_fast.evaluation.curve import Barrier, LossCurve, loss_curve
from rebasin_fast.matching import Matching, weight_matching
from rebasin_fast.permutation import apply_permutation

DemoProgress = Callable[[str, int, int], object]

POINTS = 25
DEFINITIONS: tuple[Barrier, ...] = get_args(Barrier)
METRICS = ("loss", "accuracy")


@dataclass(frozen=True)
class DemoResult:
    """The measurements of the demo.

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
        """Return the numbers as text: a heading, a table, and times."""
        layers, (seed_a, seed_b) = "-".join(map(str, self.widths)), self.seeds
        return f"""\
Two networks {layers} (seeds {seed_a} and {seed_b}) on scikit-learn's digits:
{self.images["train"]} training images, {self.images["test"]} test images. \
Each is one of 10^{self.log10_symmetries:.0f} equal networks.

{self._table()}

Matched in {self.matching.sweeps} sweeps and {self.seconds["matching"]:.2f} s; \
training took {self.seconds["training"]:.1f} s.
Picture: {self.picture}"""

    def _table(self) -> str:
        middle, barriers = len(self.naive.ts) // 2, self.barriers()
        points = [(self.naive, 0), (self.naive, -1), (self.naive, middle), (self.matched, middle)]
        formats = {"loss": "{:.4f}", "accuracy": "{:.2%}"}
        rows = [
            [metric, *(text.format(curve.values[metric][at]) for curve, at in points)]
            for metric, text in formats.items()
        ]
        for metric, text in formats.items():
            for definition in DEFINITIONS:
                pair = [text.format(line[metric][definition]) for line in barriers.values()]
                rows.append([f"{metric} barrier, {definition}", "", "", *pair])
        return table(rows, ["on test images", "A", "B", "average as they are", "average, matched"])


def run_demo(
    output: str | PathLike[str],
    seed: int = 0,
    progress: DemoProgress | bool | None = None,
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
    progress : callable or bool, optional
        Called with (stage, steps done, steps in all) before each step and after the last. True shows a bar on
        standard error, plain lines in a log.
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
    from rebasin_fast.plots import check_figure, plot_loss_curves

    check_figure(output, overwrite=overwrite, extra="demo")
    with listener(progress) as notify:
        steps = _Steps(notify, total=2 * len(networks.PHASES) + 4)
        steps.begin("loading", "loading the digits")
        train_images, test_images = networks.load_digits()
        seeds = (2 * seed, 2 * seed + 1)
        params_a, params_b = (
            networks.train(train_images, network_seed, steps.phases_of(name))
            for name, network_seed in zip("AB", seeds, strict=True)
        )
        steps.begin("matching", "matching the hidden units")
        spec = specs.mlp(networks.layer_names())
        matching = weight_matching(spec, params_a, params_b, rng=seed)
        aligned_b = apply_permutation(spec, matching.permutation, params_b)

        steps.begin("measuring", "measuring the line between the networks")
        naive, matched = (
            loss_curve(lambda params: networks.evaluate(params, test_images), params_a, end, POINTS)
            for end in (params_b, aligned_b)
        )
        steps.begin("drawing", "drawing")
        barriers = f"from {naive.barrier():.2f} to {matched.barrier():.2f}"
        plot_loss_curves(
            {"averaged as they are": naive, "hidden units matched first": matched},
            output,
            title=f"Two networks trained apart: matching units takes the loss barrier {barriers}",
            subtitle="Handwritten digits not seen in training, along the line between two networks' weights",
            metric_labels={"loss": "Test loss (nats)", "accuracy": "Test accuracy"},
            ends=("network A", "network B"),
            overwrite=overwrite,
        )
        steps.begin("", "done")
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
    """The number of steps begun, and the time of each stage."""

    notify: DemoProgress | None
    total: int
    done: int = -1
    seconds: dict[str, float] = field(default_factory=dict)
    _stage: str = ""
    _started: float = 0.0

    def begin(self, stage: str, message: str) -> None:
        """Count the step that begins, and the time of the one that ends."""
        now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._started
        self._stage, self._started = stage, now
        self.done += 1
        if self.notify is not None:
            self.notify(message, self.done, self.total)

    def phases_of(self, network: str) -> Callable[[int], None]:
        phases = len(networks.PHASES)
        return lambda phase: self.begin(
            "training", f"training network {network}, phase {phase + 1} of {phases}"
        )
