"""One program matches one pair in a process of its own, and says what that took, as JSON.

Seconds are those of the processor where one thread works, so that other programs on the machine do not count; stages
of the native descent are wall time, of which ``share_of_wall`` was the processor's. A short matching is repeated, and
the median counts. The curve comes from a further run of the native descent, with ``progress=``, and from the run itself
of the published loop.
"""

import argparse
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common.command import command_line

import rebasin_fast as rf

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common.process_memory import PeakRise
from networks import shapes

from matching.jobs import JOBS, sweep_flop
from reference.from_spec import reference_axes
from reference.weight_matching import ReferenceMatching, parts_of
from reference.weight_matching import objective as objective_of
from reference.weight_matching import weight_matching as published_loop

LOOP, NATIVE = "published loop", "native"
MOST_REPEATS, SECONDS_OF_REPEATS = 20, 0.5

Order = list[list[str]]
Record = dict[str, Any]


def main() -> None:
    from threadpoolctl import threadpool_limits

    options = parse_options()
    warm_up()
    with threadpool_limits(limits=options.threads, user_api="blas"):
        params_a, params_b = JOBS[options.job](options.seed, options.cache)
        print(json.dumps(measure(options, params_a, params_b)))


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--cache")
    parser.add_argument("--job", choices=list(JOBS), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--program", choices=[LOOP, NATIVE], required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--max-sweeps", type=int, default=100)
    parser.add_argument("--same-order", action="store_true")
    parser.add_argument("--options", type=json.loads, default={}, help="of rf.weight_matching, as JSON")
    return parser.parse_args()


def warm_up() -> None:
    """Let both programs import what they import at their first call."""
    params = shapes.random_params(shapes.mlp(4, 8, 2), np.random.default_rng(0))
    spec = rf.specs.for_params(params)
    rf.weight_matching(spec, params, params)
    published_loop(reference_axes(spec, params), params, params)


def measure(options: argparse.Namespace, params_a: shapes.Arrays, params_b: shapes.Arrays) -> Record:
    """Match the pair by the program that the options name."""
    spec = rf.specs.for_params(params_a)
    axes = reference_axes(spec, params_a)
    order = draw_order(spec, options.seed, options.max_sweeps)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    if options.program == LOOP:
        found = measure_loop(axes, params_a, params_b, order, clock)
    else:
        asked = {"order": order} if options.same_order else {"max_iter": options.max_sweeps}

        def match(**more: Any) -> rf.Matching:
            return rf.weight_matching(spec, params_a, params_b, **asked, **options.options, **more)

        found = measure_native(match, clock)
    return {"seed": options.seed, "sweep_flop": sweep_flop(axes, params_a), **found}


def draw_order(spec: rf.PermutationSpec, seed: int, sweeps: int) -> Order:
    """Draw a fresh order for every sweep that either program may make."""
    rng = np.random.default_rng(seed)
    return [[spec.permutations[i] for i in rng.permutation(len(spec.permutations))] for _ in range(sweeps)]


def measure_native(match: Callable[..., rf.Matching], clock: Callable[[], float]) -> Record:
    """Run the native descent for its memory and time, again where it is short, and once more for its curve."""
    with PeakRise() as memory:
        wall_started, started = time.perf_counter(), clock()
        found = match()
        seconds, wall = [clock() - started], [time.perf_counter() - wall_started]
    share = seconds[0] / wall[0]  # of the run whose stages are told
    for _ in range(min(MOST_REPEATS, int(SECONDS_OF_REPEATS / seconds[0]))):
        wall_started, started = time.perf_counter(), clock()
        match()
        seconds.append(clock() - started)
        wall.append(time.perf_counter() - wall_started)
    curve = [(0.0, found.first_objective)]
    started = clock()
    match(progress=lambda step: curve.append((clock() - started, step.objective)))
    return {
        "seconds": statistics.median(seconds),
        "wall_seconds": statistics.median(wall),
        "share_of_wall": share,
        "repeats": len(seconds),
        "memory_bytes": memory.bytes,
        "sweeps": found.sweeps,
        "objective": found.objective,
        "first_objective": found.first_objective,
        "permutation": digest(found.permutation),
        "stats": found.to_dict()["stats"],
        "curve": thinned(curve),
    }


def measure_loop(
    axes: Any, params_a: shapes.Arrays, params_b: shapes.Arrays, order: Order, clock: Callable[[], float]
) -> Record:
    """Run the published loop once for memory, time and curve, and again where it is short."""
    with PeakRise() as memory:
        wall_started = time.perf_counter()
        pieces = list(in_pieces(axes, params_a, params_b, order, clock))
        wall = time.perf_counter() - wall_started
    last = pieces[-1]
    seconds = [sum(piece.seconds for piece in pieces)]
    for _ in range(min(MOST_REPEATS, int(SECONDS_OF_REPEATS / seconds[0]))):
        seconds.append(published_loop(axes, params_a, params_b, order=order, clock=clock).seconds)
    parts = {
        name: [parts_of(entry, size) for entry, size in zip(entries, params_a[name].shape, strict=True)]
        for name, entries in axes.items()
    }
    identity = {p: np.arange(index.size) for p, index in last.permutation.items()}
    first = objective_of(parts, identity, params_a, params_b)
    times = np.cumsum([piece.seconds for piece in pieces])
    visits = len(order[0])
    return {
        "seconds": statistics.median(seconds),
        "wall_seconds": wall,
        "repeats": len(seconds),
        "memory_bytes": memory.bytes,
        "sweeps": len(pieces) - visits + 1,
        "objective": last.objective,
        "first_objective": first,
        "permutation": digest(last.permutation),
        "stats": {
            "assignments": sum(piece.assignments for piece in pieces),
            "similarity_seconds": sum(piece.seconds_similarities for piece in pieces),
            "assignment_seconds": sum(piece.seconds_assignments for piece in pieces),
        },
        "curve": [(0.0, first), *zip(times.tolist(), [piece.objective for piece in pieces], strict=True)],
    }


def in_pieces(
    axes: Any, params_a: shapes.Arrays, params_b: shapes.Arrays, order: Order, clock: Callable[[], float]
) -> Iterator[ReferenceMatching]:
    """The published loop: the visits of its first sweep one by one, then whole sweeps; its state is a permutation."""
    permutation: dict[str, Any] | None = None
    for sweep in [*([p] for p in order[0]), *order[1:]]:
        piece = published_loop(axes, params_a, params_b, order=[sweep], init=permutation, clock=clock)
        permutation = piece.permutation
        yield piece
        if piece.converged and len(sweep) == len(order[0]):
            return


def digest(permutation: dict[str, Any]) -> str:
    """A short name of a permutation, to tell equal ones."""
    joined = b"".join(np.asarray(permutation[p], dtype=np.int64).tobytes() for p in sorted(permutation))
    return hashlib.sha256(joined).hexdigest()[:16]


def thinned(curve: list[tuple[float, float]], most: int = 400) -> list[tuple[float, float]]:
    """Evenly chosen points of a long curve, the last included."""
    return [curve[i] for i in np.unique(np.linspace(0, len(curve) - 1, most).astype(int))]


if __name__ == "__main__":
    main()
