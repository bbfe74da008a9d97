"""Sets of files that hold one model, with an index (``….index.json``), as Hugging Face writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._arrays.elements import ELEMENT_TYPES
from ..._untrusted import brief, parse_json, read_small_file
from ...errors import FileFormatError
from ..contents import Outgoing
from ..formats import format_of_file
from ..params import Entry, LoadedParams, ReadOptions, Source
from ..writing.publishing import MAX_INDEX


@dataclass(frozen=True)
class ShardedLayout:
    """The file of each parameter of a set.

    Attributes
    ----------
    index_name : str
        The name of the index file.
    shard_of : dict of str
        ``{parameter: file name}``.
    metadata : dict
        The other entries of the index.
    sources : dict of Source
        Each shard's own frame and metadata.
    """

    index_name: str
    shard_of: dict[str, str]
    metadata: dict[str, Any]
    sources: dict[str, Source]


def read_index(path: Path, options: ReadOptions) -> LoadedParams:
    """Read the directory of every shard that the index names.

    Raises
    ------
    FileFormatError
        The index is no index, names a file outside of its folder, or a parameter that its shard does not
        hold; or two files hold a parameter that it does not name.
    """
    shard_of, metadata = _parse(path)
    shards: dict[str, LoadedParams] = {}
    for name in dict.fromkeys(shard_of.values()):
        file = path.parent / name
        if not file.is_file():
            raise FileFormatError(
                f"{path} names the file {name}, which is not beside it. Fetch the whole set."
            )
        known = format_of_file(file)
        shards[name] = known.load(file, options)
    if len({shard.source.format for shard in shards.values()}) != 1:
        raise FileFormatError(f"{path} names files of several formats. Keep to one.")
    for name, shard_name in shard_of.items():
        if name not in shards[shard_name]:
            raise FileFormatError(
                f"{path} lists {name!r} in {shard_name}, which does not hold it. Fetch the set again."
            )
    # Other readers of the set load whole files: a parameter that the index lacks is one like the others.
    for name, shard_name in [(n, file) for file, shard in shards.items() for n in shard if n not in shard_of]:
        if name in shard_of:
            raise FileFormatError(
                f"{path} does not list {name!r}, and both {shard_of[name]} and {shard_name} hold it. "
                "Fetch the set again."
            )
        shard_of[name] = shard_name
    entries: dict[str, Entry] = {}
    ties: dict[str, str] = {}
    for name, shard_name in shard_of.items():
        entries[name] = shards[shard_name].entry(name)
        first_name = shards[shard_name].ties.get(name)
        if first_name in entries:
            ties[name] = first_name
    first = next(iter(shards.values()))
    left_out = {f"{n}: {k}": why for n, shard in shards.items() for k, why in shard.source.left_out.items()}
    layout = ShardedLayout(path.name, shard_of, metadata, {n: shard.source for n, shard in shards.items()})
    source = Source(path, first.source.format, first.source.metadata, left_out, layout)
    maps = tuple(found for shard in shards.values() for found in shard.sources)
    return LoadedParams(entries, source, ties, first.library, maps)


def divide(layout: ShardedLayout, arrays: Mapping[str, Any]) -> dict[str, list[str]]:
    """The parameters of each file of the new set; those that the old set lacks go into its last file."""
    last = list(layout.sources)[-1]
    shards: dict[str, list[str]] = {name: [] for name in layout.sources}
    for name in arrays:
        shards[layout.shard_of.get(name, last)].append(name)
    return {name: members for name, members in shards.items() if members}


def divided_by_size(
    arrays: Outgoing, ties: Mapping[str, str], largest: int, single: Path
) -> ShardedLayout | None:
    """A new division into files of at most ``largest`` bytes of arrays, in their order; None where one file does.

    An array that is larger has a file of its own. ``single`` is the file of a model that is not divided.
    """
    groups: list[list[str]] = [[]]
    size = 0
    for name in arrays:
        own = (
            0 if ties.get(name) in groups[-1] else ELEMENT_TYPES[arrays.code(name)].nbytes(arrays.shape(name))
        )
        if groups[-1] and size + own > largest:
            groups.append([])
            size = 0
        groups[-1].append(name)
        size += own
    if len(groups) == 1:
        return None
    files = [f"{single.stem}-{n:05d}-of-{len(groups):05d}{single.suffix}" for n in range(1, len(groups) + 1)]
    shard_of = {name: file for file, names in zip(files, groups, strict=True) for name in names}
    sources = {file: Source(single.with_name(file), "safetensors") for file in files}
    return ShardedLayout(f"{single.name}.index.json", shard_of, {}, sources)


def index_text(layout: ShardedLayout, shards: dict[str, list[str]], arrays: Outgoing) -> str:
    """Write the index of a set."""
    total = sum(ELEMENT_TYPES[arrays.code(n)].nbytes(arrays.shape(n)) for n in arrays)
    weight_map = {name: shard for shard, names in shards.items() for name in names}
    text = json.dumps(
        {"metadata": {**layout.metadata, "total_size": total}, "weight_map": weight_map}, indent=2
    )
    return text + "\n"


def _parse(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    try:
        index = parse_json(read_small_file(path, MAX_INDEX))
    except ValueError as error:
        raise FileFormatError(f"{path} cannot be read as an index ({error}). Fetch it again.") from error
    shard_of = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(shard_of, dict) or not shard_of:
        raise FileFormatError(
            f"{path} has no weight_map, which maps parameters to files: it is no index of weights."
        )
    for name, shard in shard_of.items():
        _refuse_climbing(path, name, shard)
    metadata = index.get("metadata")
    return shard_of, metadata if isinstance(metadata, dict) else {}


def _refuse_climbing(path: Path, name: str, shard: object) -> None:
    # Both kinds of separators and drive letters, on every system: a set is made on one and read on another.
    if not isinstance(shard, str) or not shard or shard in (".", "..") or any(c in shard for c in "/\\:\0"):
        raise FileFormatError(
            f"{path} places {name!r} in {brief(shard)}, which is no plain file name beside the index. "
            "An index that reaches elsewhere is refused: it is damaged or hostile."
        )
