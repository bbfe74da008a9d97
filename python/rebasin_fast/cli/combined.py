"""Models combined by `merge`: the result with its account, and all of them matched at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rebasin_fast._terminal.legible import legible
from rebasin_fast.cli.alignment import kinship_account, note_unproven
from rebasin_fast.cli.options import MatchingOptions, OutputOptions
from rebasin_fast.cli.proof import spec_statement
from rebasin_fast.matching import ManyMatching, merge_many
from rebasin_fast.matching.kinship import kinship
from rebasin_fast.typing import Params

TOGETHER = ("merge-many", "cycle-consistent")


@dataclass(frozen=True)
class CombinedModels:
    """One model, and the account of it as JSON values and as text."""

    params: Params
    account: dict[str, Any]
    lines: list[str]
    many: ManyMatching | None = None


def merge_together(
    method: str,
    paths: Sequence[Path],
    models: list[Params],
    shares: list[float] | None,
    options: MatchingOptions,
    out: OutputOptions,
    *,
    resume: Path | None,
    allow_nonfinite: bool,
) -> CombinedModels:
    """All models at once, by one of `TOGETHER`."""
    spec = options.read(models[0])
    with out.progress() as progress:
        many = merge_many(
            spec,
            models,
            method="cycle_consistent" if method == "cycle-consistent" else "merge_many",
            weights=shares,
            rng=options.seed,
            max_iter=options.max_iter,
            effort=options.effort,
            strict=not options.no_strict,
            threads=options.threads,
            memory_limit=options.memory_limit,
            checkpoint=resume,
            allow_nonfinite=allow_nonfinite,
            progress=progress,
        )
    note_unproven(spec, out)
    statement = spec_statement(spec)
    relatives = {
        str(path): kinship_account(kinship(spec, models[0], models[number], many.between(0, number)))
        for number, path in enumerate(paths[1:], 1)
    }
    relatives = {path: account for path, account in relatives.items() if account}
    account = {
        **many.to_dict(),
        **({"spec": statement} if statement else {}),
        **({"relatives": relatives} if relatives else {}),
    }
    lines = [repr(many), *([f"  spec  {legible(statement)}"] if statement else [])]
    lines += [f"{path}:\n  kinship    {found['kinship']['statement']}" for path, found in relatives.items()]
    return CombinedModels(many.merged, account, lines, many)
