"""Copies of parameters in float64 while they are normalised, made on first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of, wide_on_host
from rebasin_fast._arrays.interface import is_floating
from rebasin_fast.errors import ParamsError
from rebasin_fast.permutation.transforms.apply import Action, narrowed
from rebasin_fast.permutation.transforms.places import Place, places_of
from rebasin_fast.specs.axis import merge_joined
from rebasin_fast.specs.layout import merged_shape
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.typing import Array, Params


class Working:
    """Parameters under change.

    Parameters
    ----------
    ties : Mapping[str, str]
        Names of one tensor: ``{later name: first name}``.
    """

    def __init__(self, spec: PermutationSpec, params: Params, ties: Mapping[str, str]) -> None:
        self.spec = spec
        self.sizes = spec.sizes(params)
        self._params = params
        self._ties = ties
        self._wide: dict[str, NDArray[Any]] = {}
        self._changed: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._params

    def __getitem__(self, name: str) -> NDArray[Any]:
        """In float64 or complex128, joined axes merged; not to be changed in place."""
        if name not in self._wide:
            array = self._params[name]
            dtype = library_of(array).dtype_name(array)
            if not is_floating(dtype):
                raise ParamsError(
                    f"parameter {name!r} is of {dtype}; symmetries act on floating-point numbers"
                )
            merged = merged_shape(array.shape, merge_joined(self.spec.axes_to_perm.get(name, ())))
            wide = wide_on_host(array).reshape(merged or tuple(array.shape))
            if not np.isfinite(wide).all():
                raise ParamsError(f"parameter {name!r} holds NaN or infinity; finite numbers are expected")
            self._wide[name] = wide
        return self._wide[name]

    def __setitem__(self, name: str, values: NDArray[Any]) -> None:
        self._wide[name] = values
        self._changed.add(name)

    def rounding(self, name: str) -> float:
        """The largest rounding of an entry in the dtype of the parameter."""
        array = self._params[name]
        bits = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2**-23, "complex64": 2**-23}
        unit = bits.get(library_of(array).dtype_name(array), 2**-52)
        return unit * float(np.abs(self[name]).max(initial=0.0))

    def tied_to(self, name: str) -> list[str]:
        """Other names of the same tensor."""
        first = self._ties.get(name, name)
        return [
            other for other in [first, *self._ties] if other != name and self._ties.get(other, other) == first
        ]

    def places(self, symmetry: Symmetry) -> list[Place]:
        """The places of a symmetry on the parameters at hand."""
        return [
            place for place in places_of(self.spec, symmetry, self.sizes) if place.parameter in self._params
        ]

    def act(self, actions: Iterable[Action]) -> None:
        """Scale and mix the units at the places of ``actions``."""
        for action in actions:
            if action.place.exponents.any():
                self[action.place.parameter] = action.on(self[action.place.parameter])

    def counts(self, name: str) -> bool:
        """Whether a parameter counts in the norm that is made least: a tied one does once."""
        return name not in self.spec.unmatched and name not in self._ties

    def results(self) -> dict[str, Array]:
        """All parameters, those that changed as new arrays of the dtypes and devices given; tied ones stay tied."""
        found: dict[str, Array] = {}
        for name, array in self._params.items():
            first = self._ties.get(name)
            if name not in self._changed:
                found[name] = array
            elif first in found and np.array_equal(self[first], self[name]):
                found[name] = found[first]
            else:
                found[name] = narrowed(self._wide[name].reshape(tuple(array.shape)), array)
        return found
