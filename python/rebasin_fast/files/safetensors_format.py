"""safetensors: a JSON header, then the bytes. Read and written directly, mapped, without a dependency.

The `safetensors` package is not used. It is optional, and NumPy alone must suffice. Its older versions copy every
tensor into private memory and have no bfloat16 in NumPy, its newer ones give writable arrays; its errors name neither
the parameter nor a remedy, so that headers would be checked here as well; and it writes from all tensors at once,
where parameters may be computed one by one. It is the tests' reference for valid files.
Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import IO, Any

from .._arrays.elements import ELEMENT_TYPES
from .._untrusted import brief, parse_json
from ..errors import FileFormatError, ParamsError
from .arrays import raw_bytes
from .contents import Contents, FileFormat
from .mapped import DAMAGED, MappedFile, checked_shape
from .params import Entry, LoadedParams, ReadOptions, Source

_METADATA = "__metadata__"
MAX_HEADER = 100_000_000  # the limit of the format's own library


def read(path: Path, options: ReadOptions) -> LoadedParams:
    """Map a .safetensors file."""
    file = MappedFile(path, options.library)
    header, start = _header(file)
    metadata = _metadata(header.pop(_METADATA, {}), path)
    entries = _entries(header, file, start)
    ties = {
        other: first
        for other, first in metadata.items()
        if other not in entries and first in entries and other not in ("format", _METADATA)
    }
    entries.update({other: entries[first] for other, first in ties.items()})
    return LoadedParams(entries, Source(path, "safetensors", metadata), ties, options.library, file.sources)


def write(file: IO[bytes], contents: Contents) -> None:
    """Write the header, then one array after the other; no more than one is in memory at a time.

    Tied arrays are written once; the header's metadata names the others as ``{other: first}``, the
    convention of ``safetensors.torch.save_model``.
    """
    if _METADATA in contents.arrays:
        raise ParamsError(
            f"a .safetensors file has no place for a parameter of the name {_METADATA!r}: rename it."
        )
    names = [name for name in contents.arrays if name not in contents.ties]
    described = {n: (contents.arrays.code(n), contents.arrays.shape(n)) for n in names}
    # Largest elements first: then every array begins at a multiple of its element's size.
    names.sort(key=lambda n: -ELEMENT_TYPES[described[n][0]].itemsize)
    metadata = {k: v for k, v in contents.metadata.items() if k not in contents.arrays or k == "format"}
    # transformers refuses a file whose metadata does not name a framework.
    metadata = {"format": "pt", **metadata, **contents.ties}
    header: dict[str, Any] = {_METADATA: metadata}
    end = 0
    for name in names:
        code, shape = described[name]
        begin, end = end, end + ELEMENT_TYPES[code].nbytes(shape)
        header[name] = {"dtype": code, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name in names:
        file.write(raw_bytes(contents.arrays[name]).data)


def recognises(head: bytes) -> bool:
    """Whether these first bytes are of a safetensors file."""
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= MAX_HEADER


def _header(file: MappedFile) -> tuple[dict[str, Any], int]:
    if file.size < 8:
        raise FileFormatError(f"{file.path}: {file.size} bytes are too few for a safetensors file. {DAMAGED}")
    length = int.from_bytes(file.map[:8], "little")
    if length > min(MAX_HEADER, file.size - 8):
        raise FileFormatError(
            f"{file.path}: its header claims {length:,} bytes; the file has {file.size - 8:,} after the length, and "
            f"{MAX_HEADER:,} are allowed. It is no safetensors file, or it is truncated: fetch it again."
        )
    try:
        header = parse_json(bytes(file.map[8 : 8 + length]))
    except ValueError as error:
        raise FileFormatError(f"{file.path}: its header cannot be read ({error}). {DAMAGED}") from error
    if not isinstance(header, dict):
        raise FileFormatError(f"{file.path}: its header is not a JSON object. {DAMAGED}")
    return header, 8 + length


def _metadata(found: object, path: Path) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise FileFormatError(f"{path}: __metadata__ must map text to text. {DAMAGED}")
    return found


def _entries(header: dict[str, Any], file: MappedFile, start: int) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    spans: list[tuple[int, int, str]] = []
    for name, info in header.items():
        where = f"{file.path}: parameter {name!r}"
        if not isinstance(info, dict) or not {"dtype", "shape", "data_offsets"} <= info.keys():
            raise FileFormatError(f"{where} lacks dtype, shape or data_offsets. {DAMAGED}")
        code = _known_code(info["dtype"], where)
        shape = checked_shape(info["shape"], where)
        begin, end = _span(info["data_offsets"], file.size - start, where)
        expected = ELEMENT_TYPES[code].nbytes(shape)
        if end - begin != expected:
            raise FileFormatError(
                f"{where}: shape {list(shape)} of {code} takes {expected:,} bytes, and "
                f"{end - begin:,} are given. {DAMAGED}"
            )
        spans.append((begin, end, name))
        load = partial(file.array, shape=shape, offset=start + begin)
        entries[name] = Entry(code, shape, load, keep=file.aligned(code, start + begin))
    _check_cover(spans, file, start)
    return entries


def _known_code(code: object, where: str) -> str:
    if isinstance(code, str) and code in ELEMENT_TYPES:
        return code
    raise FileFormatError(
        f"{where}: element type {brief(code)} is not supported (supported: {', '.join(ELEMENT_TYPES)}). "
        "Packed and quantised weights cannot be matched: convert the checkpoint to float16 or float32 first."
    )


def _span(found: object, available: int, where: str) -> tuple[int, int]:
    if isinstance(found, list) and len(found) == 2 and all(type(n) is int for n in found):
        begin, end = found
        if 0 <= begin <= end <= available:
            return begin, end
        if 0 <= begin <= end:
            raise FileFormatError(
                f"{where} ends at byte {end:,} of the data, of which the file has {available:,}: it is truncated. "
                "Fetch it again."
            )
    raise FileFormatError(f"{where}: data_offsets {brief(found)} are not two positions in order. {DAMAGED}")


def _check_cover(spans: list[tuple[int, int, str]], file: MappedFile, start: int) -> None:
    """Check that the arrays follow one another without gap or overlap, as the format demands."""
    position = 0
    for begin, end, name in sorted(spans):
        if begin != position:
            raise FileFormatError(
                f"{file.path}: parameter {name!r} overlaps another or leaves a gap. {DAMAGED}"
            )
        position = end
    if position != file.size - start:
        surplus = file.size - start - position
        raise FileFormatError(f"{file.path}: {surplus:,} bytes belong to no parameter. {DAMAGED}")


FORMAT = FileFormat("safetensors", (".safetensors",), recognises, read, write)
