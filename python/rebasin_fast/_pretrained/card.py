"""The model card of a result: the models that it is made of, the method, and this package's version."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rebasin_fast import _core
from rebasin_fast._pretrained.hub import public_name, revision_of
from rebasin_fast._terminal.legible import legible


def model_card(
    title: str,
    models: Sequence[Path],
    facts: Mapping[str, object],
    *,
    library: str | None = None,
    tags: Iterable[str] = (),
) -> str:
    """The text of a README.md.

    Parameters
    ----------
    title : str
    models : sequence of Path
        The folders that the result is made of; the first gave the form. Of a path only its last part is written.
    facts : mapping
        The rows of its table.
    library : str, optional
        "transformers" or "diffusers".
    tags : iterable of str
        Further tags.
    """
    names = [public_name(model) for model in models]
    version = _core.build_config()["version"]
    entries: dict[str, object] = {} if library is None else {"library_name": library}
    entries |= {"base_model": names, "tags": ["rebasin-fast", *tags]}
    if len(models) > 1:
        entries["base_model_relation"] = "merge"
    header = "\n".join(f"{key}: {json.dumps(value)}" for key, value in entries.items())  # JSON is YAML
    listed = "\n".join(
        f"- {_text(name)}" + (f", revision {revision}" if (revision := revision_of(model)) else "")
        for name, model in zip(names, models, strict=True)
    )
    rows = "\n".join(f"| {_text(str(name))} | {_text(str(value))} |" for name, value in facts.items())
    return (
        f"---\n{header}\n---\n\n# {title}\n\nMade with rebasin-fast {version}, which permutes the hidden units of one "
        f"network onto those of another.\n\nModels:\n\n{listed}\n\n| | |\n| --- | --- |\n{rows}\n\n"
        "The licences of these models hold for the result. It was not evaluated by the program that made it.\n"
    )


def _text(value: str) -> str:
    """Names of strangers, without marks of Markdown or HTML, on one line."""
    plain = legible(value)
    for mark, written in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        ("|", "&#124;"),
        ("`", "&#96;"),
        ("[", "&#91;"),
        ("*", "&#42;"),
    ):
        plain = plain.replace(mark, written)
    return plain
