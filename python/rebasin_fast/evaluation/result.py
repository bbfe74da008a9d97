"""Results of measurements: frozen dataclasses that are saved, loaded, drawn and given to pandas."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast.errors import MissingDependencyError
from rebasin_fast.matching.state_file import StateFile

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Self = TypeVar("Self", bound="Result")


class Result:
    """A frozen dataclass whose fields are arrays, mappings of names to arrays, or JSON values.

    A subclass names itself in ``_title``, and defines ``_columns`` and ``plot``. Tuples of JSON values come back as
    lists; ``_restored`` puts right whatever needs it.
    """

    _title: ClassVar[str]

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
        OutputExistsError, UnwritableOutputError
            As in :func:`rebasin_fast.save_params`.
        """
        arrays: dict[str, Any] = {}
        account: dict[str, Any] = {}
        for name, value in self._stored().items():
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
            values: dict[str, Any] = dict(account["fields"])
            for key, array in arrays.items():
                kind, _, name = key.partition("/")
                if kind == "array":
                    values[name] = np.array(array)
                elif kind == "mapping":
                    field, _, item = name.partition("/")
                    values.setdefault(field, {})[item] = np.array(array)
            return cls(**cls._restored(values))

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
        return StateFile(f"rebasin_fast.{cls.__name__}", cls._title)


def _is_array(value: object) -> bool:
    """Of any library; the scalars of NumPy are numbers."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, np.generic)
