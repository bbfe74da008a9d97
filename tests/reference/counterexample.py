"""The counterexample of Git Re-Basin (Ainsworth et al. 2022, appendix A.6): no permutation connects its two networks.

Points are uniform on [-1, 1]², and positive where x₁ < 0 and x₂ > 0. Each hidden layer of two units tests one of the
two conditions: network A x₂ first, network B x₁ first. A point is called positive where the output is 0 or more.
"""

from collections.abc import Iterator, Mapping
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

import rebasin_fast as rf

Params = Mapping[str, npt.NDArray[np.float64]]

LAYERS = ("0", "2", "4")
NETWORK_A: Params = {
    "0.weight": np.array([[-1.0, 0.0], [0.0, -1.0]]),
    "0.bias": np.array([1.0, 0.0]),
    "2.weight": np.array([[-1.0, 0.0], [0.0, 1.0]]),
    "2.bias": np.array([1.0, 0.0]),
    "4.weight": np.array([[-1.0, -1.0]]),
    "4.bias": np.array([0.0]),
}
NETWORK_B: Params = {
    "0.weight": np.array([[1.0, 0.0], [0.0, 1.0]]),
    "0.bias": np.array([0.0, 1.0]),
    "2.weight": np.array([[1.0, 0.0], [0.0, -1.0]]),
    "2.bias": np.array([0.0, 1.0]),
    "4.weight": np.array([[-1.0, -1.0]]),
    "4.bias": np.array([0.0]),
}
SPEC = rf.specs.mlp(LAYERS)


def outputs(params: Params, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The output for each of the points (k, 2)."""
    hidden = points
    for layer in LAYERS:
        hidden = hidden @ params[f"{layer}.weight"].T + params[f"{layer}.bias"]
        if layer != LAYERS[-1]:
            hidden = np.maximum(hidden, 0.0)
    return hidden[:, 0]


def grid(side: int = 200) -> npt.NDArray[np.float64]:
    """Centres of side x (side + 2) equal cells of [-1, 1]², side even: none on an axis, few on a diagonal."""
    across, along = ((2 * np.arange(count) + 1) / count - 1 for count in (side, side + 2))
    return np.stack(np.meshgrid(across, along), axis=-1).reshape(-1, 2)


def targets(points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """The label of each point."""
    return (points[:, 0] < 0) & (points[:, 1] > 0)


def error(params: Params, points: npt.NDArray[np.float64]) -> float:
    """Share of the points that get the wrong label."""
    return float(((outputs(params, points) >= 0) != targets(points)).mean())


def all_permutations() -> Iterator[tuple[str, dict[str, npt.NDArray[np.int64]]]]:
    """Every permutation of the hidden units under a name."""
    first, second = SPEC.permutations
    names = {(0, 0): "identity", (1, 0): "layer 1 swapped", (0, 1): "layer 2 swapped", (1, 1): "both swapped"}
    orders = [np.array(order) for order in permutations(range(2))]
    for j, i in product(range(2), repeat=2):
        yield names[i, j], {first: orders[i], second: orders[j]}
