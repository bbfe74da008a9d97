"""Does a strategy that saves work, or spends more, lose or gain objective on trained networks, and does that matter?

Pairs that were trained apart, matched by several strategies; the objective beside the loss of the midpoint::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/strategies.py --pairs mlp512 vgg11 resnet20

*published loop* is this library's own run of it (``visiting="random"``), ten random orders; the loop itself is in
``bench_weight_matching.py``. Objectives are rises over the identity's, as shares of the loop's mean. Images of CIFAR-10
are lossy JPEG copies. Results: ``strategies.{json,md}``; pairs measured by earlier calls stay.
"""

import argparse
import inspect
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from environment import RESULTS, environment_line, markdown_table, write_results
from matching_jobs import JOBS
from networks import cifar, mnist, resnet20, vgg11
from networks.storage import DEFAULT_CACHE

import rebasin_fast as rf

Evaluate = Callable[[dict[str, Any]], dict[str, float]]
LOOP = "published loop"
BATCH = 250


@dataclass(frozen=True)
class Strategy:
    """One way to match; ``draws`` says whether the seed matters."""

    name: str
    match: Callable[..., Any]  # (spec, a, b, seed) -> a matching
    draws: bool


def weights(**options: Any) -> Callable[..., Any]:
    return lambda spec, a, b, seed: rf.weight_matching(spec, a, b, rng=seed, **options)


def rounded(params: dict[str, Any]) -> dict[str, Any]:
    """The nearest bfloat16 of every float32 entry, kept as float32: its products are those of bfloat16 inputs."""
    short = {}
    for name, value in params.items():
        array = np.array(value)
        if array.dtype == np.float32:
            bits = array.view(np.uint32)
            array = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
        short[name] = array
    return short


def in_bfloat16(spec: Any, a: Any, b: Any, seed: int) -> Any:
    return rf.weight_matching(spec, rounded(a), rounded(b), rng=seed)


def polished(spec: Any, a: Any, b: Any, seed: int) -> Any:
    return rf.weight_matching(spec, a, b, init=in_bfloat16(spec, a, b, seed).permutation)


def frank_wolfe(spec: Any, a: Any, b: Any, seed: int) -> Any:
    return rf.frank_wolfe_matching(spec, a, b, rng=seed)


def strategies() -> list[Strategy]:
    """Those that this build has."""
    found = [
        Strategy(LOOP, weights(visiting="random"), draws=True),
        Strategy("auto", weights(), draws=False),
        Strategy("auto, restarts=5", weights(restarts=5), draws=True),
    ]
    if "effort" in inspect.signature(rf.weight_matching).parameters:
        found += [
            Strategy(f"auto, effort={effort!r}", weights(effort=effort), draws=False)
            for effort in ("low", "high")
        ]
    found += [
        Strategy("auto on bfloat16", in_bfloat16, draws=False),
        Strategy("the same, then float32", polished, draws=False),
        Strategy("Frank-Wolfe", frank_wolfe, draws=False),
    ]
    return found


def main() -> None:
    options = parse_options()
    torch.set_num_threads(1)
    pairs = earlier(options.results)
    for pair in options.pairs:
        pairs[pair] = measure(pair, options)
        markdown = f"{table(pairs)}\n\nMeasured on {environment_line()}."
        print(markdown, flush=True)
        write_results("strategies", {"pairs": pairs}, markdown, options.results)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", choices=list(EVALUATIONS), default=list(EVALUATIONS))
    parser.add_argument("--seeds", type=int, default=10, help="of strategies that draw")
    parser.add_argument("--test-images", type=int, default=2_000, help="of CIFAR-10")
    parser.add_argument("--images", type=int, default=1_000, help="training images to reset BatchNorm on")
    parser.add_argument("--skip", nargs="+", default=[], help="strategies that are left out")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def earlier(folder: Path) -> dict[str, Any]:
    path = folder / "strategies.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))["pairs"]) if path.exists() else {}


def measure(pair: str, options: argparse.Namespace) -> dict[str, Any]:
    """Every strategy's runs: rise of the objective, products, seconds, the midpoint's loss and accuracy."""
    a, b = JOBS[f"{pair}-trained"](0, options.cache)
    spec = rf.specs.for_params(a)
    evaluate = EVALUATIONS[pair](options)
    found: dict[str, Any] = {
        "A": evaluate(a),
        "B": evaluate(b),
        "as they are": evaluate(rf.interpolate(a, b, 0.5)),
        "runs": {},
    }
    for strategy in strategies():
        if strategy.name in options.skip:
            continue
        seeds = range(options.seeds if strategy.draws else 1)
        found["runs"][strategy.name] = [run(strategy, spec, a, b, seed, evaluate) for seed in seeds]
    return found


def run(strategy: Strategy, spec: Any, a: Any, b: Any, seed: int, evaluate: Evaluate) -> dict[str, float]:
    started = time.process_time()
    matching = strategy.match(spec, a, b, seed)
    seconds = time.process_time() - started
    permuted = rf.apply_permutation(spec, matching.permutation, b)
    middle = evaluate(rf.interpolate(a, permuted, 0.5))
    start = rf.weight_matching(spec, a, b, max_iter=0).objective
    value = rf.weight_matching(spec, a, b, max_iter=0, init=matching.permutation).objective
    return {"rise": value - start, "seconds": seconds, **middle}


def on_mnist(_options: argparse.Namespace) -> Evaluate:
    test = mnist.load_images("test")
    return lambda params: mnist.evaluate(params, test)


def on_vgg11(options: argparse.Namespace) -> Evaluate:
    test = cifar.load_images("test", options.cache).first(options.test_images)

    def evaluate(params: dict[str, Any]) -> dict[str, float]:
        model = vgg11.vgg11()
        model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in params.items()})
        return vgg11.evaluate(model.eval(), test)

    return evaluate


def on_resnet20(options: argparse.Namespace) -> Evaluate:
    """With BatchNorm statistics measured anew, for A and B as well."""
    test = cifar.load_images("test", options.cache).first(options.test_images)
    train = cifar.load_images("train", options.cache).sample(options.images, seed=0)
    batches = list(resnet20.batches(train, BATCH))

    def evaluate(params: dict[str, Any]) -> dict[str, float]:
        model = resnet20.model_with(params)
        rf.reset_batch_norm(model, batches)
        return resnet20.evaluate(model, test)

    return evaluate


EVALUATIONS: dict[str, Callable[[argparse.Namespace], Evaluate]] = {
    "mlp512": on_mnist,
    "mlp2048": on_mnist,
    "vgg11": on_vgg11,
    "resnet20": on_resnet20,
}


def table(pairs: dict[str, Any]) -> str:
    """One row a pair and strategy: the mean of its runs, and their range."""
    header = [
        "pair",
        "strategy",
        "runs",
        "objective",
        "worst to best",
        "midpoint loss",
        "midpoint accuracy",
        "processor (s)",
    ]
    rows = []
    for pair, found in pairs.items():
        for name in ("A", "B", "as they are"):
            rows.append(
                [pair, name, "", "", "", f"{found[name]['loss']:.4f}", f"{found[name]['accuracy']:.2%}", ""]
            )
        unit = statistics.mean(run["rise"] for run in found["runs"][LOOP])
        for name, runs in found["runs"].items():
            rises = [run["rise"] / unit for run in runs]
            mean = {key: statistics.mean(run[key] for run in runs) for key in ("loss", "accuracy")}
            rows.append([
                pair,
                name,
                str(len(runs)),
                f"{statistics.mean(rises):.4f}",
                f"{min(rises):.4f} to {max(rises):.4f}" if len(runs) > 1 else "",
                f"{mean['loss']:.4f}",
                f"{mean['accuracy']:.2%}",
                f"{statistics.median(run['seconds'] for run in runs):.2g}",
            ])  # fmt: skip
    return markdown_table(header, rows)


if __name__ == "__main__":
    main()
