"""Cases of the comparison on matrices from other programs: a family in a size, a shape, an element type.

`ALL` holds every family as a function ``(rows, columns, rng)``; those of `weights` make squares
or two widths of their own and are cut to the shape wanted.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assignment import everyday, hard_numbers, structured, tracking, weights
from assignment.structured import Problem

Array = NDArray[Any]
SHAPES = {"1:1": (1, 1, 0), "1:1+1": (1, 1, 1), "1:2": (1, 2, 0), "1:10": (1, 10, 0), "10:1": (10, 1, 0)}
SQUARE_ONLY = tracking.SQUARE_ONLY | everyday.SQUARE_ONLY


def _cut(family: weights.Family) -> Problem:
    def problem(rows: int, columns: int, rng: np.random.Generator) -> Array:
        whole = -(-max(rows, columns) // 4) * 4 if family is weights.duplicated else max(rows, columns)
        return np.ascontiguousarray(family(whole, rng)[:rows, :columns])

    return problem


_NETWORKS = ("gram", "low rank", "decaying", "aligned", "rank 4", "duplicated", "heavy tails", "dead units")
ALL: dict[str, Problem] = {
    **{name: _cut(weights.FAMILIES[name]) for name in _NETWORKS},
    **tracking.TRACKING,
    **structured.STRUCTURED,
    **hard_numbers.NUMBERS,
    **everyday.EVERYDAY,
}


@dataclass(frozen=True)
class Case:
    """One row of the table.

    `dtype` is "" for the family's own; `forbidden` is the share of infinite entries; `layout` is "C", "F"
    (columns contiguous) or "slice" (a part of a wider array, as a network's costs of one picture of a batch).
    """

    family: str
    rows: int
    columns: int
    dtype: str = ""
    forbidden: float = 0.0
    layout: str = "C"

    def instance(self, seed: int) -> Array:
        """Return the matrix of a seed."""
        rng = np.random.default_rng((zlib.crc32(self.family.encode()), self.rows, self.columns, seed))
        if self.family in ALL:
            cost = np.asarray(ALL[self.family](self.rows, self.columns, rng))
        else:
            cost = weights.trained()[self.family, self.rows]
        if self.dtype:
            cost = cast(cost, np.dtype(self.dtype))
        if self.forbidden:
            cost = forbid(cost, self.forbidden, rng)
        return laid_out(cost, self.layout)

    @property
    def label(self) -> str:
        """Return the case in words, but for the family's own element type."""
        extra = f" {self.forbidden:.0%} inf" if self.forbidden else ""
        layout = "" if self.layout == "C" else f" {self.layout}"
        return f"{self.family} {self.rows}x{self.columns}{self.dtype and ' '}{self.dtype}{extra}{layout}"


def laid_out(cost: Array, layout: str) -> Array:
    if layout == "F":
        return np.asfortranarray(cost)
    if layout == "slice":
        rows, columns = cost.shape
        wide = np.zeros((rows, 3 * columns + 1), cost.dtype)
        wide[:, columns : 2 * columns] = cost
        return wide[:, columns : 2 * columns]
    return np.ascontiguousarray(cost)


def cast(cost: Array, dtype: np.dtype[Any]) -> Array:
    """Return the costs as `dtype`; those that do not fit integers are spread over 0..1e6, or 0..255."""
    if dtype.kind == "f":
        wide = np.asarray(cost, np.float64)
        largest = float(np.finfo(dtype).max)
        return np.where(np.isfinite(wide), np.clip(wide, -largest, largest), wide).astype(dtype)
    bounds = np.iinfo(dtype)
    whole = cost.dtype.kind in "iu" or bool(np.isfinite(cost).all() and (cost == np.floor(cost)).all())
    if whole and cost.size and cost.min() >= bounds.min and cost.max() <= min(bounds.max, 2**62):
        return cost.astype(dtype)
    values = np.asarray(cost, np.float64)
    finite = np.isfinite(values)
    low, high = values[finite].min(initial=np.inf), values[finite].max(initial=-np.inf)
    top = 255.0 if bounds.max == 255 else 1e6
    spread = max(high - low, np.finfo(np.float64).tiny)
    result = np.where(finite, np.rint((np.where(finite, values, low) - low) / spread * 0.9 * top), top)
    return result.astype(dtype)


def forbid(cost: Array, share: float, rng: np.random.Generator) -> Array:
    """Return the costs with `share` of the entries infinite; one assignment stays as it was."""
    result = cost.astype(np.float64) if cost.dtype.kind in "iu" else cost.copy()
    mask = rng.random(cost.shape) < share
    least = min(cost.shape)
    mask[rng.permutation(cost.shape[0])[:least], rng.permutation(cost.shape[1])[:least]] = False
    result[mask] = np.inf
    return result


def shaped(n: int, shape: str) -> tuple[int, int]:
    rows, columns, more = SHAPES[shape]
    return rows * n, columns * n + more


def product(
    families: list[str], sizes: list[int], shapes: list[str], dtypes: list[str], forbidden: list[float]
) -> Iterator[Case]:
    """Yield all combinations that make sense."""
    for family in families:
        for n in sizes:
            for shape in shapes:
                if shape != "1:1" and family in SQUARE_ONLY:
                    continue
                for dtype in dtypes:
                    for share in forbidden:
                        if share == 0 or np.dtype(dtype or "f8").kind == "f":
                            yield Case(family, *shaped(n, shape), dtype, share)


def won() -> Iterator[Case]:
    """Yield the rows that must stay won: similarity matrices of networks, and random ones."""
    for family, n in weights.trained():
        yield Case(family, n, n)
    for n in (256, 512, 1024, 2048):
        for family in ("gram", "aligned", "uniform", "heavy tails"):
            yield Case(family, n, n, "float32")


def quick() -> Iterator[Case]:
    """Yield every family at two sizes, and once in another shape, type or with forbidden edges.

    The variations are dealt out in turn, so each occurs in one family of eight.
    """
    variations = [
        ("1:1+1", "float32", 0.0),
        ("1:2", "float64", 0.0),
        ("1:1", "uint8", 0.0),
        ("1:10", "float32", 0.0),
        ("1:1", "float64", 0.3),
        ("10:1", "int64", 0.0),
        ("1:1", "int64", 0.0),
        ("1:2", "float32", 0.3),
    ]
    for k, family in enumerate(ALL):
        yield Case(family, 100, 100)
        yield Case(family, 300, 300)
        shape, dtype, share = variations[k % len(variations)]
        if shape == "1:1" or family not in SQUARE_ONLY:
            n = (30, 70, 150)[k // len(variations) % 3]
            yield Case(family, *shaped(n, shape), dtype, share)
    yield Case("uniform", 1, 1000)
    yield Case("uniform", 1, 100_000)
    yield Case("plane", 1000, 999)
    yield Case("IoU, lost tracks", 65, 66)
    yield Case("IoU, lost tracks", 200, 201)
    yield Case("detections", 300, 7, layout="slice")
    yield Case("detections", 300, 40, layout="slice")
    yield Case("detections, late", 900, 60, layout="slice")
    yield Case("gram", 200, 200, layout="F")
    yield Case("particles", 120, 140, layout="F")
