"""All methods and seeds of a stream: runs that resume, the table, the picture."""

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common.command import command_line, finish
from common.environment import RESULTS, markdown_table

from papers.continual import rebasin
from papers.continual.accuracy import Matrix, average_accuracy, forgetting, run
from papers.continual.figure import draw
from papers.continual.methods import MODELS, Method
from papers.continual.rebasin import Rebasin
from papers.continual.streams import TASKS, Stream, joined

SEEDS = [0, 1, 2]
QUICK = "quick"


@dataclass(frozen=True)
class Study:
    """What is measured: ``stream(seed, cache, tasks=, images=, test_images=)`` under ``methods``."""

    name: str
    title: str
    stream: Callable[..., Stream]
    methods: dict[str, Method]
    note: str
    quick: dict[str, int]  # arguments of the stream
    options: dict[str, dict[str, Any]] = field(default_factory=dict)  # more of them, from the command line


def main(study: Study, description: str | None) -> None:
    """The program: runs what is missing, then shows all."""
    parser = command_line(description, "--results", "--cache", "--threads", "--seconds")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--methods", nargs="*", choices=list(study.methods), default=list(study.methods))
    parser.add_argument("--seeds", type=int, nargs="+", help=f"default: {SEEDS}; of --quick: 0")
    parser.add_argument(
        "--images", type=int, help="of the training set; of each class of CIFAR-100; default: all"
    )
    parser.add_argument("--test-images", type=int, help="the same of the test set")
    parser.add_argument("--quick", action="store_true", help="few tasks and images; results go to the cache")
    for option, settings in study.options.items():
        parser.add_argument(f"--{option}", **settings)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.seeds = options.seeds or (SEEDS[:1] if options.quick else SEEDS)
    size = {name: vars(options)[name] for name in ("images", "test_images", *study.options)}
    options.size = {name: count for name, count in size.items() if count is not None}
    if options.quick:
        options.results, options.size = options.cache / QUICK, study.quick
    measure(study, options)
    found = {
        name: [matrix for seed in options.seeds if (matrix := kept(study, name, seed, options)) is not None]
        for name in study.methods
    }
    options.results.mkdir(parents=True, exist_ok=True)
    name = sized(study.name, options)
    draw(found, study.title, options.results / f"{name}.png")
    raw = {name: [matrix.tolist() for matrix in matrices] for name, matrices in found.items()}
    shown = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in options.size.items())
    reduced = f" **Not the protocol**: {shown}." if shown else ""
    text = f"{table(study, found)}\n\n{study.note}{reduced}"
    finish(name, {"accuracy": raw, "size": options.size}, text, options.results)


def measure(study: Study, options: argparse.Namespace) -> None:
    """Run the methods on the seeds, one after the other, while the seconds last."""
    started = time.perf_counter()
    for seed in options.seeds:
        for name in options.methods:
            left = options.seconds - (time.perf_counter() - started)
            method = study.methods[name]
            if left <= 0 or kept(study, name, seed, options) is not None:
                continue
            if method.learner is Rebasin and not rebasin.available():
                print(f"{name}: rebasin_fast.continual.RebasinLearner is not available", file=sys.stderr)
                continue
            stream = study.stream(seed, options.cache, **options.size)
            learner = method.learner(MODELS[study.name], seed=seed, **method.options)
            file = path(study, name, seed, options)
            matrix = run(joined(stream) if method.joint else stream, learner, file, left)
            if np.isnan(matrix[-1]).any():
                return


def path(study: Study, name: str, seed: int, options: argparse.Namespace) -> Path:
    """File of a run; other hyperparameters have other names."""
    account = [(key, plain(value)) for key, value in sorted(study.methods[name].options.items())]
    settings = hashlib.sha256(repr(account).encode()).hexdigest()[:8]
    stem = f"{sized(study.name, options)}_{name.replace(' ', '-')}_{settings}_seed{seed}"
    return Path(options.cache) / f"{stem}.pt"


def plain(option: Any) -> Any:
    """An option, and of one that is a function of the task's number its values."""
    return [float(option(number)) for number in range(1, TASKS + 1)] if callable(option) else option


def sized(name: str, options: argparse.Namespace) -> str:
    """The study's name with the counts that are not those of the protocol."""
    return "_".join([name, *(f"{count}{what.replace('_', '-')}" for what, count in options.size.items())])


def kept(study: Study, name: str, seed: int, options: argparse.Namespace) -> Matrix | None:
    """The accuracies of a run that is finished, or None."""
    file = path(study, name, seed, options)
    if not file.exists():
        return None
    state = torch.load(file, weights_only=True)
    return state["matrix"].numpy() if state["done"] == len(state["matrix"]) else None


def table(study: Study, found: dict[str, list[Matrix]]) -> str:
    """Accuracy in percent and forgetting of each method, published and ours."""
    header = [
        "method",
        "accuracy, published",
        "accuracy, ours",
        "forgetting, published",
        "forgetting, ours",
        "seeds",
    ]
    return f"{study.title}\n\n" + markdown_table(header, list(rows(study, found)))


def rows(study: Study, found: dict[str, list[Matrix]]) -> Iterator[list[str]]:
    for name, method in study.methods.items():
        accuracy, forgot = method.published or (None, None)
        matrices = found[name]
        ours = ["not measured", ""]
        if matrices:
            ours = [spread([100 * average_accuracy(matrix) for matrix in matrices], 2)]
            ours.append("" if method.joint else spread([forgetting(matrix) for matrix in matrices], 3))
        elif method.learner is Rebasin and not rebasin.available():
            ours = ["not available", ""]
        published = ["" if accuracy is None else f"{accuracy:.2f}", "" if forgot is None else f"{forgot:.2f}"]
        yield [name, published[0], ours[0], published[1], ours[1], str(len(matrices))]


def spread(values: list[Any], digits: int) -> str:
    """Mean, and the standard deviation over several seeds."""
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"
