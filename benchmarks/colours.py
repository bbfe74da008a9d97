"""What could solving the assignments of permutations that share no array together gain?

Records the visits of a matching, splits them into the longest runs of visits that do not see each other (a colour of
the graph, in the order that was chosen), and bounds what two threads could save: half of the time of assignments,
as far as visits stand in runs of two or more::

    python benchmarks/colours.py --jobs resnet20 resnet50 mlp512-trained mlp2048-trained
"""

from pathlib import Path

from common.command import command_line, finish
from common.environment import markdown_table
from matching.jobs import JOBS

import rebasin_fast as rf


def neighbours(spec: rf.PermutationSpec) -> dict[str, set[str]]:
    """For each permutation those that move an axis of an array that it moves too."""
    found: dict[str, set[str]] = {name: set() for name in spec.permutations}
    for axes in spec.axes_to_perm.values():
        names = {name for name in spec.permutations if any(f"'{name}'" in repr(axis) for axis in axes)}
        for name in names:
            found[name] |= names - {name}
    return found


def runs_of(visits: list[str], seen: dict[str, set[str]]) -> list[int]:
    """The lengths of the longest runs of consecutive visits that do not see each other."""
    lengths, group = [], []
    for name in visits:
        if name in group or seen[name].intersection(group):
            lengths.append(len(group))
            group = []
        group.append(name)
    return [*lengths, len(group)]


def measure(job: str, cache: Path) -> dict[str, float]:
    """Where the time of one matching goes, and how its visits group."""
    a, b = JOBS[job](0, cache)
    spec = rf.specs.for_params(a)
    visits: list[str] = []
    stats = rf.weight_matching(
        spec, a, b, threads=1, progress=lambda event: visits.append(event.permutation)
    ).stats
    lengths = runs_of(visits, neighbours(spec))
    together = sum(length for length in lengths if length > 1) / len(visits)
    total = (
        stats.product_seconds + stats.assignment_seconds + stats.objective_seconds + stats.planning_seconds
    )
    share = stats.assignment_seconds / total
    return {
        "visits": len(visits),
        "runs": len(lengths),
        "together": together,
        "assignments": share,
        "bound": share * together / 2,
    }


def main() -> None:
    parser = command_line(__doc__, "--results", "--cache")
    parser.add_argument(
        "--jobs", nargs="+", default=["resnet20", "resnet50", "mlp512-trained", "mlp2048-trained"]
    )
    options = parser.parse_args()
    rows = {job: measure(job, options.cache) for job in options.jobs}
    cells = [
        [job, str(row["visits"]), str(row["runs"]), f"{row['together']:.0%}", f"{row['assignments']:.1%}",
         f"{row['bound']:.1%}"]
        for job, row in rows.items()
    ]  # fmt: skip
    header = [
        "job",
        "visits",
        "runs",
        "visits in runs of 2 or more",
        "assignments, of the time",
        "saved at most",
    ]
    finish("colours", rows, markdown_table(header, cells), options.results)


if __name__ == "__main__":
    main()
