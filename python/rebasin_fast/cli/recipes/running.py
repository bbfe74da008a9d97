"""A recipe carried out: its models loaded, matched where that is asked for, merged and written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rebasin_fast.cli.alignment import align
from rebasin_fast.cli.destination import Destination
from rebasin_fast.cli.named import LoadOptions, NamedModel
from rebasin_fast.cli.options import MatchingOptions, OutputOptions
from rebasin_fast.cli.recipes.reading import Recipe, read_recipe
from rebasin_fast.errors import FileFormatError, RebasinError
from rebasin_fast.merging.lora.adapter import load_adapter
from rebasin_fast.merging.lora.applied import applied_adapter
from rebasin_fast.merging.rules.combining import combined_params
from rebasin_fast.typing import Params

_LAYER = re.compile(r"(?:^|\.)(\d+)\.")


def is_recipe(models: tuple[Path, ...]) -> bool:
    """Whether the command was given a recipe in place of models."""
    return len(models) == 1 and models[0].suffix.lower() in (".yaml", ".yml") and models[0].is_file()


def merge_recipe(
    path: Path,
    output: Path,
    options: MatchingOptions,
    loading: LoadOptions,
    out: OutputOptions,
    *,
    matched: bool,
    max_shard_size: int | None,
    allow_nonfinite: bool,
) -> None:
    """Merge by the recipe in ``path``, and save the result; with ``matched`` all models are moved onto the first."""
    recipe = read_recipe(path)
    has_base = recipe.base is not None
    names = [*([] if recipe.base is None else [recipe.base]), *recipe.models]
    files = [_path(name.partition("+")[0], path) for name in names]
    named = loading.load(files, options.memory_limit)
    params = [_with_adapter(name, model, path) for name, model in zip(names, named, strict=True)]
    _check_layers(recipe, params[0], path)
    dtype = recipe.out_dtype or recipe.dtype
    destination = Destination(output, named[0], out.force, dtype, max_shard_size)
    destination.check([path, *files])
    first, *others = params
    alignments = [
        align(first, file, other, options, out)
        for file, other in zip(files[1:], others, strict=True)
        if matched
    ]
    if alignments:
        first, others = alignments[0].first, [alignment.aligned for alignment in alignments]
    try:
        merged = combined_params(
            others if has_base else [first, *others],
            rule=recipe.rule.name,
            base=first if has_base else None,
            parameters=recipe.settings,
            rng=options.seed,
            dtype=recipe.dtype,
            out_dtype=recipe.out_dtype,
            allow_nonfinite=allow_nonfinite,
            strict=not options.no_strict,
        )
    except ValueError as error:
        if isinstance(error, RebasinError):
            raise
        raise FileFormatError(f"{path}: {error}") from None
    destination.write(merged)
    account: dict[str, Any] = {"rule": recipe.rule.name, "models": names}
    account["alignments"] = [alignment.to_dict() for alignment in alignments]
    lines = [alignment.summary() for alignment in alignments]
    out.show({**account, "output": str(output)}, "\n".join([*lines, f"saved {output}"]))


def _path(name: str, recipe: Path) -> Path:
    found = Path(name)
    if not found.exists():
        raise FileFormatError(f"{recipe}: the model {name!r} is no file or folder here; give its path")
    return found


def _with_adapter(name: str, model: NamedModel, recipe: Path) -> Params:
    """The model, with the adapter that is named behind a plus sign."""
    _, plus, adapter = name.partition("+")
    return applied_adapter(model.params, load_adapter(_path(adapter, recipe))) if plus else model.params


def _check_layers(recipe: Recipe, params: Params, path: Path) -> None:
    if recipe.layers is None:
        return
    found = [int(at[1]) + 1 for at in map(_LAYER.search, params) if at]
    if recipe.layers != max(found, default=0):
        raise FileFormatError(
            f"{path}: layer_range is [0, {recipe.layers}], and the models have {max(found, default=0)} layers; a part "
            "of the layers is not supported"
        )
