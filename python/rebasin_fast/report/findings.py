"""The measurements that the page shows, gathered in two passes over the parameters."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import lgamma, log, prod
from typing import TYPE_CHECKING

import numpy as np

from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.matching.kinship import Kinship, kinship
from rebasin_fast.matching.pair import check_pair
from rebasin_fast.permutation import check_permutation
from rebasin_fast.report.measures import Measures, measure
from rebasin_fast.report.pairs import PairedParameter, Values, paired_parameters
from rebasin_fast.report.similarity import LARGEST, SimilarityMap, UnitOrder, similarity_maps
from rebasin_fast.specs.layout import Block, Placed, source_index

if TYPE_CHECKING:
    from rebasin_fast.matching import Matching
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params

_MOST_GAIN = 4


@dataclass(frozen=True)
class Drawn:
    """A permutation whose similarities are drawn, and the reason."""

    names: tuple[str, ...]
    why: str
    map: SimilarityMap


@dataclass(frozen=True)
class Findings:
    """The content of the page."""

    names: tuple[str, str]
    spec: PermutationSpec
    matching: Matching
    sizes: dict[str, int]
    log10_symmetries: dict[str, float]
    measures: Measures
    leaves: list[str]
    drawn: list[Drawn]
    too_large: list[str]
    left_in_place: dict[str, str]
    unmatched: list[str]
    unmoved: list[str]
    digest: str
    environment: dict[str, str]
    kinship: Kinship | None

    def pooled_cosines(self) -> tuple[Values, Values] | None:
        """Cosines of all units before and after, those of permutations that hold others excepted; None without any."""
        leaves = [self.measures.agreements[name] for name in self.leaves]
        if not leaves:
            return None
        before = np.concatenate([agreement.cosines_before().ravel() for agreement in leaves])
        return before, np.concatenate([agreement.cosines_after().ravel() for agreement in leaves])

    def objective_agrees(self) -> bool:
        """Whether the matching's objective is the product of these weights."""
        scale = sum(layer.norms for layer in self.measures.layers) / 2.0
        return abs(self.measures.dot_after - self.matching.objective) <= 1e-5 * scale


@refuses_changed_files
def gather(
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    matching: Matching,
    names: tuple[str, str],
) -> Findings:
    """Check that spec, models and matching fit together, and measure.

    Raises
    ------
    SpecError, ParamsError, PermutationError
        The spec, the models and the matching do not fit together.
    """
    pair = check_pair(spec, params_a, params_b, strict=False)
    permutation = check_permutation(spec, matching.permutation, pair.sizes)
    lookup = {name: Placed(index, spec.parents[name]) for name, index in permutation.items()}

    def parameters() -> Iterator[PairedParameter]:
        return paired_parameters(spec, pair.sizes, lookup, params_a, params_b)

    measures = measure(parameters(), {name: index.shape for name, index in permutation.items()}, spec.parents)
    outer = {parent for name in lookup for parent in spec.parents[name]}
    orders = {name: _unit_order(name, lookup, pair.sizes) for name in lookup if name not in outer}
    drawable = {name: order for name, order in orders.items() if 1 < order.source.size <= LARGEST}
    chosen = _chosen(drawable, measures)
    maps = similarity_maps(parameters(), {name: orders[name] for name in chosen}, measures.agreements)
    shared = [name for name in spec.axes_to_perm if name in params_a and name in params_b]
    return Findings(
        names=names,
        spec=spec,
        matching=matching,
        sizes=pair.sizes,
        log10_symmetries={name: _log10_orders(name, spec, pair.sizes) for name in permutation},
        measures=measures,
        leaves=list(orders),
        drawn=[Drawn(orders[name].names, chosen[name], maps[name]) for name in permutation if name in chosen],
        too_large=[name for name, order in orders.items() if order.source.size > LARGEST],
        left_in_place=dict(matching.report) or pair.left_in_place,
        unmatched=[name for name in shared if name in spec.unmatched and any(spec.axes_to_perm[name])],
        unmoved=[n for n in shared if spec.axes_to_perm[n] and not any(spec.axes_to_perm[n])],
        digest=spec.digest(),
        environment=_environment(),
        kinship=kinship(spec, params_a, params_b, permutation),
    )


def _unit_order(name: str, lookup: Mapping[str, Placed], sizes: Mapping[str, int]) -> UnitOrder:
    names = (*lookup[name].parents, name)
    shape = tuple(sizes[part] for part in names)
    positions = np.arange(prod(shape), dtype=np.int64).reshape(shape)
    return UnitOrder(names, source_index((Block(names, positions),), positions.size, lookup))


def _chosen(orders: Mapping[str, UnitOrder], measures: Measures) -> dict[str, str]:
    """The permutations to draw, with reasons: the largest gains, the best agreement and the worst."""
    agreements = {name: measures.agreements[name] for name in orders}
    if not agreements:
        return {}
    by_gain = sorted(agreements, key=lambda name: -agreements[name].gain())
    by_cosine = sorted(agreements, key=lambda name: float(agreements[name].cosines_after().mean()))
    reasons = {by_cosine[-1]: "its matched units agree best", by_cosine[0]: "its matched units agree least"}
    reasons |= dict.fromkeys(by_gain[:_MOST_GAIN], "among those whose products rose most")
    return reasons | {by_gain[0]: "its products rose most"}


def _log10_orders(name: str, spec: PermutationSpec, sizes: Mapping[str, int]) -> float:
    copies = prod(sizes[parent] for parent in spec.parents[name])
    return copies * lgamma(sizes[name] + 1) / log(10)


def _environment() -> dict[str, str]:
    import scipy

    from rebasin_fast._core import build_config

    build = build_config()
    facts = {
        "rebasin_fast": f"{build['version']} ({', '.join(f'{k} {v}' for k, v in build.items() if k != 'version')})",
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "SciPy": scipy.__version__,
    }
    # Named where it was in use; never imported for this.
    if "torch" in sys.modules:
        facts["torch"] = str(sys.modules["torch"].__version__)
    return facts | {"platform": platform.platform()}
