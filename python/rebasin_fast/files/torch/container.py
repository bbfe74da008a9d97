"""The two containers of torch.save: the zip archive (since 1.6) and the older stream of pickles.

Both are a pickle that describes the objects, and storages beside it. Read here without torch, because its
restricted unpickler has been broken twice (CVE-2025-32434 below 2.6, CVE-2026-24747 below 2.10) and refuses
a whole checkpoint for one unknown class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..._arrays.elements import CODE_OF_NAME, ELEMENT_TYPES
from ..._untrusted import brief
from ...errors import FileFormatError
from ..archive import Member, read_members
from ..mapped import DAMAGED, MappedFile
from .hostile import refuse_hostile
from .pickle_reader import ByteReader, Global, Pickled, read_pickle

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_TYPE_OF_STORAGE: dict[str, str | None] = {
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
    "UntypedStorage": None,
}


@dataclass
class Storage:
    """A block of elements in the file: its element type (None: bytes of any), position and size in bytes.

    The older container gives positions only after the pickle, so they are filled in then.
    """

    code: str | None
    nbytes: int
    offset: int = -1

    @property
    def itemsize(self) -> int:
        """Bytes of one element, as the storage counts them."""
        return ELEMENT_TYPES[self.code].itemsize if self.code else 1


@dataclass(frozen=True)
class View:
    """A part of a storage, counted in bytes from its beginning (only older files name such parts)."""

    storage: Storage
    start: int


def read_container(file: MappedFile) -> Pickled:
    """The objects that a torch file describes, with a `View` for each storage.

    Raises
    ------
    FileFormatError
        It is no torch file, is damaged, is TorchScript, or names something that weights do not need.
    """
    pickled = _read_zip(file) if file.map[:2] == b"PK" else _read_stream(file)
    refuse_hostile(pickled.globals, file.path)
    return pickled


def _announced(found: Any, storages: dict[str, Storage], where: str) -> tuple[str, Storage, Any]:
    """The key and the storage of an identifier, entered into ``storages`` where it is new, and the part named."""
    if not (isinstance(found, tuple) and len(found) in (5, 6) and found[0] == "storage"):
        raise FileFormatError(f"{where}: {brief(found)} is no storage. {DAMAGED}")
    _, kind, key, _location, count, *part = found
    if not (isinstance(key, str) and type(count) is int and count >= 0):
        raise FileFormatError(f"{where}: {brief(found)} is no storage. {DAMAGED}")
    name = kind.name if isinstance(kind, Global) else brief(kind)
    if name not in _TYPE_OF_STORAGE:
        raise FileFormatError(
            f"{where}: a storage of type {name} is not supported (quantised weights cannot be matched). "
            "Convert the checkpoint to float16 or float32 first."
        )
    storage = Storage(_TYPE_OF_STORAGE[name], count)
    storage.nbytes *= storage.itemsize
    known = storages.setdefault(key, storage)
    if (known.code, known.nbytes) != (storage.code, storage.nbytes):
        raise FileFormatError(f"{where}: storage {key} is announced in two ways. {DAMAGED}")
    return key, known, part[0] if part else None


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
            f"{file.path} is a TorchScript program, which would have to be executed. Save its weights instead: "
            "torch.save(torch.jit.load(old).state_dict(), new)"
        )
    _check_byte_order(file, members.get(root + "byteorder"))
    storages: dict[str, Storage] = {}

    def storage(identifier: Any) -> View:
        key, known, _ = _announced(identifier, storages, str(file.path))
        if known.offset < 0:
            member = members.get(f"{root}data/{key}")
            known.offset = _stored(file, member, f"{root}data/{key}")
            if member is None or member.size < known.nbytes:
                raise FileFormatError(
                    f"{file.path}: storage {key} is announced with {known.nbytes:,} bytes and has fewer. {DAMAGED}"
                )
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
    start = None if member is None else member.offset
    if start is not None and file.map[start : start + 3] == b"big":
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
        refuse_hostile(first.globals, file.path)
        raise FileFormatError(
            f"{file.path} is a plain pickle, not a file of torch.save. It is not executed; if you trust it, "
            "load it yourself and save its arrays with rebasin_fast.save_params or numpy.savez."
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
        _, known, part = _announced(identifier, storages, where)
        if part is None:
            return View(known, 0)
        if not (isinstance(part, tuple) and len(part) == 3 and type(part[1]) is int and part[1] >= 0):
            raise FileFormatError(f"{where}: {brief(part)} is no part of a storage. {DAMAGED}")
        return View(known, part[1] * known.itemsize)

    described = read_pickle(reader, where, storage)
    keys = read_pickle(reader, where).value
    _place_storages(file, reader, storages, keys)
    return Pickled(described.value, first.globals + described.globals)


def _place_storages(file: MappedFile, reader: ByteReader, storages: dict[str, Storage], keys: Any) -> None:
    texts = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not texts or set(keys) != set(storages):
        raise FileFormatError(
            f"{file.path}: its list of storages does not agree with its description. {DAMAGED}"
        )
    for key in keys:
        storage = storages[key]
        start = reader.tell() + 8
        count = int.from_bytes(file.map[start - 8 : start], "little")
        if count * storage.itemsize != storage.nbytes or start + storage.nbytes > file.size:
            raise FileFormatError(
                f"{file.path}: storage {key} is not whole: the file is truncated. Fetch it again."
            )
        storage.offset = start
        reader.position = start + storage.nbytes


def code_of_dtype(dtype: object, where: str) -> str:
    """Translate a ``torch.float8_…`` that a newer file names apart from its untyped storage."""
    if isinstance(dtype, Global) and dtype.module == "torch" and dtype.name in CODE_OF_NAME:
        return CODE_OF_NAME[dtype.name]
    raise FileFormatError(
        f"{where}: element type {dtype} is not supported. Convert it to float16 or float32 first."
    )
