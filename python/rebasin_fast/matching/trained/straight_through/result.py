"""Results of the straight-through estimator: by permutations, and by all groups of a spec."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rebasin_fast import _arguments
from rebasin_fast.matching.symmetric.result import SymmetricMatching
from rebasin_fast.matching.trained.result import TrainedMatching
from rebasin_fast.permutation import apply_transform, compose_transforms, normalise
from rebasin_fast.permutation.transform import Transform

if TYPE_CHECKING:
    from rebasin_fast.typing import Array, Params


@dataclass(frozen=True, repr=False)
class StraightThroughMatching(TrainedMatching):
    """The result of :func:`straight_through_matching`: a :class:`Matching`, and how the loss fell.

    Losses are those at the midpoint of A and the permuted B: ``loss`` and ``first_loss`` on the batches that are kept
    for comparison (or from ``evaluate``), ``losses`` on each minibatch. ``objective`` is that of the weights and may be
    lower than ``first_objective``: the loss decides. ``history`` holds the objective after each epoch, ``sweeps``
    counts epochs, ``converged`` means that patience ended the run.
    """


@dataclass(frozen=True, repr=False, kw_only=True)
class SymmetricStraightThroughMatching(SymmetricMatching, StraightThroughMatching):
    """The result of ``straight_through_matching(…, symmetries="all")``.

    A :class:`StraightThroughMatching` whose line runs between normal forms, as that of a :class:`SymmetricMatching`:
    merge on its :meth:`endpoints`. With ``move_both`` A's normal form moves too.

    Attributes
    ----------
    isometry : Transform
        With ``gradient="group"`` any scales and invertible matrices of the groups beside orders, signs and rotations.
    isometry_a : Transform
        Orders, signs and orthogonal matrices that moved the normal form of A; the identity without ``move_both``.
    normalisation_a : Transform
        The scales and matrices by which A was balanced.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> import torch
    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> net = lambda: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> inputs = torch.randn(64, 4)
    >>> spec, batches = rf.trace_spec(net(), inputs), [(inputs, (inputs[:, 0] > 0).long())] * 5
    >>> a, b = net().state_dict(), net().state_dict()
    >>> found = rf.straight_through_matching(
    ...     spec, net(), a, b, batches, nn.functional.cross_entropy, symmetries="all"
    ... )
    >>> a_normal, b_aligned = found.endpoints(a, b)
    >>> merged = rf.interpolate(a_normal, b_aligned, 0.5)
    >>> sorted(found.transform.signs)
    ['0']
    """

    isometry_a: Transform = field(repr=False)
    normalisation_a: Transform = field(repr=False)

    @property
    def transform_a(self) -> Transform:
        """From A as given to A's end, as ``transform`` from B: normalisation, then isometry."""
        return compose_transforms(self.normalisation_a, self.isometry_a, self.spec)

    @_arguments.checked()
    def endpoints(self, params_a: Params, params_b: Params) -> tuple[dict[str, Array], dict[str, Array]]:
        """The ends of the line to merge on: A's normal form, moved with ``move_both``, and the aligned B.

        Parameters
        ----------
        params_a, params_b : Mapping[str, array]
            The models that were matched. Not changed.

        Returns
        -------
        tuple of two dict[str, array]
            Of the functions of A and of B, for :func:`rebasin_fast.interpolate` and :func:`rebasin_fast.loss_curve`.
        """
        a_normal = normalise(self.spec, params_a).params
        return apply_transform(self.spec, self.isometry_a, a_normal), self.apply(params_b)
