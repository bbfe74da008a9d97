"""What ``match`` and ``merge`` have in common: load, match, apply, describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from rebasin_fast._arrays.derived import DerivedParams, described_by
from rebasin_fast._terminal.legible import legible
from rebasin_fast.cli.choices import MatchingChoices
from rebasin_fast.cli.methods import METHODS, Method, Task
from rebasin_fast.cli.options import read_spec
from rebasin_fast.cli.proof import standing_of
from rebasin_fast.files import LoadedParams
from rebasin_fast.matching import Matching
from rebasin_fast.matching.kinship import Kinship, kinship
from rebasin_fast.matching.matched import matched_parameters
from rebasin_fast.merging.distance import l2_distance
from rebasin_fast.merging.meanings import weight_of_spectral_vector
from rebasin_fast.permutation import permuted_params
from rebasin_fast.specs.recognised import RecognisedSpec
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params

BY_WEIGHTS = Method()


@dataclass(frozen=True)
class Alignment:
    """B moved onto A, and the account of it."""

    path: Path
    spec: PermutationSpec
    matching: Matching
    aligned: Params
    distance_before: float
    distance_after: float
    seed: int = 0
    standing: str | None = None
    kinship: Kinship | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "model": str(self.path),
            "seed": self.seed,
            "distance_before": self.distance_before,
            "distance_after": self.distance_after,
            **({} if self.standing is None else {"spec": self.standing}),
            **account_of(self.kinship),
            **self.matching.to_dict(),
        }

    def summary(self) -> str:
        """The account as lines of text."""
        matching = self.matching
        sizes = {legible(name): index.size for name, index in matching.permutation.items()}
        width = max(map(len, sizes), default=0)
        state = "converged" if matching.converged else "stopped before it converged"
        lines = [
            f"{self.path}: {len(sizes)} permutations of {sum(sizes.values())} units",
            *(f"  {legible(name):<{width}}  {moved:>5} of {sizes[legible(name)]:>5} units moved"
              for name, moved in matching.moved_units().items()),
            f"  objective  {matching.first_objective:.6g} -> {matching.objective:.6g}",
            f"  distance   {self.distance_before:.6g} -> {self.distance_after:.6g}",
            f"  sweeps     {matching.sweeps} ({state}{', in random orders' if matching.visiting == 'random' else ''})",
        ]  # fmt: skip
        if self.seed:
            lines.append(f"  seed       {self.seed} (another run than that of the default seed 0)")
        lines += [] if self.standing is None else [f"  spec       {legible(self.standing)}"]
        lines += kinship_lines(self.kinship)
        lines += [
            f"  left in place: {legible(name)} ({legible(reason)})"
            for name, reason in matching.report.items()
        ]
        return "\n".join(lines)


def align(
    params_a: Params,
    path_b: Path,
    params_b: Params,
    choices: MatchingChoices,
    *,
    quiet: bool,
    method: Method = BY_WEIGHTS,
    proving: tuple[Callable[[], Any], Callable[[], Any]] | None = None,
) -> Alignment:
    """Match B onto A with progress on standard error; ``proving``: where to try a recognised spec."""
    spec = read_spec(
        choices.spec_name,
        params_a,
        heads=choices.heads,
        norm_groups=choices.norm_groups,
        layers=choices.layers,
        trace=choices.trace,
    )
    standing = standing_of(spec, *(proving or (method.model, method.data)))
    matching = METHODS[method.name](Task(spec, params_a, params_b, path_b, choices, method, quiet))
    warn_of_guess(spec, quiet=quiet)
    aligned = permuted_params(spec, matching.permutation, params_b)
    matched = matched_parameters(spec, (params_a, params_b))
    a, b, moved = (_part(params, matched) for params in (params_a, params_b, aligned))
    return Alignment(
        path_b,
        spec,
        matching,
        aligned,
        distance_before=l2_distance(a, b),
        distance_after=l2_distance(a, moved),
        seed=choices.seed,
        standing=standing,
        kinship=kinship(spec, params_a, params_b, matching.permutation),
    )


def account_of(found: Kinship | None) -> dict[str, Any]:
    """Of relatives, as JSON values."""
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


def kinship_lines(found: Kinship | None) -> list[str]:
    """Of relatives, as a line of text."""
    statement = found.statement() if found is not None else None
    return [] if statement is None else [f"  kinship    {statement}"]


def _part(params: Params, names: list[str]) -> Params:
    described = described_by(params)
    return DerivedParams({name: described[name] for name in names}, params.__getitem__)


def warn_of_guess(spec: PermutationSpec, *, quiet: bool) -> None:
    """A spec of names and shapes alone may be another network's: what that means."""
    if isinstance(spec, RecognisedSpec) and not spec.proven and not quiet:
        click.echo(
            f"Note: the spec is a guess from names and shapes ({legible(spec.family)}), which a network with further "
            "sums around its layers may have, too. Of that one, the outputs would change: prove the spec before you "
            "use the result.",
            err=True,
        )


def warn_of_left_out(*models: Params) -> None:
    """What else an input file holds and the output will not."""
    for params in models:
        if isinstance(params, LoadedParams):
            for entry, reason in params.source.left_out.items():
                click.echo(_note(params.source.path, entry, reason), err=True)


def _note(path: Path, entry: str, reason: str) -> str:
    return f"Note: {path}: {legible(entry)} is not carried over ({legible(reason)})"


def warn_of_batch_norm(params: Params) -> None:
    """Averaged BatchNorm statistics fit no data, and vectors of spectral norms are new; say so once."""
    if any(weight_of_spectral_vector(name, params) for name in params):
        click.echo(
            "Note: the model has layers with spectral_norm, whose singular vectors were computed anew from the "
            "averaged weights.",
            err=True,
        )
    if any(name.endswith("running_var") for name in params):
        click.echo(
            "Note: the model has BatchNorm layers, whose averaged statistics fit badly. Before you use it, run "
            "rebasin_fast.reset_batch_norm(model, batches) on a few thousand training images.",
            err=True,
        )
