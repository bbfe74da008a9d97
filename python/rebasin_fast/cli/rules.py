"""Options of ``merge`` by which the parameters of aligned models are combined: mergekit's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from rebasin_fast._arrays.derived import DerivedParams
from rebasin_fast.cli.option_types import ByteCount
from rebasin_fast.cli.options import MatchingOptions, input_path, option_group
from rebasin_fast.errors import RebasinError
from rebasin_fast.merging.rules.combining import combined_params
from rebasin_fast.merging.rules.precision import NAMES
from rebasin_fast.merging.rules.registry import RULES, rule_named
from rebasin_fast.typing import Params

_OPTION_OF = {
    "density": "--density",
    "t": "--t",
    "lambda": "--lambda",
    "normalize": "--normalize",
    "rescale": "--rescale",
}


@dataclass(frozen=True)
class RuleOptions:
    """The rule, its parameters, and the form of the result."""

    rule: str | None
    base: Path | None
    density: str | None
    t: str | None
    factor: float | None
    normalize: bool | None
    rescale: bool | None
    weights_of: tuple[str, ...]
    dtype: str | None
    max_shard_size: int | None

    def check(self, method: str) -> None:
        """UsageError for options that contradict one another."""
        if self.rule is None:
            alone = {**self._given(), "--base": self.base, "--weights-of": self.weights_of or None}
            for option, value in alone.items():
                if value is not None:
                    raise click.UsageError(
                        f"{_OPTION_OF.get(option, option)} is for a merge with --rule NAME"
                    )
            return
        if method != "first":
            raise click.UsageError(f"--rule is for --method first; got {method}")
        rule = rule_named(self.rule)
        if rule.base == "required" and self.base is None:
            raise click.UsageError(
                f"--rule {self.rule} needs --base FILE, the model from which the others were trained"
            )
        if rule.base == "none" and self.base is not None:
            raise click.UsageError(f"--rule {self.rule} has no base; give the model among the others")
        for name, value in self._given().items():
            if value is not None and rule.parameter(name) is None:
                raise click.UsageError(f"{_OPTION_OF[name]} is not for --rule {self.rule}")

    def with_base(self, models: Sequence[Path]) -> tuple[Path, ...]:
        """The base, if any, and the models beside it."""
        if self.base is None:
            return tuple(models)
        return (self.base, *(path for path in models if not path.samefile(self.base)))

    def parameters(self, weights: str | None, models: int) -> dict[str, Any]:
        """The settings of the rule's parameters, for ``models`` with the base."""
        if self.rule is None:
            return {}
        rule = rule_named(self.rule)
        count = models - (rule.base != "none")
        given = {name: value for name, value in self._given().items() if value is not None}
        for name in ("t", "density"):
            if name in given:
                given[name] = _numbers(given[name], f"--{name}")
        if "density" in given:
            given["density"] = _one_each(given["density"], count, "--density")
        if weights is not None or self.weights_of:
            if rule.parameter("weights") is None:
                raise click.UsageError(f"--weights is not for --rule {self.rule}; it takes --t")
            given["weights"] = self._weights(weights, count)
        return given

    def merged(
        self,
        models: Sequence[Params],
        parameters: Mapping[str, Any],
        options: MatchingOptions,
        *,
        allow_nonfinite: bool,
    ) -> DerivedParams:
        """The merged model; ``models`` are aligned, the base first."""
        assert self.rule is not None
        has_base = self.base is not None
        try:
            return combined_params(
                models[1:] if has_base else models,
                rule=self.rule,
                base=models[0] if has_base else None,
                parameters=parameters,
                rng=options.seed,
                dtype=self.dtype,
                allow_nonfinite=allow_nonfinite,
                strict=not options.no_strict,
            )
        except ValueError as error:  # a number out of its range, a number of models
            if isinstance(error, RebasinError):
                raise
            raise click.UsageError(str(error)) from None

    def account(self) -> dict[str, Any]:
        """As JSON values; empty without a rule."""
        return {} if self.rule is None else {"rule": rule_named(self.rule).name}

    def _given(self) -> dict[str, Any]:
        return {
            "density": self.density,
            "t": self.t,
            "lambda": self.factor,
            "normalize": self.normalize,
            "rescale": self.rescale,
        }

    def _weights(self, weights: str | None, count: int) -> list[Any]:
        everywhere = [1.0] * count
        if weights is not None:
            everywhere = _one_each(_numbers(weights, "--weights"), count, "--weights")
        settings: list[dict[str, float]] = [{} for _ in range(count)]
        for text in self.weights_of:
            pattern, separator, numbers = text.partition("=")
            if not pattern or not separator:
                raise click.BadParameter(
                    f"{text!r} is not of the form PATTERN=W,W", param_hint="--weights-of"
                )
            found = _one_each(_numbers(numbers, "--weights-of"), count, "--weights-of")
            for setting, number in zip(settings, found, strict=True):
                setting[pattern] = number
        return [{**setting, "*": one} for setting, one in zip(settings, everywhere, strict=True)]


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a list of numbers such as 0.5,1", param_hint=option
        ) from None


def _one_each(numbers: list[float], count: int, option: str) -> list[float]:
    if len(numbers) == 1:
        return numbers * count
    if len(numbers) != count:
        raise click.BadParameter(
            f"one number for all, or one for each of the {count} models beside the base; got {len(numbers)}",
            param_hint=option,
        )
    return numbers


rule_options = option_group(
    "rules",
    RuleOptions,
    click.option(
        "--rule",
        type=click.Choice([name.replace("_", "-") for name in RULES]),
        help="How mergekit combines models; without it, the weighted mean.",
    ),
    click.option(
        "--base", type=input_path, help="The model from which the others were trained; matched onto, too."
    ),
    click.option("--density", metavar="D[,D...]", help="Share of the entries that ties and dare keep."),
    click.option(
        "--t", metavar="T[,T...]", help="Place on the arc of slerp, from the first layer to the last."
    ),
    click.option("--lambda", "factor", type=float, help="Factor of the merged task vector."),
    click.option(
        "--normalize/--no-normalize",
        default=None,
        help="Divide by the sum of the weights (linear, ties: yes).",
    ),
    click.option(
        "--rescale/--no-rescale", default=None, help="Scale trimmed task vectors up again (dare: yes)."
    ),
    click.option(
        "--weights-of",
        multiple=True,
        metavar="PATTERN=W,W",
        help="Other weights for parameters of a pattern, such as 'layers.*.mlp=1,0'; may be repeated.",
    ),
    click.option("--dtype", type=click.Choice(NAMES), help="Type of the result, and of the work of a rule."),
    click.option(
        "--max-shard-size",
        type=ByteCount(),
        metavar="BYTES",
        help="Divide the output folder into .safetensors files of this size, such as 5G.",
    ),
)
