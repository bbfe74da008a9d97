"""The two containers of torch.save: the zip archive (since 1.6) and the older stream of pickles.

Both are a pickle that describes the objects, and storages beside it. Read here without torch, because its
restricted unpickler has been broken twice (CVE-2025-32434 below 2.6, CVE-2026-24747 below 2.10) and refuses
a whole checkpoint for one foreign class in a corner of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..._arrays.elements import CODE_OF_NAME, ELEMENT_TYPES
from ...errors import FileFormatError
from ..archive import Member, read_members
from ..mapped import DAMAGED, MappedFile
from .pickle_reader import ByteReader, Global, Pickled, read_pickle

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_TYPE_OF_STORAGE = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
    "ComplexFloatStorage": "C64",
    "ComplexDoubleStorage": "C128",
}
# fmt: off
_NEVER_IN_WEIGHTS = {
    "os", "posix", "nt", "subprocess", "sys", "importlib", "runpy", "shutil", "socket", "pty", "ctypes",
    "codeop", "pickle", "_pickle", "webbrowser", "asyncio", "multiprocessing", "pdb", "bdb", "timeit",
    "pydoc", "urllib", "requests", "commands", "pip", "cProfile", "marshal",
}
# fmt: on
_NEVER_ANYWHERE = frozenset({"open", "eval", "exec", "system", "popen", "__import__"})
# fmt: off
_HARMLESS_BUILTINS = {
    "set", "frozenset", "dict", "list", "tuple", "int", "float", "complex", "bool", "str", "bytes",
    "bytearray", "slice", "range", "object", "type", "print", "len", "sum", "min", "max", "abs", "round",
    "getattr",
}
# fmt: on


@dataclass
class Storage:
    """A block of elements in the file: its element type (None: bytes of any), position and size in bytes.

    The older container gives positions only after the pickle, so they are filled in then.
    """

    code: str | None
    nbytes: int
    offset: int = -1


@dataclass(frozen=True)
class View:
    """A part of a storage, counted in bytes from its beginning (only older files name such parts)."""

    storage: Storage
    start: int


def read_container(file: MappedFile) -> Pickled:
    """Read what a torch file describes; in it, storages appear as `View`.

    Raises
    ------
    FileFormatError
        It is no torch file, is damaged, is TorchScript, or asks for something that weights have no need of.
    """
    pickled = _read_zip(file) if file.map[:2] == b"PK" else _read_stream(file)
    for name in pickled.globals:
        _refuse_hostile(name, file)
    return pickled


def _refuse_hostile(name: Global, file: MappedFile) -> None:
    root = name.module.partition(".")[0]
    builtin = root in ("builtins", "__builtin__") and name.name not in _HARMLESS_BUILTINS
    if builtin or root in _NEVER_IN_WEIGHTS or name.name in _NEVER_ANYWHERE:
        raise FileFormatError(
            f"{file.path} asks to run {name}, which no file of weights needs: it is hostile or no "
            "checkpoint. "
            "Nothing of it was executed. Do not open it with anything else; get the weights as .safetensors."
        )


def _storage_code(kind: object, where: str) -> str | None:
    name = kind.name if isinstance(kind, Global) else str(kind)
    if name == "UntypedStorage":
        return None
    if name not in _TYPE_OF_STORAGE:
        raise FileFormatError(
            f"{where}: a storage of type {name} is not supported (quantised weights cannot be matched). "
            "Convert the checkpoint to float16 or float32 first."
        )
    return _TYPE_OF_STORAGE[name]


def _identifier(found: Any, where: str) -> tuple[object, str, int, Any]:
    if isinstance(found, tuple) and len(found) in (5, 6) and found[0] == "storage":
        _, kind, key, _location, count = found[:5]
        if isinstance(key, str) and type(count) is int and count >= 0:
            return kind, key, count, found[5] if len(found) == 6 else None
    raise FileFormatError(f"{where}: {found!r:.80} is no storage. {DAMAGED}")


def _read_zip(file: MappedFile) -> Pickled:
    members = read_members(file)
    names = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(names) != 1:
        raise FileFormatError(
            f"{file.path} is a zip archive, but not one of torch.save (it holds {_some(members)}). "
            "A .zip of several files must be unpacked first; NumPy archives end in .npz."
        )
    root = names[0].removesuffix("data.pkl")
    if root + "constants.pkl" in members:
        raise FileFormatError(
            f"{file.path} is a TorchScript program, which would have to be executed. Save its weights "
            "instead: "
            "torch.save(torch.jit.load(old).state_dict(), new)"
        )
    _check_byte_order(file, members.get(root + "byteorder"))
    storages: dict[str, Storage] = {}

    def storage(identifier: Any) -> View:
        kind, key, count, _ = _identifier(identifier, str(file.path))
        code = _storage_code(kind, str(file.path))
        nbytes = count * (ELEMENT_TYPES[code].itemsize if code else 1)
        if key not in storages:
            member = members.get(f"{root}data/{key}")
            offset = _stored(file, member, f"{root}data/{key}")
            if member is None or member.size < nbytes:
                raise FileFormatError(
                    f"{file.path}: storage {key} is announced with {nbytes:,} bytes and has fewer. {DAMAGED}"
                )
            storages[key] = Storage(code, nbytes, offset)
        known = storages[key]
        if (known.code, known.nbytes) != (code, nbytes):
            raise FileFormatError(f"{file.path}: storage {key} is announced in two ways. {DAMAGED}")
        return View(known, 0)

    start = _stored(file, members[names[0]], names[0])
    reader = ByteReader(file.map, start, start + members[names[0]].size)
    return read_pickle(reader, f"{file.path}: its description (data.pkl)", storage)


def _stored(file: MappedFile, member: Member | None, name: str) -> int:
    if member is None:
        raise FileFormatError(f"{file.path}: {name} is missing. The file is truncated: fetch it again.")
    if member.offset is None:
        raise FileFormatError(
            f"{file.path}: {name} is compressed, which torch.save never does. Unpack the archive and pack it "
            "again without compression (zip -0 -r), or save it again with torch.save."
        )
    return member.offset


def _check_byte_order(file: MappedFile, member: Member | None) -> None:
    if (
        member is not None
        and member.offset is not None
        and file.map[member.offset : member.offset + 3] == b"big"
    ):
        raise FileFormatError(
            f"{file.path} was written by a big-endian machine. Save it again on a little-endian one."
        )


def _some(names: Any) -> str:
    listed = list(names)
    return ", ".join(listed[:4]) + (", …" if len(listed) > 4 else "") if listed else "nothing"


def _read_stream(file: MappedFile) -> Pickled:
    where = f"{file.path}: its description"
    reader = ByteReader(file.map, 0, file.size)
    first = read_pickle(reader, where)
    if type(first.value) is not int or first.value != _MAGIC:
        for name in first.globals:
            _refuse_hostile(name, file)
        raise FileFormatError(
            f"{file.path} is a plain pickle, not a file of torch.save. It is not executed; if you trust it, "
            "load it "
            "yourself and save its arrays with rebasin_fast.save_params or numpy.savez."
        )
    protocol, system = read_pickle(reader, where).value, read_pickle(reader, where).value
    if protocol != _PROTOCOL or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise FileFormatError(
            f"{file.path} is of an unknown version of torch.save. Save it again with a newer torch."
        )
    storages: dict[str, Storage] = {}

    def storage(identifier: Any) -> Any:
        if isinstance(identifier, tuple) and len(identifier) == 4 and identifier[0] == "module":
            return identifier[1]  # the class of a whole module, beside its source text
        kind, key, count, part = _identifier(identifier, where)
        code = _storage_code(kind, where)
        itemsize = ELEMENT_TYPES[code].itemsize if code else 1
        known = storages.setdefault(key, Storage(code, count * itemsize))
        if known.code != code:
            raise FileFormatError(f"{where}: storage {key} is announced in two ways. {DAMAGED}")
        if part is None:
            return View(known, 0)
        if not (isinstance(part, tuple) and len(part) == 3 and type(part[1]) is int and part[1] >= 0):
            raise FileFormatError(f"{where}: {part!r:.80} is no part of a storage. {DAMAGED}")
        return View(known, part[1] * itemsize)

    described = read_pickle(reader, where, storage)
    keys = read_pickle(reader, where).value
    _place_storages(file, reader, storages, keys)
    return Pickled(described.value, first.globals + described.globals)


def _place_storages(file: MappedFile, reader: ByteReader, storages: dict[str, Storage], keys: Any) -> None:
    if (
        not isinstance(keys, list)
        or not all(isinstance(key, str) for key in keys)
        or set(keys) != set(storages)
    ):
        raise FileFormatError(
            f"{file.path}: its list of storages does not agree with its description. {DAMAGED}"
        )
    for key in keys:
        storage = storages[key]
        itemsize = ELEMENT_TYPES[storage.code].itemsize if storage.code else 1
        position = reader.tell()
        count = int.from_bytes(file.map[position : position + 8], "little")
        if count * itemsize != storage.nbytes or position + 8 + storage.nbytes > file.size:
            raise FileFormatError(
                f"{file.path}: storage {key} is not whole: the file is truncated. Fetch it again."
            )
        storage.offset = position + 8
        reader.position = position + 8 + storage.nbytes


def code_of_dtype(dtype: object, where: str) -> str:
    """Translate a ``torch.float8_…`` that a newer file names apart from its untyped storage."""
    if isinstance(dtype, Global) and dtype.module == "torch" and dtype.name in CODE_OF_NAME:
        return CODE_OF_NAME[dtype.name]
    raise FileFormatError(
        f"{where}: element type {dtype} is not supported. Convert it to float16 or float32 first."
    )
