"""The normal forms of two models under the symmetries that act on both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rebasin_fast.permutation import normalise

if TYPE_CHECKING:
    from rebasin_fast.permutation.normal import Normalised
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.specs.symmetry import Symmetry
    from rebasin_fast.typing import Params


@dataclass(frozen=True)
class NormalForms:
    """``spec`` is that of the models without the rotations that one of them keeps out; ``kept`` says why."""

    spec: PermutationSpec
    a: Normalised
    b: Normalised
    kept: dict[str, str]

    @classmethod
    def of(cls, spec: PermutationSpec, params_a: Params, params_b: Params) -> NormalForms:
        """Normalise both; gains that one model keeps stay in both."""
        a, b = normalise(spec, params_a), normalise(spec, params_b)
        kept = {**a.kept, **b.kept}
        if a.kept.keys() != b.kept.keys():
            spec = spec.with_symmetries(
                s for s in spec.symmetries if s.group != "orthogonal" or s.permutation not in kept
            )
            a, b = normalise(spec, params_a), normalise(spec, params_b)
        return cls(spec, a, b, kept)

    @property
    def symmetries(self) -> list[Symmetry]:
        """Those that act on both."""
        return [symmetry for symmetry in self.a.symmetries if symmetry in self.b.symmetries]
