"""NumPy archives (.npz): one array per name, nothing pickled."""

from __future__ import annotations

import math
import zipfile
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .._arrays.elements import CODE_OF_NAME, NAMES, numpy_dtype
from ..errors import FileFormatError, ParamsError
from .archive import Member, read_members
from .arrays import to_numpy
from .contents import Contents, FileFormat
from .mapped import DAMAGED, MappedFile, checked_shape
from .members.inflation import unpack_into, unpacked_head
from .members.npy_header import MAX_HEADER, parse_npy_header
from .params import Entry, LoadedParams, ReadOptions, Source

_HEADER_ROOM = 12 + MAX_HEADER


def read(path: Path, options: ReadOptions) -> LoadedParams:
    """Read the directory of an .npz file; its arrays are read on access.

    Uncompressed arrays are views of the mapped file where they are aligned in it. NumPy writes ``ml_dtypes``' bfloat16
    as the nameless type ``|V2``, which is read as bfloat16 again.
    """
    if path.suffix == ".npy":
        raise FileFormatError(_single_array(path))
    file = MappedFile(path, options.library)
    entries: dict[str, Entry] = {}
    left_out: dict[str, str] = {}
    for member in read_members(file).values():
        if not member.name.endswith(".npy"):
            if not member.name.endswith("/"):
                left_out[member.name] = "not an array"
            continue
        entries[member.name.removesuffix(".npy")] = _entry(file, member)
    source = Source(path, "numpy", left_out=left_out)
    return LoadedParams(entries, source, library=options.library, sources=file.sources)


def write(file: IO[bytes], contents: Contents) -> None:
    """Write an uncompressed archive, as `numpy.savez` does. Tied arrays are written under each name."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in contents.arrays.items():
            plain = to_numpy(array)
            if plain.dtype.name.startswith("float8"):
                raise ParamsError(
                    f"parameter {name!r} is {plain.dtype}, which .npz cannot distinguish from other types. "
                    "Save as .safetensors."
                )
            # A fixed date: equal parameters give equal files.
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(info, "w", force_zip64=True) as member:
                npy.write_array(member, plain, allow_pickle=False)


def recognises(head: bytes) -> bool:
    """Whether these first bytes are of an .npz or .npy file."""
    return head.startswith(npy.MAGIC_PREFIX) or (head.startswith(b"PK\x03\x04") and b".npy" in head[30:300])


def _entry(file: MappedFile, member: Member) -> Entry:
    where = f"{file.path}: parameter {member.name.removesuffix('.npy')!r}"
    try:
        found_shape, fortran, dtype, start = parse_npy_header(_head(file, member))
    except FileFormatError:
        raise
    except Exception as error:  # a Python literal fails in many ways on hostile bytes
        raise FileFormatError(f"{where} has no readable header ({_first_line(error)}). {DAMAGED}") from error
    shape = checked_shape(found_shape, where)
    code = _code(dtype, where)
    size = math.prod(shape) * dtype.itemsize
    if member.size != start + size:
        raise FileFormatError(
            f"{where}: shape {list(shape)} of {dtype} takes {size:,} bytes, and the member holds "
            f"{member.size - start:,}. {DAMAGED}"
        )
    strides = _fortran_strides(shape) if fortran else None
    if member.offset is not None and dtype.byteorder != ">":
        offset = member.offset + start
        load = partial(file.array, shape=shape, offset=offset, strides=strides)
        return Entry(code, shape, load, file.aligned(code, offset))
    return Entry(code, shape, partial(_read, file, member, dtype, shape, fortran), unpacked=True)


def _head(file: MappedFile, member: Member) -> bytes:
    if member.offset is not None:
        return bytes(file.map[member.offset : member.offset + min(member.size, _HEADER_ROOM)])
    return unpacked_head(file, member, _HEADER_ROOM)


def _read(
    file: MappedFile, member: Member, dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool, code: str
) -> NDArray[Any]:
    stored = numpy_dtype(code).newbyteorder(">" if dtype.byteorder == ">" else "<")
    flat = np.empty(math.prod(shape), stored)
    # memoryview knows no element types of ml_dtypes: bytes have none.
    unpack_into(flat.view(np.uint8).data, file, member)
    if not flat.dtype.isnative:
        flat = flat.byteswap(inplace=True).view(numpy_dtype(code))
    return flat.reshape(shape, order="F" if fortran else "C")


def _code(dtype: np.dtype[Any], where: str) -> str:
    if dtype.kind == "V" and dtype.itemsize == 2 and dtype.names is None and dtype.subdtype is None:
        return "BF16"
    code = CODE_OF_NAME.get(dtype.name)
    if code is not None:
        return code
    if dtype.hasobject:
        raise FileFormatError(
            f"{where} is a pickled object, which would have to be executed and is not. If you trust the file, save "
            "it again as plain arrays: numpy.savez(new, **numpy.load(old, allow_pickle=True)[name].item())"
        )
    raise FileFormatError(
        f"{where}: element type {dtype} is not supported (supported: {NAMES}). Convert it first."
    )


def _fortran_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1]
    for n in shape[:-1]:
        strides.append(strides[-1] * n)
    return tuple(strides[: len(shape)])


def _single_array(path: Path) -> str:
    return (
        f"{path} is a single array or a pickled dictionary, and a set of named arrays is needed. Nothing "
        "pickled is executed; if you trust the file, save it again: "
        "numpy.savez(new, **numpy.load(old, allow_pickle=True).item())"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


FORMAT = FileFormat("numpy", (".npz", ".npy"), recognises, read, write)
