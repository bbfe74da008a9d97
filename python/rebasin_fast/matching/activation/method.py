"""Activation matching: units paired by their activations on the same data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, overload

from rebasin_fast import _arguments
from rebasin_fast._models.inference import check_model, import_torch
from rebasin_fast._terminal.progress import listener
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.matching.activation.isometries import match_isometries
from rebasin_fast.matching.activation.observed import observe
from rebasin_fast.matching.activation.similarities import Similarity
from rebasin_fast.matching.activation.taps import TapNames
from rebasin_fast.matching.result import Matching
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from rebasin_fast.matching.symmetric.result import SymmetricMatching


@overload
def activation_matching(
    spec: PermutationSpec,
    model_a: Any,
    model_b: Any,
    batches: Iterable[Any],
    *,
    symmetries: Literal["all"],
    similarity: Similarity = "correlation",
    taps: TapNames | None = None,
    strict: bool = True,
    progress: Callable[[int, int | None], object] | bool | None = None,
) -> SymmetricMatching: ...
@overload
def activation_matching(
    spec: PermutationSpec,
    model_a: Any,
    model_b: Any,
    batches: Iterable[Any],
    *,
    symmetries: Literal["permutations"] = "permutations",
    similarity: Similarity = "correlation",
    taps: TapNames | None = None,
    activation_weight: float = 1.0,
    strict: bool = True,
    progress: Callable[[int, int | None], object] | bool | None = None,
) -> Matching: ...
@_arguments.checked()
@refuses_changed_files
def activation_matching(
    spec: PermutationSpec,
    model_a: Any,
    model_b: Any,
    batches: Iterable[Any],
    *,
    symmetries: Literal["permutations", "all"] = "permutations",
    similarity: Similarity = "correlation",
    taps: TapNames | None = None,
    activation_weight: float = 1.0,
    strict: bool = True,
    progress: Callable[[int, int | None], object] | bool | None = None,
) -> Matching:
    """Find the permutation of B's units whose activations on the same data are most similar to those of A.

    Parameters
    ----------
    spec : PermutationSpec
        Names parameters as the models' ``state_dict`` does.
    model_a, model_b : torch.nn.Module
        Of one architecture; each runs on its own device, in eval mode and without gradients. Not changed:
        training flags are restored and hooks removed also after an exception.
    batches : iterable
        Inputs, gone through once. Each batch is a tensor, an (inputs, …) tuple or list, whose first element is
        used, or a mapping of keyword arguments. A few thousand samples, and some times as many samples
        (positions counted) as a layer has units, suffice.
    symmetries : {"permutations", "all"}
        "all": signs and rotations of units beside their order, as far as ``spec.symmetries`` has them
        (:func:`rebasin_fast.trace_spec` finds them). The models that run are copies in normal form
        (:func:`rebasin_fast.normalise`).
    similarity : {"correlation", "inner_product"}
        Pearson's correlation of two units over all samples, or their mean product, not centred.
    taps : Mapping[str, str or sequence of str], optional
        For a permutation the names of the modules whose outputs are its units, instead of those found.
    activation_weight : float
        Share of the activations in the similarity of two units; the rest is that of their weights, each divided by
        a bound of its sum for the permutation. 1 takes the activations alone.
    strict : bool
        Refuse parameters that the spec or one of the models lacks, and permutations without a tap or with constant
        activations. False leaves them in place and lists them in ``report``.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with (batches done, batches in
        all or None) after each batch. An exception of it ends the matching.

    Returns
    -------
    Matching
        With ``symmetries="all"`` a :class:`SymmetricMatching`, which `weight_matching` takes as ``init``.
        ``objective`` is the sum of the similarities of matched units, over units and taps; ``first_objective`` the
        same for the identity, which it is never below. Correlations lie in [-1, 1], so that the objective over
        the number of matched pairs is the mean correlation. ``stats.product_seconds`` is the time of the moments.
        With an ``activation_weight`` w below 1 it is (1 - w) times the objective of weight matching, plus w times the
        similarities, those of each permutation multiplied by the quotient of the two bounds.

    Raises
    ------
    SpecError, ParamsError
        The spec does not fit the models, a permutation has no tap, the models run on different numbers of
        samples, or an activation is NaN or infinite.
    DataError
        A ValueError; there are no batches, too few samples (two for a correlation), or units of which none ever
        changes, so that correlations are undefined.
    MissingDependencyError
        torch is not installed.

    Notes
    -----
    Units are read where a layer reads them: at the input of every module whose weight carries the permutation on its
    input axis, that is after the nonlinearity. A tensor that several layers read counts once. Samples and
    positions of images and sequences all count alike; so do the positions of a flattened feature map that belong
    to one channel. Units of a residual stream are taken at each layer that reads it, and these similarities are
    summed. Units that no layer reads from outside (queries and keys of attention) are taken at their projection, the
    states within a recurrent module after the last step. Units that never change have correlation 0 with all others.

    Deterministic. Each permutation is one exact assignment; permutations within others (dimensions of attention
    heads) are solved with them, by coordinate descent, and so are all permutations where weights count too: the weights
    of a unit depend on the order of those before and after it. The bounds are by Cauchy and Schwarz: |A| |B| over the
    parameters that a permutation moves, and the number of units, or |X| |Y| over their activations. One pass over the
    data, O(samples x n^2) and 8 n^2 bytes for each tap of n units (the moments, in float64), besides the activations of
    one batch.

    With ``symmetries="all"`` units that a rotation mixes are compared by their mean products, over the root mean
    squares of the tap; the rotation is the polar factor of the summed products, and heads are assigned by the nuclear
    norms of what is within them. Pairs of queries and keys that a rotary embedding turns are left to the weights.

    Ainsworth, Hayase & Srinivasa, *Git Re-Basin*, 2022, section 3.1; correlation as in Li et al., *Convergent
    Learning*, 2015.

    Examples
    --------
    >>> import numpy as np, torch, rebasin_fast as rf
    >>> net = lambda: torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3))
    >>> a, b, spec = net(), net(), rf.specs.mlp(["0", "2"])
    >>> hidden = {"P0": np.random.default_rng(0).permutation(32)}
    >>> _ = b.load_state_dict(rf.apply_permutation(spec, hidden, a.state_dict()))
    >>> found = rf.activation_matching(spec, a, b, [torch.randn(500, 8)])
    >>> aligned = rf.apply_permutation(spec, found.permutation, b.state_dict())
    >>> all(torch.equal(aligned[name], tensor) for name, tensor in a.state_dict().items())
    True
    """
    import_torch("activation_matching")
    _arguments.choice("similarity", similarity, ("correlation", "inner_product"))
    _arguments.stream("batches", batches, "batches of inputs", functions=False)
    _arguments.choice("symmetries", symmetries, ("permutations", "all"))
    weight = _arguments.number("activation_weight", activation_weight, least=0.0, most=1.0, of="a share")
    if symmetries == "all":
        if weight != 1.0:
            raise ValueError(
                "activation_weight is for symmetries='permutations'; with 'all' give the result to weight_matching as "
                "init"
            )
        check_model(model_a, "model_a")
        check_model(model_b, "model_b")
        with listener(progress, "batches") as notify:
            return match_isometries(spec, (model_a, model_b), batches, similarity, taps, strict, notify)
    observed = observe(
        spec, model_a, model_b, batches, similarity=similarity, taps=taps, strict=strict, progress=progress
    )
    return observed.matching(weight)
