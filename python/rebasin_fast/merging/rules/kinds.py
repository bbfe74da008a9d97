"""A rule of merging: its name, its parameters with their types and ranges, and its function of one array."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.merging.rules.precision import Precision


@dataclass(frozen=True)
class Parameter:
    """One parameter of a rule; ``per_model`` ones have a value for each model, the base excepted.

    A default of None: the parameter must be given.
    """

    name: str
    kind: type
    default: float | bool | None
    per_model: bool = False
    least: float = -inf
    most: float = inf


@dataclass(frozen=True)
class Tensors:
    """One parameter of every model, in the type :attr:`Precision.wide` on the host.

    ``generator`` makes the source of random numbers of the model of a number, the same at every call.
    """

    base: NDArray[Any] | None
    models: Sequence[NDArray[Any]]
    precision: Precision
    generator: Callable[[int], np.random.Generator]


Values = Mapping[str, Any]


@dataclass(frozen=True)
class MergeRule:
    """How one array of the merged model is made from those of the models.

    Attributes
    ----------
    name : str
    base : {"none", "required", "first"}
        Whether a base stands beside the models; "first": two models, the first being the base where none is given.
    parameters : tuple of Parameter
    merge : callable
        From :class:`Tensors` and the values of the parameters, those per model as lists, to the merged array.
    """

    name: str
    base: Literal["none", "required", "first"]
    parameters: tuple[Parameter, ...]
    merge: Callable[[Tensors, Values], NDArray[Any]]

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name; None where there is none."""
        return next((known for known in self.parameters if known.name == name), None)


WEIGHTS = Parameter("weights", float, 1.0, per_model=True)
