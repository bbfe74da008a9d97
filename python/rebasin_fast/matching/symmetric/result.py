"""The result of weight matching over all groups of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rebasin_fast import _arguments
from rebasin_fast._arrays import check_arrays
from rebasin_fast.matching.result import Matching
from rebasin_fast.permutation import apply_transform, compose_transforms, normalise
from rebasin_fast.permutation.transform import Transform
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.typing import Array, Params


@dataclass(frozen=True, repr=False, kw_only=True)
class SymmetricMatching(Matching):
    """The result of ``weight_matching(…, symmetries="all")``: an isometry between the normal forms of B and A.

    The models that compare are not A and B as given, but their normal forms (:func:`rebasin_fast.normalise`), which
    compute the same functions: gains of norms multiplied into their readers, scales balanced. The line between
    :meth:`endpoints` is the one to merge on. ``objective``, ``first_objective`` and ``history`` are those of the normal
    forms; ``permutation`` holds the orders, the identity where a matrix acts.

    Attributes
    ----------
    isometry : Transform
        Orders, signs and orthogonal matrices that move the normal form of B onto that of A.
    normalisation : Transform
        The scales and matrices by which B was balanced. Gains and means of norms are beside them.
    spec : PermutationSpec
        That of the matching, without rotations that one of the models keeps out.
    kept : Mapping[str, str]
        Permutations that the spec has matrices for and that moved without them, and why: the gain or bias of a norm
        could not be moved into its readers.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.specs.symmetry import Role, Symmetry
    >>> signs = Symmetry("P", "signs", (Role("up", 0, (1,)), Role("down", 1, (-1,))))
    >>> spec = rf.PermutationSpec({"up": ("P", None), "down": (None, "P")}, symmetries=[signs])
    >>> a = {"up": np.array([[1.0, 2.0], [3.0, 5.0]]), "down": np.array([[1.0, 4.0]])}
    >>> b = {"up": np.array([[-3.0, -5.0], [1.0, 2.0]]), "down": np.array([[-4.0, 1.0]])}
    >>> matching = rf.weight_matching(spec, a, b, symmetries="all")
    >>> a_normal, b_aligned = matching.endpoints(a, b)
    >>> all(np.array_equal(a_normal[name], b_aligned[name]) for name in a)
    True
    >>> matching.transform.signs["P"]
    array([ 1., -1.])
    """

    spec: PermutationSpec = field(repr=False)
    isometry: Transform = field(repr=False)
    normalisation: Transform = field(repr=False)
    kept: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def transform(self) -> Transform:
        """From B as given to the aligned B: normalisation, then isometry.

        Where norms have gains, biases or means to move, from ``normalise(spec, params_b, balance=False).params``.
        """
        return compose_transforms(self.normalisation, self.isometry, self.spec)

    @_arguments.checked()
    def apply(self, params_b: Params) -> dict[str, Array]:
        """B's normal form, moved onto A's: a model of the same function as ``params_b``."""
        check_arrays(params_b, "params_b")
        return apply_transform(self.spec, self.isometry, normalise(self.spec, params_b).params)

    @_arguments.checked()
    def endpoints(self, params_a: Params, params_b: Params) -> tuple[dict[str, Array], dict[str, Array]]:
        """The ends of the line to merge on: A's normal form, and the aligned B of :meth:`apply`.

        Parameters
        ----------
        params_a, params_b : Mapping[str, array]
            The models that were matched. Not changed.

        Returns
        -------
        tuple of two dict[str, array]
            Of the functions of A and of B, for :func:`rebasin_fast.interpolate` and :func:`rebasin_fast.loss_curve`.
        """
        check_arrays(params_a, "params_a")
        return dict(normalise(self.spec, params_a).params), self.apply(params_b)

    def to_dict(self) -> dict[str, Any]:
        """Everything but arrays, as JSON values."""
        groups: dict[str, list[str]] = {}
        for symmetry in self.spec.symmetries:
            if symmetry.group not in ("orthogonal", "linear") or symmetry.permutation not in self.kept:
                groups.setdefault(symmetry.permutation, []).append(symmetry.group)
        return {**super().to_dict(), "symmetries": groups, "kept": dict(self.kept)}
