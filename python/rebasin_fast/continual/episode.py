"""The result of one episode of a learner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rebasin_fast import _arguments
from rebasin_fast._arrays.index_arrays import as_index
from rebasin_fast._drawing import STYLES, axes_of, label_axes
from rebasin_fast._untrusted.schema import REAL, WHOLE, ArrayOf, Count, Kind, MapOf, Number
from rebasin_fast.evaluation.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rebasin_fast.typing import Index


@dataclass(frozen=True)
class Episode(Result):
    """What one call of :meth:`rebasin_fast.continual.RebasinLearner.learn` did.

    Attributes
    ----------
    number : int
        Of the episode, from 1.
    losses, penalties : (steps,) float64 arrays
        The loss of each step, and the penalty on δ where it was last applied.
    delta_norm, change_norm, start_norm : float
        Euclidean norms over all trained parameters: of δ, of the whole change of the parameters, and of the
        parameters before the episode.
    permutation : dict[str, (..., n) int64 array]
        The hard permutation of the episode: ``permutation[p][i]`` is the unit that is averaged into slot i.
    moved : dict[str, float]
        For each permutation, the share of units that are not in their own slot.
    alpha, beta, learning_rate : float
        The values of their schedules in this episode.
    """

    number: int
    losses: NDArray[np.float64]
    penalties: NDArray[np.float64]
    delta_norm: float
    change_norm: float
    start_norm: float
    permutation: dict[str, Index]
    moved: dict[str, float]
    alpha: float
    beta: float
    learning_rate: float
    _title: ClassVar[str] = "episode of a continual learner"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "number": Count(least=1),
        "losses": ArrayOf(REAL, ("steps",), finite=True),
        "penalties": ArrayOf(REAL, ("steps",), finite=True),
        "delta_norm": Number(least=0.0, infinite=True),
        "change_norm": Number(least=0.0, infinite=True),
        "start_norm": Number(least=0.0, infinite=True),
        "permutation": MapOf(ArrayOf(WHOLE), "permutations"),
        "moved": MapOf(Number(0.0, 1.0), "permutations"),
        "alpha": Number(0.0, 1.0),
        "beta": Number(least=0.0),
        "learning_rate": Number(least=0.0),
    }

    @property
    def moved_share(self) -> float:
        """The share of all units that are not in their own slot; 0 without permutations."""
        sizes = {name: index.size for name, index in self.permutation.items()}
        count = sum(sizes.values())
        return sum(self.moved[name] * size for name, size in sizes.items()) / count if count else 0.0

    @_arguments.checked()
    def plot(self, ax: Axes | None = None) -> Axes:
        """The loss of each step, and its sum with the penalty."""
        ax = axes_of(ax)
        steps = np.arange(1, len(self.losses) + 1)
        for values, label, style in (
            (self.losses, "loss", STYLES[1]),
            (self.losses + self.penalties, "loss + penalty", STYLES[0]),
        ):
            ax.plot(steps, values, color=style.colour, linestyle=style.dashes, linewidth=1.2, label=label)
        ax.legend(frameon=False)
        return label_axes(ax, title=f"Episode {self.number}", x="step", y="loss")

    @classmethod
    def _restored(cls, values: dict[str, Any]) -> dict[str, Any]:
        permutation = {name: as_index(name, index) for name, index in values["permutation"].items()}
        return values | {"permutation": permutation}

    def _columns(self) -> dict[str, Any]:
        return {
            "step": np.arange(1, len(self.losses) + 1), "loss": self.losses, "penalty": self.penalties,
        }  # fmt: skip
