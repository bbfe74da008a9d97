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
from rebasin_fast._untrusted import parse_json
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
_SAMPLED = 64  # entries of each array that distinguish one model from another


@dataclass(frozen=True)
class StateFile:
    """One kind of state file: ``kind`` stands in the file, ``title`` and ``owner`` in error messages."""

    kind: str
    title: str
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
            ``account`` holds something that is no JSON.
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
        contents = {**arrays, _ACCOUNT: np.frombuffer(text.encode(), np.uint8)}
        save_params(path, {**contents, _DIGEST: _digest(contents)}, overwrite=overwrite)

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
            The file is of another kind or version, is damaged (``parse`` failed), or belongs to another matching.
        """
        self.check_name(path)
        arrays = load_params(path, library=library)
        try:
            if _ACCOUNT not in arrays:
                raise ValueError(f"it has no {_ACCOUNT!r}")
            account = parse_json(library_of(arrays[_ACCOUNT]).to_host(arrays[_ACCOUNT]).tobytes())
            if account["kind"] != self.kind or account["version"] != _VERSION:
                raise ValueError(f"its kind is {account['kind']!r}, version {account['version']!r}")
            contents = {name: array for name, array in arrays.items() if name != _DIGEST}
            if library_of(arrays[_DIGEST]).to_host(arrays[_DIGEST]).tobytes() != _digest(contents).tobytes():
                raise ValueError("its contents do not agree with the digest beside them")
            fits = key is None or account["key"] == key
            state = parse(contents, account) if fits else None
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
            raise FileFormatError(
                f"{path} is no {self.title}, or is damaged ({error}); remove it, or give another name"
            ) from None
        if state is None:
            raise FileFormatError(
                f"{path} belongs to another {self.owner}: other models, another spec or other options. Give the file "
                "that belongs to these, or another name"
            )
        return state

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


def _sample(array: Array) -> bytes:
    shape = tuple(array.shape)
    positions = np.linspace(0, max(int(np.prod(shape)) - 1, 0), _SAMPLED).astype(np.int64)
    taken = [array[tuple(int(i) for i in np.unravel_index(position, shape))] for position in positions]
    entries = [_number(library_of(array).to_host(one.reshape(1))[0]) if shape else 0.0 for one in taken]
    return repr((shape, entries)).encode()


def _number(entry: Any) -> float | complex:
    return complex(entry) if np.iscomplexobj(entry) else float(entry)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__qualname__} is no number, text or list")
