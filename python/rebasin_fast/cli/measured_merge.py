"""``merge`` with data: candidates measured, the best written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from rebasin_fast.cli.option_types import FACTORY, made_model
from rebasin_fast.cli.options import MatchingOptions, OutputOptions, option_group, output_path
from rebasin_fast.evaluation.merge.matchings import METHODS
from rebasin_fast.evaluation.merge.method import merge
from rebasin_fast.evaluation.merge.repairs import REPAIRS
from rebasin_fast.evaluation.merge.result import Merged
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params

# Methods of ``merge`` that compare candidates, and need --model and --data for that.
MEASURED = ("auto", *METHODS)
_ELSEWHERE = (
    "--restarts",
    "--effort",
    "--max-iter",
    "--threads",
    "--memory-limit",
    "--allow-nonfinite",
    "--rule",
)


@dataclass(frozen=True)
class MeasureOptions:
    """The network and data of a merge that measures its candidates."""

    model: Callable[[], Any] | None
    data: Callable[[], Any] | None
    loss: Callable[..., Any] | None
    metric: str | None
    repair: str
    report: Path | None

    @property
    def given(self) -> bool:
        """Whether candidates are measured."""
        return self.data is not None

    def check(self, method: str, options: MatchingOptions) -> None:
        """UsageError for options that contradict one another, or that are not for such a merge."""
        alone = {"--loss": self.loss, "--metric": self.metric, "--report": self.report}
        if (self.model is None) != (self.data is None):
            missing = "--data" if self.data is None else "--model"
            raise click.UsageError(
                f"{missing} is missing: candidates are measured by --model and --data together"
            )
        if not self.given:
            if self.repair != "auto" or method in MEASURED[1:]:
                what = f"--repair {self.repair}" if self.repair != "auto" else f"--method {method}"
                raise click.UsageError(f"{what} needs --model module:factory and --data module:batches")
            for option, value in alone.items():
                if value is not None:
                    raise click.UsageError(f"{option} is for a merge with --model and --data")
            return
        if method not in MEASURED:
            raise click.UsageError(
                f"--method {method} measures nothing; with --data it is one of {', '.join(MEASURED)}"
            )
        if options.symmetries != "permutations":
            raise click.UsageError("--symmetries all is for a merge without --data")
        context = click.get_current_context()
        for parameter in context.command.params:
            source = context.get_parameter_source(parameter.name or "")
            if parameter.opts[0] in _ELSEWHERE and source is not ParameterSource.DEFAULT:
                raise click.UsageError(f"{parameter.opts[0]} is for a merge without --data")

    def merged(
        self,
        params: Sequence[Params],
        method: str,
        shares: Sequence[float] | None,
        place: Any,
        options: MatchingOptions,
        out: OutputOptions,
        resume: Path | None,
        *,
        matched: bool,
    ) -> Merged:
        """The best candidate."""
        assert self.model is not None
        with out.progress("candidates") as progress:
            return merge(
                params,
                spec=_spec(options, params[0]),
                model=made_model(self.model),
                batches=self.data,
                loss=self.loss,
                metric=self.metric,
                method=method if matched else "identity",  # type: ignore[arg-type]
                t=place,
                weights=shares,
                repair=self.repair,  # type: ignore[arg-type]
                rng=options.seed,
                strict=not options.no_strict,
                checkpoint=resume,
                progress=progress,
            )


def place_of(text: str | None) -> Any:
    """The place of ``--t``: a number from 0 to 1, or auto."""
    if text is None or text == "auto":
        return text or 0.5
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a number nor auto", param_hint="--t") from None


def _spec(options: MatchingOptions, params: Params) -> PermutationSpec | None:
    """That of the options, if any was given; else it is traced from the model."""
    hints = (options.trace, options.heads, options.norm_groups, options.layers)
    given = options.spec_name != "auto" or any(hint is not None for hint in hints)
    return options.read(params) if given else None


measure_options = option_group(
    "measuring",
    MeasureOptions,
    click.option("--model", type=FACTORY, help="Makes the torch model (module:name), for --data."),
    click.option(
        "--data",
        type=FACTORY,
        help="Gives (inputs, targets) batches: candidates are measured on some, and the best is written.",
    ),
    click.option("--loss", type=FACTORY, help="loss(outputs, targets); cross-entropy by default."),
    click.option("--metric", metavar="NAME", help="accuracy or loss, which chooses among candidates."),
    click.option(
        "--repair",
        default="auto",
        show_default=True,
        type=click.Choice(["auto", *REPAIRS]),
        help="One repair of the average instead of all: BatchNorm reset, or REPAIR.",
    ),
    click.option("--report", type=output_path, help="Write an HTML page with the table of candidates."),
)
