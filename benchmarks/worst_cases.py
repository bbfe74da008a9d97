"""A search for the matrices on which our solver does worst beside SciPy's and the rivals.

    python benchmarks/worst_cases.py --seconds 600             # writes results/worst_cases.json and .md
    python benchmarks/worst_cases.py --again                   # rebuilds and times the recorded ten again

Two populations of recipes (`assignment.recipes`) evolve: one to raise ours / SciPy, one to raise ours / best
rival. Parents are chosen by tournament, children are mutations. A recipe that seems to belong to the ten
worst is timed five times more, on fresh matrices, and counts with the median; of recipes of the same make
only the worst is kept. Times are the thread's processor time, interleaved in one process; every total is
compared, and recipes where ours is not optimal are recorded too.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
from assignment.recipes import Recipe, draw, mutate, recipe_of
from assignment.report import ratio
from assignment.rival import Rival
from assignment.rivals import FAST, load
from assignment.worst_found import Found, confirmed, evaluate, show
from common.command import command_line
from common.environment import RESULTS, environment_line, markdown_table, write_results

import rebasin_fast._core as core

AIMS = ("scipy", "rival")


class Record:
    """The worst confirmed recipes of each make, and those where ours was not optimal."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.kept: dict[str, Found] = {}
        self.wrong: dict[str, Found] = {}

    @staticmethod
    def make(recipe: Recipe) -> str:
        """Return what recipes of the same make share."""
        return f"{recipe.family} {sorted(layer.name for layer in recipe.layers)}"

    def worst(self) -> list[Found]:
        """Return the kept ones, the worst first."""
        return sorted(self.kept.values(), key=lambda found: found.badness)[: self.size]

    def promising(self, found: Found) -> bool:
        """Whether the recipe would be kept if its times hold."""
        worst = self.worst()
        limit = worst[-1].badness if len(worst) == self.size else 1e9
        same = self.kept.get(self.make(found.recipe))
        return found.badness < min(limit, same.badness if same else 1e9)

    def offer(self, found: Found, solvers: list[Rival], budget: float) -> Found:
        """Time a promising recipe again and keep it; return what is known of it then."""
        if found.wrong and len(self.wrong) < 100:
            self.wrong.setdefault(self.make(found.recipe), found)
        if not self.promising(found):
            return found
        surely = confirmed(found, solvers, budget)
        if surely is None:
            return dataclasses.replace(found, scipy=99.0, rival=99.0)
        if self.promising(surely):
            self.kept[self.make(surely.recipe)] = surely
            print(f"{time.process_time():6.0f} s  {show(surely)}", flush=True)
        return surely


def recipes_in(path: Path) -> list[Recipe]:
    """Return the recipes that an earlier search recorded."""
    return [recipe_of(values["recipe"]) for values in json.loads(path.read_text())["worst"]]


def search(solvers: list[Rival], options: argparse.Namespace) -> Record:
    rng = np.random.default_rng(options.seed)
    record = Record(options.keep)
    populations: dict[str, list[Found]] = {aim: [] for aim in AIMS}
    started = [recipe for path in options.start for recipe in recipes_in(path)]
    tried = 0
    while time.process_time() < options.seconds:
        aim = AIMS[tried % len(AIMS)]
        population = populations[aim]
        tried += 1
        if started:
            recipe = started.pop()
        elif len(population) < options.population or rng.random() < 0.15:
            recipe = draw(rng, options.largest)
        else:
            picked = rng.choice(len(population), min(4, len(population)), replace=False)
            parent = min((population[k] for k in picked), key=lambda found: found.by(aim))
            recipe = mutate(parent.recipe, rng, options.largest)
        found = evaluate(recipe, solvers, [tried], options.budget)
        if found is None:
            continue
        found = record.offer(found, solvers, options.budget)
        population.append(found)
        if len(population) > options.population:
            makes = [record.make(one.recipe) for one in population]
            crowded = {make for make in makes if makes.count(make) > options.population // 6}
            # A make that crowds the population out loses its mildest first, else the mildest of all goes.
            group = [
                one for one, make in zip(population, makes, strict=True) if make in crowded
            ] or population
            population.remove(max(group, key=lambda one: one.by(aim)))
    print(f"{tried} recipes tried")
    return record


def report(
    worst: list[Found], wrong: list[Found], options: argparse.Namespace, versions: dict[str, str]
) -> None:
    header = ["matrices", "ours, ms", "SciPy / ours", "best rival / ours", "best rival"]
    table = [
        [one.recipe.text(), f"{one.ours_ms:.3g}", ratio(one.scipy), ratio(one.rival), one.best_rival]
        for one in worst
    ]
    solvers = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [environment_line(), "", f"Solvers: {solvers}.", "", markdown_table(header, table)]
    if wrong:
        lines += ["", "Not optimal:", "", *(f"- {one.wrong:.0e}: {one.recipe.text()}" for one in wrong)]
    results = {
        "versions": versions,
        "worst": [dataclasses.asdict(one) for one in worst],
        "not optimal": [dataclasses.asdict(one) for one in wrong],
    }
    write_results(options.output, results, "\n".join(lines), options.folder)


def again(solvers: list[Rival], options: argparse.Namespace) -> list[Found]:
    """Time the recorded recipes again."""
    recorded = json.loads((options.folder / f"{options.output}.json").read_text())
    found = []
    for values in recorded["worst"]:
        one = Found(**{**values, "recipe": recipe_of(values["recipe"])})
        surely = confirmed(one, solvers, options.budget)
        if surely is not None:
            found.append(surely)
            print(f"was scipy {ratio(one.scipy)}, rival {ratio(one.rival)}; now {show(surely)}", flush=True)
    return sorted(found, key=lambda one: one.badness)


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="processor time of the search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--largest", type=int, default=300, help="rows of the largest square")
    parser.add_argument("--population", type=int, default=60)
    parser.add_argument("--keep", type=int, default=10, help="of the worst, in the record")
    parser.add_argument("--budget", type=float, default=0.004, help="seconds for each solver and recipe")
    parser.add_argument("--start", type=Path, nargs="*", default=[], help="records of earlier searches")
    parser.add_argument("--again", action="store_true", help="time the recorded ones again")
    parser.add_argument("--output", default="worst_cases", help="name of the files in the folder")
    parser.add_argument("--folder", type=Path, default=RESULTS)
    options = parser.parse_args()
    installed, _ = load()
    solvers = [one for one in installed if one.name in ("rebasin_fast", "scipy", *FAST)]
    versions = {solver.name: solver.version for solver in solvers}
    print(versions, "simd", core.simd_level())
    if options.again:
        again(solvers, options)
        return
    record = search(solvers, options)
    worst = record.worst()
    print("\nworst:")
    for found in worst:
        print(show(found))
    wrong = sorted(record.wrong.values(), key=lambda found: -found.wrong)
    for found in wrong:
        print("not optimal:", show(found))
    report(worst, wrong, options, versions)
    print(f"{time.process_time():.0f} s of processor time")


if __name__ == "__main__":
    main()
