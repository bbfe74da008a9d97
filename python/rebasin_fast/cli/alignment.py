"""B matched to A: the step that ``match``, ``merge`` and ``curve`` share, and its account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from rebasin_fast._arrays.derived import part_of
from rebasin_fast._terminal.legible import legible
from rebasin_fast._terminal.tables import table
from rebasin_fast.cli.methods import METHODS, MethodOptions, Task
from rebasin_fast.cli.options import MatchingOptions, OutputOptions
from rebasin_fast.cli.proof import spec_statement
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.matching import Matching, SymmetricMatching
from rebasin_fast.matching.kinship import Kinship, kinship
from rebasin_fast.matching.matched import matched_parameters
from rebasin_fast.merging.distance import l2_distance
from rebasin_fast.merging.meanings import weight_of_spectral_vector
from rebasin_fast.permutation import permuted_params
from rebasin_fast.specs.recognised import RecognisedSpec
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params


@dataclass(frozen=True)
class Alignment:
    """B moved to match A, and the account of it.

    ``first`` and ``aligned`` are the ends of the line to merge on: A, and B reordered; with all symmetries their normal
    forms, the latter moved.
    """

    path: Path
    spec: PermutationSpec
    matching: Matching
    first: Params
    aligned: Params
    distance_before: float
    distance_after: float
    seed: int
    statement: str | None
    kinship: Kinship | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "model": str(self.path),
            "seed": self.seed,
            "distance_before": self.distance_before,
            "distance_after": self.distance_after,
            **({} if self.statement is None else {"spec": self.statement}),
            **kinship_account(self.kinship),
            **self.matching.to_dict(),
        }

    def summary(self) -> str:
        """The account as lines of text."""
        matching = self.matching
        sizes = {name: index.size for name, index in matching.permutation.items()}
        moved = [
            (f"  {name}", f"{count:>5} of {sizes[name]:>5} units {_how_moved(matching, name)}")
            for name, count in matching.moved_units().items()
        ]
        state = "converged" if matching.converged else "stopped before it converged"
        orders = ", in random orders" if matching.visiting == "random" else ""
        facts = [
            ("  objective", f"{matching.first_objective:.6g} -> {matching.objective:.6g}"),
            ("  distance", f"{self.distance_before:.6g} -> {self.distance_after:.6g}"),
            ("  sweeps", f"{matching.sweeps} ({state}{orders})"),
        ]
        if self.seed:
            facts.append(("  seed", f"{self.seed} (another run than that of the default seed 0)"))
        if self.statement is not None:
            facts.append(("  spec", self.statement))
        facts += [("  kinship", account["statement"]) for account in kinship_account(self.kinship).values()]
        return "\n".join(
            [
                f"{self.path}: {len(sizes)} permutations of {sum(sizes.values())} units",
                *([table(moved, align="l")] if moved else []),
                table(facts, align="l"),
                *(f"  left in place: {legible(n)} ({legible(why)})" for n, why in matching.report.items()),
                *(
                    f"  without matrices: {legible(n)} ({legible(why)})"
                    for n, why in getattr(matching, "kept", {}).items()
                ),
            ]
        )


@refuses_changed_files
def align(
    params_a: Params,
    path_b: Path,
    params_b: Params,
    options: MatchingOptions,
    out: OutputOptions,
    method: MethodOptions | None = None,
    *,
    proving: tuple[Callable[[], Any], Callable[[], Any]] | None = None,
) -> Alignment:
    """Match B to A with progress on standard error.

    ``proving`` is a model and data on which a recognised spec is verified, by default those of ``method``.
    """
    method = method or MethodOptions()
    options.check_symmetries(method.method, ("weight", "activation", "straight-through"))
    spec = options.read(params_a)
    statement = spec_statement(spec, *(proving or (method.model, method.data)))
    with out.progress(path_b.name) as progress:
        matching = METHODS[method.method](Task(spec, params_a, params_b, options, method, progress))
    note_unproven(spec, out)
    first: Params = params_a
    aligned: Params = permuted_params(spec, matching.permutation, params_b)
    relation = None
    if isinstance(matching, SymmetricMatching):
        first, aligned = matching.endpoints(params_a, params_b)
    else:
        relation = kinship(spec, params_a, params_b, matching.permutation)
    matched = matched_parameters(spec, (params_a, params_b))
    a, b, ahead, moved = (part_of(params, matched) for params in (params_a, params_b, first, aligned))
    return Alignment(
        path_b,
        spec,
        matching,
        first,
        aligned,
        distance_before=l2_distance(a, b),
        distance_after=l2_distance(ahead, moved),
        seed=options.seed,
        statement=statement,
        kinship=relation,
    )


def _how_moved(matching: Matching, name: str) -> str:
    """Beside their order: the signs that changed, or a matrix in its place."""
    if not isinstance(matching, SymmetricMatching):
        return "moved"
    isometry = matching.isometry
    if name in isometry.matrices:
        return "moved, and all mixed by an orthogonal matrix"
    negative = int((isometry.signs[name] < 0.0).sum()) if name in isometry.signs else 0
    return f"moved, {negative} negated" if negative else "moved"


def kinship_account(found: Kinship | None) -> dict[str, Any]:
    """JSON values about a common start, under one key; empty without it."""
    statement = found.statement() if found is not None else None
    if found is None or statement is None:
        return {}
    return {
        "kinship": {
            "statement": statement,
            "deviations": found.deviations,
            "identity_expected": found.identity_expected,
        }
    }


def note_unproven(spec: PermutationSpec, out: OutputOptions) -> None:
    """A note that a spec recognised by names and shapes alone may be that of another network."""
    if isinstance(spec, RecognisedSpec) and not spec.proven and not out.quiet:
        click.echo(
            f"Note: the spec was recognised by names and shapes alone ({legible(spec.family)}); a network "
            "with further skip connections may have the same, and its outputs would change. Prove the spec before you "
            "use the result.",
            err=True,
        )


def note_statistics(averaged: Params) -> None:
    """Notes that averaged BatchNorm statistics fit no data, and that vectors of spectral norms are new."""
    if any(weight_of_spectral_vector(name, averaged) for name in averaged):
        click.echo(
            "Note: the model has layers with spectral_norm, whose singular vectors were computed anew from the "
            "averaged weights.",
            err=True,
        )
    if any(name.endswith("running_var") for name in averaged):
        click.echo(
            "Note: the model has BatchNorm layers, whose averaged statistics fit badly. Before you use it, run "
            "rebasin_fast.reset_batch_norm(model, batches) on a few thousand training images.",
            err=True,
        )
