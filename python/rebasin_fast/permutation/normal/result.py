"""The result of a normalisation, and the steps that led to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rebasin_fast.permutation.transform import Transform
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.typing import Array


@dataclass(frozen=True, slots=True)
class Step:
    """One change of parameters that keeps the function: its kind, the permutation, the parameters, and a sentence."""

    kind: Literal["gain", "bias", "centred", "scales", "linear", "kept"]
    permutation: str
    parameters: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.permutation}: {self.text}"


@dataclass(frozen=True)
class Normalised:
    """Parameters in normal form, of the same function.

    Attributes
    ----------
    params : dict[str, array]
        In the order, dtypes and devices of those given; arrays that did not change are the same objects.
    transform : Transform
        The scales and matrices that balanced the parameters, after gains, biases and means.
    steps : tuple of Step
        Everything that was done, in order, and what was kept.
    kept : dict[str, str]
        Permutations whose orthogonal matrices do not act on ``params``, and why: a norm's gain or bias stays.
    symmetries : tuple of Symmetry
        Those of the spec that act on ``params``.
    iterations : int
        Newton steps until the scales were balanced; 0 without scales.
    """

    params: dict[str, Array]
    transform: Transform
    steps: tuple[Step, ...]
    kept: Mapping[str, str]
    symmetries: tuple[Symmetry, ...]
    iterations: int = 0

    def __repr__(self) -> str:
        lines = [f"  {step}" for step in self.steps] or ["  in normal form already"]
        return "\n".join([f"Normalised({len(self.params)} parameters)", *lines])
