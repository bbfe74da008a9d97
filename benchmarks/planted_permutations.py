"""How often does weight matching find the permutation that was planted, with and without noise?

A random network is copied, its hidden units are permuted, and noise of k standard deviations of each array is added
to the copy. Both programs match the copy back, from the same seeds::

    python benchmarks/planted_permutations.py --seeds 100 --noises 0 --networks mlp-30 resnet20-30 resnet18-64
    python benchmarks/planted_permutations.py --seeds 40 --noises 1 4 7 8 --networks resnet18-32 --seconds 150

A pair counts as recovered when every unit of every permutation is back in its place. Every pair that was matched is
kept in ``results/planted.json``: a call goes on where the one before it stopped, by ``--seconds`` or otherwise.
``--ours-again`` measures this library's part anew and keeps the published loop's.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from common.command import command_line, earlier_results, finish
from common.environment import markdown_table
from networks import shapes

import rebasin_fast as rf
from reference.from_spec import reference_axes
from reference.weight_matching import weight_matching as published_loop

Permutation = Mapping[str, npt.NDArray[np.int64]]
Key = tuple[str, float, int]  # network, noise, seed
Found = dict[str, float]  # the share of units recovered, by program

OURS, LOOP = "ours", "published loop"
RESULT = "planted"
FAMILIES: dict[str, Callable[[int], shapes.Shapes]] = {
    "mlp": lambda width: shapes.mlp(784, *[width] * 3, 10),
    "mlp8": lambda width: shapes.mlp(784, *[width] * 8, 10),
    "curve2": lambda width: shapes.mlp(1, *[width] * 2, 1),
    "curve8": lambda width: shapes.mlp(1, *[width] * 8, 1),
    "resnet20": lambda width: shapes.resnet20(width=width),
    "resnet18": lambda width: shapes.resnet18(width),
}


def main() -> None:
    options = parse_options()
    trials = load_trials(options.results)
    if options.ours_again:
        for network, noise in wanted(options):
            for seed in range(options.seeds):
                trials.get((network, noise, seed), {}).pop(OURS, None)
    run_until(time.monotonic() + options.seconds, trials, options)
    fields = {"trials": [[*key, found] for key, found in sorted(trials.items()) if found]}
    finish(RESULT, fields, table(trials), options.results)


def parse_options() -> argparse.Namespace:
    parser = command_line(__doc__, "--results", "--seconds")
    parser.add_argument("--networks", nargs="+", default=["mlp-30", "mlp-50"], metavar="FAMILY-WIDTH")
    parser.add_argument("--noises", nargs="+", type=float, default=[0.0], metavar="DEVIATIONS")
    parser.add_argument("--seeds", type=int, default=100, help="pairs of each network at each noise")
    parser.add_argument("--without-published", action="store_true", help="leave the published loop out")
    parser.add_argument("--ours-again", action="store_true", help="forget this library's part of the pairs")
    return parser.parse_args()


def load_trials(folder: Path) -> dict[Key, Found]:
    stored = earlier_results(RESULT, folder).get("trials", [])
    return {(network, noise, seed): found for network, noise, seed, found in stored}


def wanted(options: argparse.Namespace) -> list[tuple[str, float]]:
    return [(network, noise) for noise in options.noises for network in options.networks]


def run_until(deadline: float, trials: dict[Key, Found], options: argparse.Namespace) -> None:
    """Match the pairs that are missing, seed by seed, so that all networks have about as many."""
    programs = [OURS] if options.without_published else [OURS, LOOP]
    for seed in range(options.seeds):
        for network, noise in wanted(options):
            found = trials.setdefault((network, noise, seed), {})
            missing = [program for program in programs if program not in found]
            if missing and time.monotonic() > deadline:
                print(f"stopped before seed {seed} of {network} at {noise:g}; run again", file=sys.stderr)
                return
            if missing:
                found.update(trial(network, noise, seed, missing))


def trial(network: str, noise: float, seed: int, programs: list[str]) -> Found:
    """The share of units that each program recovers on one pair."""
    rng = np.random.default_rng(seed)
    params = shapes.random_params(network_shapes(network), rng)
    spec = rf.specs.for_params(params)
    planted = {name: rng.permutation(size) for name, size in spec.sizes(params).items()}
    copy = shapes.noisy(rf.apply_permutation(spec, planted, params), noise, rng)
    truth = rf.invert_permutation(planted)
    match: dict[str, Callable[[], Any]] = {
        OURS: lambda: rf.weight_matching(spec, params, copy, rng=seed),
        LOOP: lambda: published_loop(reference_axes(spec, params), params, copy, rng=seed),
    }
    return {program: share_recovered(match[program]().permutation, truth) for program in programs}


def network_shapes(network: str) -> shapes.Shapes:
    matched = re.fullmatch(r"(\w+)-(\d+)", network)
    if matched is None or matched[1] not in FAMILIES:
        raise SystemExit(f"{network!r} is no network; write FAMILY-WIDTH, with one of {', '.join(FAMILIES)}")
    return FAMILIES[matched[1]](int(matched[2]))


def share_recovered(found: Permutation, truth: Permutation) -> float:
    hits = sum(int((found[name] == index).sum()) for name, index in truth.items())
    return hits / sum(index.size for index in truth.values())


def table(trials: Mapping[Key, Found]) -> str:
    """One row for each network and noise; each program's rate over the pairs that it has matched."""
    groups: dict[tuple[float, str], list[Found]] = {}
    for (network, noise, _), found in sorted(trials.items(), key=lambda item: (item[0][1], item[0])):
        groups.setdefault((noise, network), []).append(found)
    header = ["network, first width", "noise (σ)", "recovered", "units", "published loop", "its units"]
    rows = [
        [network, f"{noise:g}", *rate(founds, OURS), *rate(founds, LOOP)]
        for (noise, network), founds in groups.items()
        if any(founds)
    ]
    return markdown_table(header, rows)


def rate(founds: list[Found], program: str) -> list[str]:
    shares = [found[program] for found in founds if program in found]
    if not shares:
        return ["–", "–"]
    return [f"{sum(share == 1.0 for share in shares)} of {len(shares)}", f"{np.mean(shares):.1%}"]


if __name__ == "__main__":
    main()
