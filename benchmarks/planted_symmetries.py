"""How often is a planted transform found again under noise, by all symmetries and by permutations alone?

Every array of a random network gets noise of k of its standard deviations; then a random transform of all of its groups
at once acts on the copy: orders, signs, scales between 1/2 and 2, rotations, invertible matrices of singular values
between 1/2 and 2. Both programs match the copy back, from the weights alone::

    python benchmarks/planted_symmetries.py --seeds 3

A unit counts as recovered when it is back in its place, with its sign. Every pair that was matched is kept in
``results/planted_symmetries.json``: a call resumes an earlier one that stopped, by ``--seconds`` or otherwise.
``--without-transformers`` needs no packages but torch.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from common.command import command_line, earlier_results, finish
from common.environment import markdown_table

import rebasin_fast as rf
from helpers.unit_families import FAMILIES
from rebasin_fast.permutation import compose_transforms, random_transform
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.permutation.trial import Trial

RESULT = "planted_symmetries"
WIDTH = 32
Key = tuple[str, float, int]  # family, noise, seed
Found = dict[str, float]
Params = Mapping[str, torch.Tensor]
NOTE = (
    "Noise in standard deviations of each array. Units: those that move by orders (and signs), back in their place. "
    "Distance: ‖A - matched B‖ / ‖A‖ over all weights, for all symmetries between normal forms; beside it that of the "
    "noise itself, before the transform is planted. Hidden layers of {width} units; transformers of two layers of 24 "
    "(T5: one of each half). Means over {seeds} seeds."
)


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache", "--seconds", "--threads")
    parser.add_argument("--noises", nargs="+", type=float, default=[0.1, 0.3, 1.0, 2.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--without-transformers", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one seed, one noise, no transformers")
    options = parser.parse_args()
    name = RESULT
    if options.quick:
        options.noises, options.seeds, options.without_transformers = [0.3], 1, True
        options.results, name = options.cache, f"{RESULT}_quick"
    torch.set_num_threads(options.threads)
    stored = [] if options.quick else earlier_results(name, options.results).get("trials", [])
    trials: dict[Key, Found] = {(family, noise, seed): found for family, noise, seed, found in stored}
    run_until(time.monotonic() + options.seconds, trials, options)
    fields = {"trials": [[*key, found] for key, found in trials.items()]}
    finish(name, fields, table(trials), options.results)


def run_until(deadline: float, trials: dict[Key, Found], options: argparse.Namespace) -> None:
    """Match the pairs that are missing, family by family, whose network is traced once."""
    for family, make in networks(options).items():
        missing = [
            (family, noise, seed)
            for seed in range(options.seeds)
            for noise in options.noises
            if (family, noise, seed) not in trials
        ]
        if not missing:
            continue
        if time.monotonic() > deadline:
            print(f"stopped before {family}; run again", file=sys.stderr)
            return
        torch.manual_seed(0)
        model, inputs = make()
        spec = rf.trace_spec(model, inputs)
        for key in missing:
            trials[key] = trial(spec, Trial(model, inputs, np.random.default_rng(key[2])), key)
        print(f"{family}: {len(missing)} pairs", file=sys.stderr, flush=True)


def networks(options: argparse.Namespace) -> dict[str, Callable[[], tuple[torch.nn.Module, Any]]]:
    found: dict[str, Callable[[], tuple[torch.nn.Module, Any]]] = {
        name: lambda build=build, inputs=inputs: (build(WIDTH), inputs())
        for name, (build, inputs) in FAMILIES.items()
    }
    if not options.without_transformers:
        from helpers.models import with_symmetries

        found |= {
            name: lambda name=name: (with_symmetries.built(name), with_symmetries.FAMILIES[name][1])
            for name in with_symmetries.FAMILIES
            if "tied" not in name
        }
    return found


def trial(spec: rf.TracedSpec, drawn: Trial, key: Key) -> Found:
    """Shares of units and distances, of one pair."""
    _, noise, seed = key
    rng = np.random.default_rng(1_000 + seed)
    normal = rf.normalise(spec, drawn.params)
    a = normal.params
    noisy = {name: array + noise * deviation(array) * normals(array, rng) for name, array in a.items()}
    acting = rf.PermutationSpec(
        spec.axes_to_perm, spec.unmatched, sizes=spec.declared_sizes, symmetries=normal.symmetries
    )
    planted = random_transform(acting, spec.sizes(a), rng)
    b = rf.apply_transform(spec, planted, noisy)
    matching = rf.weight_matching(spec, a, b, symmetries="all", rng=seed)
    aim, aligned = matching.endpoints(a, b)
    alone = rf.weight_matching(spec, a, b, rng=seed).permutation
    return {
        "noise": distance(a, noisy),
        "all, distance": distance(aim, aligned),
        "all, units": share(spec, planted, matching.isometry),
        "permutations, distance": distance(a, rf.apply_permutation(spec, alone, b)),
        "permutations, units": share(spec, planted, Transform(alone), with_signs=False),
    }


def deviation(array: torch.Tensor) -> float:
    return float(array.std()) if array.is_floating_point() and array.numel() > 1 else 0.0


def normals(array: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(rng.standard_normal(tuple(array.shape))).to(array)


def distance(a: Params, b: Params) -> float:
    """‖a - b‖ / ‖a‖."""
    apart, length = (
        sum(float((part**2).sum()) for part in parts)
        for parts in ((a[name] - b[name] for name in a), a.values())
    )
    return float(np.sqrt(apart / length))


def share(spec: rf.TracedSpec, planted: Transform, found: Transform, *, with_signs: bool = True) -> float:
    """Of the units that move by order and sign, those in the place that they had; NaN where there are none."""
    back = compose_transforms(
        Transform(planted.permutation, planted.signs), Transform(found.permutation, found.signs), spec
    )
    hits = []
    for name, order in back.permutation.items():
        if name not in planted.matrices:
            right = order == np.arange(order.shape[-1])
            if with_signs and name in back.signs:
                right &= back.signs[name] > 0
            hits.append(right.ravel())
    return float(np.concatenate(hits).mean()) if hits else float("nan")


def table(trials: Mapping[Key, Found]) -> str:
    """One row a family and noise."""
    groups: dict[tuple[str, float], list[Found]] = {}
    for (family, noise, _), found in sorted(trials.items(), key=lambda item: item[0][1]):
        groups.setdefault((family, noise), []).append(found)
    order = list(dict.fromkeys(family for family, *_ in trials))
    rows = []
    for (family, noise), founds in sorted(
        groups.items(), key=lambda item: (order.index(item[0][0]), item[0][1])
    ):
        means = {name: float(np.mean([found[name] for found in founds])) for name in founds[0]}
        rows.append([
            family, f"{noise:g}", shown(means["permutations, units"]), shown(means["all, units"]),
            f"{means['permutations, distance']:.2f}", f"{means['all, distance']:.2f}", f"{means['noise']:.2f}",
        ])  # fmt: skip
    header = [
        "network", "noise (σ)", "units: permutations", "units: all symmetries", "distance: permutations",
        "distance: all symmetries", "distance: the noise",
    ]  # fmt: skip
    seeds = len({seed for *_, seed in trials})
    title = "### Planted transforms of all groups, under noise"
    return f"{title}\n\n{markdown_table(header, rows)}\n\n{NOTE.format(width=WIDTH, seeds=seeds)}"


def shown(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.1%}"


if __name__ == "__main__":
    main()
