"""Results of measurements: frozen dataclasses that are saved, loaded, drawn and given to pandas."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._untrusted import brief
from rebasin_fast._untrusted.schema import REAL, Anything, ArrayOf, Fields, Kind, MapOf, Schema, nested
from rebasin_fast.errors import MissingDependencyError
from rebasin_fast.matching.state_file import StateFile

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Self = TypeVar("Self", bound="Result")


class Result:
    """A frozen dataclass whose fields are arrays, mappings of names to arrays, or JSON values.

    A subclass names itself in ``_title``, declares what a file of it holds in ``_schema``, and defines ``_columns`` and
    ``plot``. Tuples of JSON values come back as lists; ``_restored`` puts right whatever needs it.
    """

    _title: ClassVar[str]
    _schema: ClassVar[Mapping[str, Kind]]

    def __post_init__(self) -> None:
        """TypeError or ValueError for fields of other kinds or lengths than the result's, made by hand or read."""
        kind = type(self).__name__
        try:
            lengths = {name: len(column) for name, column in self._columns().items()}
        except (TypeError, AttributeError, KeyError, IndexError, ValueError) as error:
            raise TypeError(
                f"the fields of {kind} do not fit together: {error}; see its Attributes"
            ) from error
        first = next(iter(lengths), "")
        for name, length in lengths.items():
            if length != lengths[first]:
                raise ValueError(
                    f"{kind} has {lengths[first]} values of {first!r} and {length} of {name!r}: one a row is needed"
                )

    @_arguments.checked()
    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write everything to a file, whole or not at all.

        Parameters
        ----------
        path : path
            Ends in .npz or .safetensors: plain arrays and JSON, no pickle.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        FileFormatError
            Another extension.
        ParamsError
            A field is of another kind or shape than the class says, so that no file could hold it.
        OutputExistsError, UnwritableOutputError
            As in :func:`rebasin_fast.save_params`.
        """
        arrays: dict[str, Any] = {}
        account: dict[str, Any] = {}
        for name, given in self._stored().items():
            value = _as_declared(self._schema.get(name), given)
            if _is_array(value):
                arrays[f"array/{name}"] = value
            elif isinstance(value, Mapping) and value and all(map(_is_array, value.values())):
                arrays |= {f"mapping/{name}/{key}": array for key, array in value.items()}
            else:
                account[name] = value
        self._file().write(path, arrays, {"fields": account}, overwrite=overwrite)

    @classmethod
    @_arguments.checked()
    def load(cls: type[Self], path: str | os.PathLike[str]) -> Self:
        """The result that :meth:`save` wrote.

        Raises
        ------
        FileFormatError
            The file is damaged, or holds another kind of result.
        """

        def parse(arrays: Mapping[str, Any], account: Mapping[str, Any]) -> Self:
            own = {name: np.array(array) for name, array in arrays.items()}
            return cls(**cls._restored(_fields_of(account, own)))

        return cls._file().read(path, parse)

    def to_pandas(self) -> pd.DataFrame:
        """One row a point, layer or item, under the names of the fields.

        Raises
        ------
        MissingDependencyError
            pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingDependencyError(
                'to_pandas needs pandas, which is not installed: pip install "rebasin-fast[pandas]"'
            ) from error
        return pd.DataFrame(self._columns())

    @_arguments.checked()
    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the result into ``ax``, or into a new figure's; returns the axes.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        """
        raise NotImplementedError

    def _columns(self) -> Mapping[str, Any]:
        """Name -> column of the table, of equal lengths."""
        raise NotImplementedError

    def _stored(self) -> dict[str, Any]:
        """Name -> value in a file, of which ``_restored`` makes the fields again."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def _restored(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the constructor, of the values of a file."""
        return values

    @classmethod
    def _file(cls) -> StateFile:
        return StateFile(f"rebasin_fast.{cls.__name__}", cls._title, _ResultSchema(Fields(cls._schema)))


class _ResultSchema(Schema):
    """That of the fields of a result, wherever they lie in the file."""

    def check(self, account: Any, arrays: Mapping[str, Any]) -> None:
        Fields({"fields": MapOf(Anything())}).check(account, "", {})
        self.account.check(_fields_of(account, arrays), "", {})


def _fields_of(account: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> value, of the names and JSON that :meth:`Result.save` gives them."""
    groups = nested(arrays)
    if not set(groups) <= {"array", "mapping"}:
        raise ValueError(f"it holds {brief(sorted(groups))}, where array and mapping are expected")
    parts: list[Mapping[str, Any]] = [
        account["fields"], groups.get("array", {}), nested(groups.get("mapping", {})),
    ]  # fmt: skip
    twice = next((name for name in parts[0] if name in parts[1] or name in parts[2]), None)
    if twice is not None or set(parts[1]) & set(parts[2]):
        raise ValueError("it holds a field twice")
    return {**parts[0], **parts[1], **parts[2]}


def _as_declared(kind: Kind | None, value: Any) -> Any:
    """Whole numbers and lists as real arrays, where the schema has these."""
    if isinstance(kind, MapOf) and isinstance(value, Mapping):
        return {name: _as_declared(kind.of, item) for name, item in value.items()}
    whole = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype.kind in "biu")
    if isinstance(kind, ArrayOf) and kind.kinds == REAL and whole:
        return np.asarray(value, dtype=np.float64)
    return value


def _is_array(value: object) -> bool:
    """Of any library; the scalars of NumPy are numbers."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, np.generic)
