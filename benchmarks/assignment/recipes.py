"""Recipes of structured cost matrices, which a search can mutate and anybody can rebuild.

A recipe takes one family of `cases`, mixes another one into it, and lays structure over them:
blocks, bands, gates, markers, ties, offsets, duplicated rows, extensions by prices. It is plain data; the
matrix follows from it and the seed alone.
"""

import dataclasses
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assignment.cases import ALL, SHAPES, SQUARE_ONLY, cast, forbid, shaped
from assignment.recipe_layers import LAYERS, mask_of, unit

Generator = np.random.Generator
DTYPES = ("float64", "float32", "int64", "uint8")


@dataclasses.dataclass(frozen=True)
class Layer:
    """One structure laid over the costs, and how strong it is, between 0 and 1."""

    name: str
    amount: float


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A matrix as data: equal recipes and seeds give equal matrices."""

    family: str
    n: int
    shape: str = "1:1"
    dtype: str = "float64"
    other: str = "uniform"
    mixed: float = 0.0
    by: str = "entries"
    layers: tuple[Layer, ...] = ()
    forbidden: float = 0.0

    def build(self, seed: int) -> NDArray[Any]:
        """Return the costs, C-contiguous, of the recipe's element type."""
        rng = np.random.default_rng((zlib.crc32(repr(self).encode()), seed))
        rows, columns = shaped(self.n, self.shape)
        cost = np.asarray(ALL[self.family](rows, columns, rng))
        if self.mixed:
            other = np.asarray(ALL[self.other](rows, columns, rng), np.float64)
            mask = mask_of(rows, columns, self.mixed, self.by, rng)
            cost = np.where(mask, unit(other), unit(np.asarray(cost, np.float64)))
        for layer in self.layers:
            cost = LAYERS[layer.name](np.array(cost, np.float64), layer.amount, rng)
        cost = cast(cost, np.dtype(self.dtype))
        if self.forbidden:
            cost = forbid(cost, self.forbidden, rng)
        return np.ascontiguousarray(cost)

    def text(self) -> str:
        """Return the recipe in words."""
        rows, columns = shaped(self.n, self.shape)
        mixed = f" + {self.mixed:.0%} {self.other} by {self.by}" if self.mixed else ""
        layers = "".join(f", {layer.name} {layer.amount:.2f}" for layer in self.layers)
        infinite = f", {self.forbidden:.0%} forbidden" if self.forbidden else ""
        return f"{self.family}{mixed}{layers}{infinite}, {rows} x {columns} {self.dtype}"


def recipe_of(values: dict[str, Any]) -> Recipe:
    """Return the recipe that `dataclasses.asdict` made the values of."""
    layers = tuple(Layer(**layer) for layer in values["layers"])
    return Recipe(**{**values, "layers": layers})


def draw(rng: Generator, largest: int) -> Recipe:
    """Return a random recipe of at most `largest` rows."""
    count = rng.choice([0, 1, 2, 3], p=[0.2, 0.4, 0.3, 0.1])
    return _possible(
        Recipe(
            family=str(rng.choice(list(ALL))),
            n=_size(rng, largest),
            shape=str(rng.choice(list(SHAPES), p=[0.6, 0.15, 0.1, 0.075, 0.075])),
            dtype=str(rng.choice(DTYPES, p=[0.4, 0.3, 0.2, 0.1])),
            other=str(rng.choice(list(ALL))),
            mixed=float(rng.choice([0.0, rng.random()], p=[0.6, 0.4])),
            by=str(rng.choice(["entries", "rows", "columns", "blocks"])),
            layers=tuple(_layer(rng) for _ in range(count)),
            forbidden=float(rng.choice([0.0, rng.uniform(0, 0.98)], p=[0.8, 0.2])),
        ),
        largest,
    )


def mutate(recipe: Recipe, rng: Generator, largest: int) -> Recipe:
    """Return the recipe with one or two of its choices drawn again or moved a little."""
    for _ in range(rng.integers(1, 3)):
        recipe = _mutate_once(recipe, rng, largest)
    return _possible(recipe, largest)


def _mutate_once(recipe: Recipe, rng: Generator, largest: int) -> Recipe:
    fresh = draw(rng, largest)
    choice = rng.integers(9)
    if choice == 0:
        return dataclasses.replace(recipe, n=int(max(2, recipe.n * math.exp(0.5 * rng.standard_normal()))))
    if choice == 1:
        return dataclasses.replace(recipe, shape=fresh.shape)
    if choice == 2:
        return dataclasses.replace(recipe, dtype=fresh.dtype)
    if choice == 3:
        return dataclasses.replace(recipe, family=fresh.family)
    if choice == 4:
        return dataclasses.replace(recipe, other=fresh.other, mixed=fresh.mixed, by=fresh.by)
    if choice == 5:
        moved = float(np.clip(recipe.mixed + 0.1 * rng.standard_normal(), 0, 1)) if recipe.mixed else 0.0
        return dataclasses.replace(recipe, mixed=moved, forbidden=fresh.forbidden)
    layers = list(recipe.layers)
    if layers and (choice == 6 or len(layers) == 4):
        layers.pop(int(rng.integers(len(layers))))
    elif layers and choice == 7:
        k = int(rng.integers(len(layers)))
        moved = float(np.clip(layers[k].amount + 0.15 * rng.standard_normal(), 0, 1))
        layers[k] = Layer(layers[k].name, moved)
    else:
        layers.insert(int(rng.integers(len(layers) + 1)), _layer(rng))
    return dataclasses.replace(recipe, layers=tuple(layers))


def _layer(rng: Generator) -> Layer:
    return Layer(str(rng.choice(list(LAYERS))), float(rng.random()))


def _size(rng: Generator, largest: int) -> int:
    return int(np.exp(rng.uniform(np.log(8), np.log(largest))))


def _possible(recipe: Recipe, largest: int) -> Recipe:
    """Return the recipe with impossible choices replaced."""
    changes: dict[str, Any] = {"n": min(recipe.n, largest)}
    if recipe.shape in ("1:10", "10:1"):
        changes["n"] = max(2, min(recipe.n, largest // 3))
    if recipe.shape != "1:1" and recipe.family in SQUARE_ONLY:
        changes["shape"] = "1:1"
    if changes.get("shape", recipe.shape) != "1:1" and recipe.other in SQUARE_ONLY:
        changes["other"] = "uniform"
    if recipe.dtype in ("int64", "uint8"):
        changes["forbidden"] = 0.0
    return dataclasses.replace(recipe, **changes)
