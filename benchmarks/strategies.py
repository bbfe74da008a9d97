"""Which way of visiting permutations ends where, on trained networks?

Objectives are relative to the mean of ten runs of the published loop (``visiting="random"``), products in sweeps (all
similarities once), and the loss halfway between the networks is on test images::

    python benchmarks/strategies.py --jobs mlp512 mlp2048 resnet20 vgg11

The first pass in bfloat16 multiplies rounded weights; on sampled columns it sees a random quarter of A's entries. Both
are given to the queue as ``init=``, beside the same way with the whole float32 pass.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from common.command import command_line, finish
from common.environment import markdown_table
from networks import mnist
from networks.shapes import Arrays

import rebasin_fast as rf

SHARE_SAMPLED = 0.25
LOSSES = 3  # of each strategy's seeds, at most


@dataclass(frozen=True)
class Job:
    """Two trained networks, and the loss of a third of the same shapes."""

    a: Arrays
    b: Arrays
    loss: Callable[[Arrays], float] | None


@dataclass(frozen=True)
class End:
    """Where one strategy ended: its objective, and the sweeps of products on the way."""

    objective: float
    sweeps: float
    permutation: dict[str, np.ndarray]


@dataclass(frozen=True)
class Row:
    """The ends of one strategy over its seeds, the objective as a share of the published loop's mean."""

    job: str
    strategy: str
    seeds: int
    objective: float
    lowest: float
    highest: float
    sweeps: float
    midpoint_loss: float | None


def main() -> None:
    options = parse_options()
    rows = []
    for name in options.jobs:
        rows += measure(name, JOBS[name](options), options.seeds)
    finish("strategies", {"rows": [asdict(row) for row in rows]}, table(rows), options.results)


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--results", "--cache")
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--seeds", type=int, default=10, help="of whatever draws")
    return parser.parse_args()


def measure(name: str, job: Job, seeds: int) -> list[Row]:
    """Every strategy on one pair."""
    ways = Ways(job)
    loop = [ways.loop(seed) for seed in range(seeds)]
    unit = float(np.mean([end.objective for end in loop]))
    ends = {
        "published loop": loop,
        "best of five loops": [ways.best_of_loops(seed, 5) for seed in range(min(seeds, 3))],
        "effort low (pass, queue)": [ways.own("low")],
        "effort normal (default)": [ways.own("normal")],
        "effort high": [ways.own("high")],
        "pass as init, queue": [ways.queue_after(job.a, job.b)],
        "bfloat16 pass, queue": [ways.queue_after(rounded(job.a), rounded(job.b))],
        "sampled pass, queue": [
            ways.queue_after(sampled(job.a, seed), job.b, SHARE_SAMPLED) for seed in range(seeds)
        ],
        "Frank-Wolfe 8 steps, queue": [ways.relaxed(8)],
    }
    rows = [summary(name, strategy, found, unit, job) for strategy, found in ends.items()]
    print(table(rows), end="\n\n", flush=True)
    return rows


class Ways:
    """The strategies on one pair, each a function of its seed."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._spec = rf.specs.for_params(job.a)
        once = rf.weight_matching(self._spec, job.a, job.b, order=[list(self._spec.permutations)])
        self._sweep = once.stats.product_flop

    def loop(self, seed: int) -> End:
        """The published loop, its order drawn."""
        return self._end(
            rf.weight_matching(self._spec, self._job.a, self._job.b, visiting="random", rng=seed)
        )

    def best_of_loops(self, seed: int, runs: int) -> End:
        """The best of several, and the products of all."""
        found = rf.weight_matching(
            self._spec, self._job.a, self._job.b, visiting="random", rng=1000 + seed, restarts=runs
        )
        return self._end(found, sum(run.stats.product_flop for run in found.restarts))

    def own(self, effort: str) -> End:
        """The package's own way."""
        return self._end(rf.weight_matching(self._spec, self._job.a, self._job.b, effort=effort))

    def queue_after(self, a: Arrays, b: Arrays, share: float = 1.0) -> End:
        """The queue on the whole networks, from the first pass over ``a`` and ``b``."""
        planned = rf.weight_matching(self._spec, a, b, max_iter=1)
        found = rf.weight_matching(self._spec, self._job.a, self._job.b, init=planned.permutation)
        return self._end(found, share * planned.stats.product_flop + found.stats.product_flop)

    def relaxed(self, steps: int) -> End:
        """A few steps of Frank-Wolfe from the barycentre, rounded and polished."""
        return self._end(
            rf.frank_wolfe_matching(
                self._spec, self._job.a, self._job.b, starts=["barycentre"], max_iter=steps
            )
        )

    def _end(self, found: rf.Matching, flop: float | None = None) -> End:
        flop = found.stats.product_flop if flop is None else flop
        return End(found.objective, flop / self._sweep, found.permutation)


def summary(name: str, strategy: str, ends: list[End], unit: float, job: Job) -> Row:
    shares = [end.objective / unit for end in ends]
    return Row(
        job=name,
        strategy=strategy,
        seeds=len(ends),
        objective=float(np.mean(shares)),
        lowest=min(shares),
        highest=max(shares),
        sweeps=float(np.mean([end.sweeps for end in ends])),
        midpoint_loss=None
        if job.loss is None
        else float(np.mean([midpoint_loss(job, end) for end in ends[:LOSSES]])),
    )


def midpoint_loss(job: Job, end: End) -> float:
    assert job.loss is not None
    moved = rf.apply_permutation(rf.specs.for_params(job.a), end.permutation, job.b)
    return job.loss({name: (job.a[name] + moved[name]) / 2 for name in job.a})


def rounded(params: Arrays) -> Arrays:
    """Weights as bfloat16 holds them, rounded to nearest."""
    return {
        name: _to_bfloat16(value) if value.dtype == np.float32 else value for name, value in params.items()
    }


def _to_bfloat16(value: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(value).view(np.uint32)
    even = (bits >> 16) & 1
    return ((bits + 0x7FFF + even) & np.uint32(0xFFFF0000)).astype(np.uint32).view(np.float32)


def sampled(params: Arrays, seed: int) -> Arrays:
    """A quarter of the entries of every matrix and kernel; the others are zero and count for nothing."""
    rng = np.random.default_rng(seed)
    return {
        name: value * (rng.random(value.shape) < SHARE_SAMPLED).astype(value.dtype)
        if value.ndim > 1
        else value
        for name, value in params.items()
    }


def mnist_pair(*hidden: int) -> Callable[[argparse.Namespace], Job]:
    def make(options: argparse.Namespace) -> Job:
        images = mnist.load_images("test")
        a, b = (mnist.trained_mlp(seed, options.cache, hidden) for seed in (0, 1))
        return Job(a, b, lambda params: mnist.evaluate(params, images)["loss"])

    return make


def resnet20_pair(_options: argparse.Namespace) -> Job:
    """Return the two checkpoints; their midpoint needs new BatchNorm statistics, and has no loss here."""
    from networks import resnet20

    return Job(resnet20.load_checkpoint("a"), resnet20.load_checkpoint("b"), None)


def vgg11_pair(options: argparse.Namespace) -> Job:
    import torch
    from networks import cifar, training, vgg11

    images = cifar.load_images("test", options.cache).first(1000)
    a, b = (vgg11.trained(seed, options.cache)[0] for seed in (0, 1))

    def loss(params: Arrays) -> float:
        tensors = {name: torch.from_numpy(value) for name, value in params.items()}
        return training.evaluate(training.loaded(vgg11.vgg11(), tensors), images)["loss"]

    return Job(*({name: value.numpy() for name, value in params.items()} for params in (a, b)), loss)


JOBS: dict[str, Callable[[argparse.Namespace], Job]] = {
    "mlp512": mnist_pair(512, 512, 512),
    "mlp2048": mnist_pair(2048, 2048, 2048),
    "mlp128x10": mnist_pair(*[128] * 10),
    "resnet20": resnet20_pair,
    "vgg11": vgg11_pair,
}


def table(rows: list[Row]) -> str:
    header = ["networks", "strategy", "seeds", "objective", "lowest to highest", "sweeps of products",
              "midpoint loss"]  # fmt: skip
    return markdown_table(header, [cells(row) for row in rows])


def cells(row: Row) -> list[str]:
    spread = f"{row.lowest:.4f} to {row.highest:.4f}" if row.seeds > 1 else ""
    loss = "" if row.midpoint_loss is None else f"{row.midpoint_loss:.4f}"
    return [row.job, row.strategy, str(row.seeds), f"{row.objective:.4f}", spread, f"{row.sweeps:.2f}", loss]


if __name__ == "__main__":
    main()
