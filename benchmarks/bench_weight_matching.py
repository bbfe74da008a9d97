"""How much faster the native descent is than the published loop in NumPy and SciPy.

One after the other in one process, the native descent in its own way; ``--same-order`` makes both visit the
permutations in the same order, ``--native-only`` leaves the published loop out::

    python benchmarks/bench_weight_matching.py --jobs resnet20 resnet50 vgg16 --repeats 3

The reference is ``tests/reference/weight_matching.py``; its float64 objectives, which the published program
does not compute, are left out of its time. Results: ``weight_matching_JOB.{json,md}`` under ``results``.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from environment import RESULTS, environment_line, markdown_table, write_results
from networks import mnist, shapes
from networks.storage import DEFAULT_CACHE

import rebasin_fast as rf

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from reference.from_spec import twin_axes
from reference.weight_matching import TwinMatching
from reference.weight_matching import weight_matching as published_loop

NOISE = 0.5  # of related networks, in standard deviations of each array

Pair = tuple[shapes.Arrays, shapes.Arrays]


@dataclass(frozen=True)
class Run:
    """One pair of networks, matched by both programs."""

    seed: int
    reference_seconds: float
    reference_similarity_seconds: float
    reference_assignment_seconds: float
    reference_sweeps: int
    reference_objective: float
    native_seconds: float
    native_product_seconds: float
    native_assignment_seconds: float
    native_objective_seconds: float
    native_product_flop: float
    native_visits: int
    native_skipped_visits: int
    native_sweeps: int
    native_objective: float
    identity_objective: float
    same_permutation: bool

    @property
    def ratio(self) -> float:
        """How many times faster the native descent was."""
        return self.reference_seconds / self.native_seconds

    @property
    def gain_ratio(self) -> float:
        """The native descent's rise of the objective over that of the reference."""
        rise = self.reference_objective - self.identity_objective
        return (self.native_objective - self.identity_objective) / rise


def main() -> None:
    options = parse_options()
    for job in options.jobs:
        if options.native_only:
            show_native(job, options)
            continue
        runs = [measure(JOBS[job], seed, options) for seed in range(options.repeats)]
        markdown = f"{table(job, runs)}\n\n{conditions(options)} {environment_line()}."
        print(markdown, end="\n\n", flush=True)
        fields = {
            "job": job,
            "threads": options.threads,
            "max_sweeps": options.max_sweeps,
            "runs": [asdict(run) | {"ratio": run.ratio} for run in runs],
        }
        write_results(f"weight_matching_{job}", fields, markdown, options.results)


def conditions(options: argparse.Namespace) -> str:
    threads = "all BLAS threads" if options.threads is None else f"{options.threads} BLAS thread(s)"
    way = "the same order for both" if options.same_order else "the native descent in its own way"
    return f"Medians of {options.repeats} pair(s), {way}, {threads}, at most {options.max_sweeps} sweeps."


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=["resnet20", "resnet50", "vgg16"])
    parser.add_argument("--repeats", type=int, default=3, help="pairs a job, each from its own seed")
    parser.add_argument("--threads", type=int, help="BLAS threads for both programs (default: as they are)")
    parser.add_argument("--max-sweeps", type=int, default=100, help="where both programs are cut off")
    parser.add_argument(
        "--same-order", action="store_true", help="the native descent replays the loop's order"
    )
    parser.add_argument(
        "--native-only", action="store_true", help="print the native descent's work, no table"
    )
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where trained networks are kept")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def measure(
    make_pair: Callable[[int, argparse.Namespace], Pair], seed: int, options: argparse.Namespace
) -> Run:
    """Match one pair by both programs in the same order."""
    from threadpoolctl import threadpool_limits

    params_a, params_b = make_pair(seed, options)
    spec = rf.specs.for_params(params_a)
    order = draw_order(spec, seed, options.max_sweeps)
    with threadpool_limits(limits=options.threads, user_api="blas"):
        started = time.perf_counter()
        native = match(spec, params_a, params_b, order, options)
        native_seconds = time.perf_counter() - started
        reference = published_loop(twin_axes(spec, params_a), params_a, params_b, order=order)
    return Run(
        seed=seed,
        reference_seconds=reference.seconds,
        reference_similarity_seconds=reference.seconds_similarities,
        reference_assignment_seconds=reference.seconds_assignments,
        reference_sweeps=reference.sweeps,
        reference_objective=reference.objective,
        native_seconds=native_seconds,
        native_product_seconds=native.stats.product_seconds,
        native_assignment_seconds=native.stats.assignment_seconds,
        native_objective_seconds=native.stats.objective_seconds,
        native_product_flop=native.stats.product_flop,
        native_visits=native.stats.visits,
        native_skipped_visits=native.stats.skipped_visits,
        native_sweeps=native.sweeps,
        native_objective=native.objective,
        identity_objective=native.first_objective,
        same_permutation=equal_permutations(native, reference),
    )


def match(
    spec: rf.PermutationSpec,
    params_a: shapes.Arrays,
    params_b: shapes.Arrays,
    order: list[list[str]],
    options: argparse.Namespace,
) -> rf.Matching:
    if options.same_order:
        return rf.weight_matching(spec, params_a, params_b, order=order)
    return rf.weight_matching(spec, params_a, params_b, max_iter=options.max_sweeps)


def show_native(job: str, options: argparse.Namespace) -> None:
    """Print what the native descent alone did on each pair, as JSON."""
    from threadpoolctl import threadpool_limits

    for seed in range(options.repeats):
        params_a, params_b = JOBS[job](seed, options)
        spec = rf.specs.for_params(params_a)
        order = draw_order(spec, seed, options.max_sweeps)
        with threadpool_limits(limits=options.threads, user_api="blas"):
            started = time.perf_counter()
            found = match(spec, params_a, params_b, order, options)
            seconds = time.perf_counter() - started
        work = {
            "job": job,
            "seed": seed,
            "seconds": seconds,
            "sweeps": found.sweeps,
            "objective": found.objective,
        }
        print(json.dumps(work | found.to_dict()["stats"]), flush=True)


def draw_order(spec: rf.PermutationSpec, seed: int, sweeps: int) -> list[list[str]]:
    """Draw a fresh order for every sweep that either program may make."""
    rng = np.random.default_rng(seed)
    return [[spec.permutations[i] for i in rng.permutation(len(spec.permutations))] for _ in range(sweeps)]


def equal_permutations(native: rf.Matching, reference: TwinMatching) -> bool:
    return all(np.array_equal(found, reference.permutation[p]) for p, found in native.permutation.items())


def unrelated(make_shapes: Callable[[], shapes.Shapes]) -> Callable[[int, argparse.Namespace], Pair]:
    """Pairs of independent random networks."""

    def make_pair(seed: int, _options: argparse.Namespace) -> Pair:
        rng = np.random.default_rng(seed)
        return shapes.random_params(make_shapes(), rng), shapes.random_params(make_shapes(), rng)

    return make_pair


def related(make_shapes: Callable[[], shapes.Shapes]) -> Callable[[int, argparse.Namespace], Pair]:
    """Pairs of a random network and its permuted copy with noise on every weight."""

    def make_pair(seed: int, _options: argparse.Namespace) -> Pair:
        rng = np.random.default_rng(seed)
        params = shapes.random_params(make_shapes(), rng)
        spec = rf.specs.for_params(params)
        planted = {p: rng.permutation(n) for p, n in spec.sizes(params).items()}
        return params, shapes.noisy(rf.apply_permutation(spec, planted, params), NOISE, rng)

    return make_pair


def trained_mnist(width: int) -> Callable[[int, argparse.Namespace], Pair]:
    """The same two trained networks with three hidden layers for every seed, which draws the order only."""

    def make_pair(_seed: int, options: argparse.Namespace) -> Pair:
        hidden = (width, width, width)
        return mnist.trained_mlp(0, options.cache, hidden), mnist.trained_mlp(1, options.cache, hidden)

    return make_pair


def trained_resnet20(seed: int, options: argparse.Namespace) -> Pair:
    """Return the two public checkpoints for every seed, which draws the order only."""
    from networks import resnet20

    return resnet20.load_checkpoint("a"), resnet20.load_checkpoint("b")


JOBS: dict[str, Callable[[int, argparse.Namespace], Pair]] = {
    "resnet20": unrelated(shapes.resnet20),
    "resnet20-wide8": unrelated(lambda: shapes.resnet20(8)),
    "resnet20-trained": trained_resnet20,
    "resnet18": unrelated(shapes.resnet18),
    "resnet50": unrelated(shapes.resnet50),
    "resnet50-related": related(shapes.resnet50),
    "vgg16": unrelated(shapes.vgg16),
    "mlp512-trained": trained_mnist(512),
    "mlp2048-trained": trained_mnist(2048),
}


def table(job: str, runs: list[Run]) -> str:
    """Return the medians over the pairs as a table of one row."""
    header = [
        "job", "published loop (s)", "of it assignments", "native (s)", "products + assignments", "faster",
        "sweeps", "gain of objective", "same permutation",
    ]  # fmt: skip
    return markdown_table(header, [row(job, runs)])


def row(job: str, runs: list[Run]) -> list[str]:
    def middle(field: str) -> Any:
        return statistics.median(getattr(run, field) for run in runs)

    same = sum(run.same_permutation for run in runs)
    return [
        job,
        f"{middle('reference_seconds'):.3g}",
        f"{middle('reference_assignment_seconds'):.3g}",
        f"{middle('native_seconds'):.3g}",
        f"{middle('native_product_seconds'):.3g} + {middle('native_assignment_seconds'):.3g}",
        f"{middle('ratio'):.1f}×",
        f"{middle('reference_sweeps'):g} / {middle('native_sweeps'):g}",
        f"{middle('gain_ratio'):.4f}",
        f"{same} of {len(runs)}",
    ]


if __name__ == "__main__":
    main()
