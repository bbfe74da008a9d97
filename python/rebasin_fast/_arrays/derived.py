"""Parameters that are computed from others on access, so that no second model is held in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rebasin_fast.typing import Array, Params


class DerivedParams(Mapping[str, "Array"]):
    """A read-only mapping whose arrays are computed at every access; nothing is kept.

    Parameters
    ----------
    like : Mapping[str, array]
        Whose names, order, shapes and dtypes the results have.
    compute : callable
        From a name to its array.
    sources : sequence of Mapping[str, array], optional
        The parameters that ``compute`` reads; ``like`` by default.
    """

    def __init__(
        self, like: Params, compute: Callable[[str], Array], sources: Sequence[Params] | None = None
    ) -> None:
        self.like = like
        self.sources = (like,) if sources is None else tuple(sources)
        self._compute = compute

    def __getitem__(self, name: str) -> Array:
        if name not in self.like:
            raise KeyError(name)
        return self._compute(name)

    def __contains__(self, name: object) -> bool:
        return name in self.like

    def __iter__(self) -> Iterator[str]:
        return iter(self.like)

    def __len__(self) -> int:
        return len(self.like)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} arrays, computed on access>"


def described_by(params: Params) -> Params:
    """Parameters of the same names, shapes and dtypes as ``params``; none is computed."""
    while isinstance(params, DerivedParams):
        params = params.like
    return params


def part_of(params: Params, names: Iterable[str]) -> DerivedParams:
    """Some of the parameters; none is computed for it."""
    described = described_by(params)
    return DerivedParams({name: described[name] for name in names}, params.__getitem__, [params])
