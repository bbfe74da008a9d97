"""States of matchings in files: named arrays and a JSON account in .npz or .safetensors, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of
from rebasin_fast._untrusted import brief, parse_json
from rebasin_fast._untrusted.schema import Schema
from rebasin_fast.errors import FileFormatError, ParamsError
from rebasin_fast.files import load_params, save_params
from rebasin_fast.files.arrays import element_code, raw_bytes

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Array, Params

Account: TypeAlias = dict[str, Any]
State = TypeVar("State")

_SUFFIXES = (".safetensors", ".npz")
_ACCOUNT = "account"
_DIGEST = "digest"
_VERSION = 2
_SMALL = 4096  # entries of an array that is brought to the host whole: one at a time takes longer
_SAMPLED = 64  # entries of each array that distinguish one model from another


@dataclass(frozen=True)
class StateFile:
    """One kind of state file: ``kind`` stands in the file, ``title`` and ``owner`` in error messages.

    ``schema`` is of everything in it, and is checked before ``parse`` sees any of it.
    """

    kind: str
    title: str
    schema: Schema
    owner: str = "matching"

    def check_name(self, path: str | os.PathLike[str]) -> None:
        """FileFormatError unless the extension is one of a state file."""
        if Path(path).suffix.lower() not in _SUFFIXES:
            raise FileFormatError(f"{path}: a {self.title} is a {' or '.join(_SUFFIXES)} file")

    def write(
        self,
        path: str | os.PathLike[str],
        arrays: Mapping[str, Array],
        account: Mapping[str, Any],
        *,
        key: str | None = None,
        overwrite: bool = True,
    ) -> None:
        """Write the file whole, or leave the one before; ``key`` is that of the matching it belongs to.

        Raises
        ------
        ParamsError
            ``account`` holds something that is no JSON, or anything is not as :meth:`read` expects it.
        FileFormatError, OutputExistsError, UnwritableOutputError
            As :func:`rebasin_fast.save_params`.
        """
        self.check_name(path)
        header = {"kind": self.kind, "version": _VERSION, "key": key}
        try:
            text = json.dumps({**header, **account}, default=_plain)
        except TypeError as error:
            raise ParamsError(
                f"{path}: the state holds something that a file of plain numbers cannot ({error}); run without "
                "checkpoint="
            ) from None
        self._check_readable(path, text, arrays, header)
        contents = {**arrays, _ACCOUNT: np.frombuffer(text.encode(), np.uint8)}
        save_params(path, {**contents, _DIGEST: _digest(contents)}, overwrite=overwrite)

    def _check_readable(
        self, path: str | os.PathLike[str], text: str, arrays: Mapping[str, Array], header: Mapping[str, Any]
    ) -> None:
        account = json.loads(text)
        try:
            self.schema.check({name: account[name] for name in account if name not in header}, arrays)
        except ValueError as error:
            raise ParamsError(
                f"{path}: a {self.title} in which {error} could not be read again, and is not written"
            ) from None

    def read(
        self,
        path: str | os.PathLike[str],
        parse: Callable[[Mapping[str, Array], Account], State],
        *,
        key: str | None = None,
        library: Literal["numpy", "torch"] = "numpy",
    ) -> State:
        """``parse(arrays, account)`` of a file that :meth:`write` wrote, for the matching of ``key`` if it is given.

        Raises
        ------
        FileFormatError
            The file is of another kind or version, holds anything that is not of the schema, is damaged (``parse``
            failed), or belongs to another matching.
        """
        self.check_name(path)
        arrays = load_params(path, library=library)
        try:
            contents, account = self._whole(arrays)
            found_key = account.pop("key")
            fits = key is None or found_key == key
            if fits:
                self.schema.check(account, contents)
            state = parse(contents, account) if fits else None
        except (MemoryError, ImportError):
            raise
        except Exception as error:  # hostile values may fail in every part of what is made of them
            raise FileFormatError(
                f"{path} is no {self.title}, or is damaged ({error or type(error).__name__}); remove it, or give "
                "another name"
            ) from error
        if state is None:
            raise FileFormatError(
                f"{path} belongs to another {self.owner}: other models, another spec or other options. Give the file "
                "that belongs to these, or another name"
            )
        return state

    def _whole(self, arrays: Mapping[str, Array]) -> tuple[dict[str, Array], Account]:
        """Arrays and account of a file of this kind and version whose digest is theirs, the header's key left."""
        for name in (_ACCOUNT, _DIGEST):
            if name not in arrays:
                raise ValueError(f"it has no {name!r}")
        account = parse_json(_bytes(arrays[_ACCOUNT]))
        if not isinstance(account, dict):
            raise ValueError(f"its account is {brief(account)}, not a mapping")
        kind, version = account.pop("kind", None), account.pop("version", None)
        if kind != self.kind or type(version) is not int or version != _VERSION:
            raise ValueError(f"its kind is {brief(kind)}, version {brief(version)}")
        if not isinstance(account.setdefault("key", None), str | None):
            raise ValueError(f"key is {brief(account['key'])}, not a text")
        contents = {name: array for name, array in arrays.items() if name != _DIGEST}
        if _bytes(arrays[_DIGEST]) != _digest(contents).tobytes():
            raise ValueError("its contents do not agree with the digest beside them")
        del contents[_ACCOUNT]
        return contents, account

    def resume(
        self,
        path: str | os.PathLike[str],
        parse: Callable[[Mapping[str, Array], Account], State],
        *,
        key: str,
        library: Literal["numpy", "torch"] = "numpy",
    ) -> State | None:
        """As :meth:`read`, and None where there is no file."""
        self.check_name(path)
        return self.read(path, parse, key=key, library=library) if os.path.exists(path) else None


def key_of(spec: PermutationSpec, models: Sequence[Params], options: Mapping[str, Any]) -> str:
    """A digest that distinguishes matchings: of the spec, the options, and some entries of every array."""
    return digest_of(spec.axes_to_perm, models, options, of=spec.digest())


def digest_of(
    names: Iterable[str], models: Sequence[Params], options: Mapping[str, Any], *, of: str = ""
) -> str:
    """A digest of the options and of some entries of the arrays of these names; ``of`` is a digest of all else."""
    names = list(names)
    digest = hashlib.sha256(of.encode())
    digest.update(json.dumps(options, sort_keys=True, default=repr).encode())
    for params in models:
        for name in names:
            if name in params:
                digest.update(name.encode() + _sample(params[name]))
    return digest.hexdigest()


def _digest(contents: Mapping[str, Array]) -> NDArray[np.uint8]:
    """SHA-256 of all arrays, their names, types and shapes; the account is one of them."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        array = contents[name]
        digest.update(repr((name, element_code(array, name), tuple(array.shape))).encode())
        digest.update(raw_bytes(array).data)
    return np.frombuffer(digest.digest(), np.uint8)


def _bytes(array: Array) -> bytes:
    return library_of(array).to_host(array).tobytes()


def _sample(array: Array) -> bytes:
    shape = tuple(array.shape)
    size = int(np.prod(shape))
    positions = np.linspace(0, max(size - 1, 0), _SAMPLED).astype(np.int64)
    if shape and 0 < size <= _SMALL:
        flat = library_of(array).to_host(array).reshape(-1)
        return repr((shape, [_number(entry) for entry in flat[positions]])).encode()
    taken = [array[tuple(int(i) for i in np.unravel_index(position, shape))] for position in positions]
    entries = [_number(library_of(array).to_host(one.reshape(1))[0]) if shape else 0.0 for one in taken]
    return repr((shape, entries)).encode()


def _number(entry: Any) -> float | complex:
    return complex(entry) if np.iscomplexobj(entry) else float(entry)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__qualname__} is no number, text or list")
