"""How often does weight matching find the permutation that was planted, with and without noise?

A random network is copied, its hidden units are permuted, and noise of k standard deviations of each array is added
to the copy. Both programs match the copy back, from the same seeds::

    python benchmarks/planted_permutations.py --seeds 100 --noises 0 --networks mlp-30 mlp-50 resnet20-32 resnet18-32
    python benchmarks/planted_permutations.py --seeds 12 --noises 1 4 7 8 --networks resnet18-32

A pair counts as recovered when every unit of every permutation is back in its place.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from environment import RESULTS, environment_line, markdown_table, write_results
from networks import shapes

import rebasin_fast as rf

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from reference.from_spec import twin_axes
from reference.weight_matching import weight_matching as published_loop

Permutation = Mapping[str, npt.NDArray[np.int64]]

FAMILIES: dict[str, Callable[[int], shapes.Shapes]] = {
    "mlp": lambda width: shapes.mlp(784, width, width, width, 10),
    "resnet20": lambda width: shapes.resnet20(width=width),
    "resnet18": lambda width: shapes.resnet18(width),
}


@dataclass(frozen=True)
class Rate:
    """One network at one noise: pairs wholly recovered, and the mean share of units recovered."""

    network: str
    noise: float
    seeds: int
    recovered: int
    units: float
    published_recovered: int | None
    published_units: float | None


def main() -> None:
    options = parse_options()
    rates = []
    for network in options.networks:
        for noise in options.noises:
            rates.append(measure(network, noise, options))
            print(rates[-1], file=sys.stderr, flush=True)
    markdown = f"{table(rates)}\n\n{environment_line()}."
    print(markdown)
    write_results(
        f"planted_permutations_{options.label}",
        {"rates": [asdict(rate) for rate in rates]},
        markdown,
        options.results,
    )


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=["mlp-30", "mlp-50"], metavar="FAMILY-WIDTH")
    parser.add_argument("--noises", nargs="+", type=float, default=[0.0], metavar="DEVIATIONS")
    parser.add_argument("--seeds", type=int, default=100, help="pairs of each network at each noise")
    parser.add_argument("--without-published", action="store_true", help="leave the published loop out")
    parser.add_argument("--label", default="default", help="names the files of results")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def measure(network: str, noise: float, options: argparse.Namespace) -> Rate:
    """Plant and match ``options.seeds`` times."""
    found = [trial(network, noise, seed, options) for seed in range(options.seeds)]
    ours, published = zip(*found, strict=True)
    return Rate(
        network,
        noise,
        options.seeds,
        sum(share == 1.0 for share in ours),
        float(np.mean(ours)),
        None if options.without_published else sum(share == 1.0 for share in published),
        None if options.without_published else float(np.mean(published)),
    )


def trial(network: str, noise: float, seed: int, options: argparse.Namespace) -> tuple[float, float]:
    """The share of units recovered by this library and by the published loop, on one pair."""
    rng = np.random.default_rng(seed)
    params = shapes.random_params(network_shapes(network), rng)
    spec = rf.specs.for_params(params)
    planted = {name: rng.permutation(size) for name, size in spec.sizes(params).items()}
    copy = shapes.noisy(rf.apply_permutation(spec, planted, params), noise, rng)
    truth = rf.invert_permutation(planted)
    ours = share_recovered(rf.weight_matching(spec, params, copy, rng=seed).permutation, truth)
    if options.without_published:
        return ours, 0.0
    loop = published_loop(twin_axes(spec, params), params, copy, rng=seed)
    return ours, share_recovered(loop.permutation, truth)


def network_shapes(network: str) -> shapes.Shapes:
    matched = re.fullmatch(r"(\w+)-(\d+)", network)
    if matched is None or matched[1] not in FAMILIES:
        raise SystemExit(f"{network!r} is no network; write FAMILY-WIDTH, with one of {', '.join(FAMILIES)}")
    return FAMILIES[matched[1]](int(matched[2]))


def share_recovered(found: Permutation, truth: Permutation) -> float:
    hits = sum(int((found[name] == index).sum()) for name, index in truth.items())
    return hits / sum(index.size for index in truth.values())


def table(rates: list[Rate]) -> str:
    header = ["network, first width", "noise (σ)", "recovered", "units", "published loop", "its units"]
    return markdown_table(header, [row(rate) for rate in rates])


def row(rate: Rate) -> list[str]:
    published = ["–", "–"]
    if rate.published_recovered is not None and rate.published_units is not None:
        published = [f"{rate.published_recovered} of {rate.seeds}", f"{rate.published_units:.1%}"]
    return [
        rate.network,
        f"{rate.noise:g}",
        f"{rate.recovered} of {rate.seeds}",
        f"{rate.units:.1%}",
        *published,
    ]


if __name__ == "__main__":
    main()
