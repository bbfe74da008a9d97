"""A spec recognised from names and shapes, marked as not proven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast.specs.axis import Entry
from rebasin_fast.specs.reading.names import layer_of
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Rng

HOW_TO_PROVE = "--trace module:factory, or spec.verify in Python, proves one on the model"


class RecognisedSpec(PermutationSpec):
    """A permutation spec that :func:`rebasin_fast.specs.for_params` recognised.

    Attributes
    ----------
    family : str
        The family whose names and shapes the parameters have.
    ties : Mapping[str, str]
        Further names of shared arrays, each with the first: a file may hold either, or both.
    proven : bool
        Whether ``verify`` has passed on a model since.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> found = rf.specs.for_params({"fc1.weight": np.ones((8, 4)), "fc2.weight": np.ones((3, 8))})
    >>> found.family, found.proven
    ('mlp', False)
    """

    @_arguments.checked()
    def __init__(
        self,
        axes: Mapping[str, Sequence[Entry]],
        unmatched: Iterable[str] = (),
        *,
        sizes: Mapping[str, int] | None = None,
        family: str = "",
        ties: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(axes, unmatched, sizes=sizes)
        self.family = family
        self.ties = dict(ties or {})
        self.proven = False

    def verify(self, model: Any, example_inputs: Any, rng: Rng = 0) -> None:
        """Prove it on ``model``, as any spec; it is ``proven`` from then on."""
        super().verify(model, example_inputs, rng)
        self.proven = True

    def statement(self) -> str:
        """The family, the layers of a chain, and whether it is proven, in one line."""
        axes = self.axes_to_perm
        layers = list(dict.fromkeys(layer_of(name) for name, entries in axes.items() if len(entries) > 1))
        shown = layers if len(layers) <= 6 else [*layers[:3], "…", *layers[-2:]]
        chain = f" ({' → '.join(shown)})" if self.family in ("mlp", "cnn", "recurrent") else ""
        standing = "proven on a model" if self.proven else "not proven"
        return f"recognised as {self.family}{chain}, {standing}"


def as_recognised(spec: PermutationSpec, family: str, prefix: str) -> RecognisedSpec:
    """``spec`` for names that begin with ``prefix``, with its origin."""
    table = next((name for name in spec.axes_to_perm if name.endswith("wte.weight")), None)
    tied = table is not None and "lm_head.weight" in spec.unmatched
    spec = spec.with_prefix(prefix)
    return RecognisedSpec(
        spec.axes_to_perm,
        spec.unmatched,
        sizes=spec.declared_sizes,
        family=family,
        ties={f"{prefix}lm_head.weight": f"{prefix}{table}"} if tied else None,
    )
