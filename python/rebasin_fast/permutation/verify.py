"""Proof by trial that a permutation spec leaves a model's function as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rebasin_fast.errors import SpecError
from rebasin_fast.permutation.apply import identity_permutation
from rebasin_fast.permutation.trial import TOLERANCE, Trial
from rebasin_fast.permutation.trial_permutations import generators, trials
from rebasin_fast.permutation.verify_symmetries import verify_symmetries
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Rng


def verify_spec(spec: PermutationSpec, model: Any, example_inputs: Any, *, rng: Rng = 0) -> None:
    """Check that permuting the units of ``model`` by ``spec``, and its symmetries, change none of its outputs.

    Parameters
    ----------
    spec : PermutationSpec
        Must name every entry of the model's ``state_dict``.
    model : torch.nn.Module
        Not changed. The trial runs on a float64 copy in eval mode whose parameters and buffers are random
        (buffers positive, for variances): zero biases, unit scales and layer scales of 1e-6 would hide
        missing entries. Where a model draws noise (a variational autoencoder), the same number is drawn everywhere.
    example_inputs : tensor, tuple, or mapping
        One positional argument, several, or keyword arguments; floating-point tensors are widened.
    rng : int, numpy.random.Generator or None
        Seed of the parameters and permutations.

    Raises
    ------
    SpecError
        The spec does not fit the model, or outputs change by more than 1e-9 of their largest magnitude; the
        message names the permutations at fault, for symmetries the group too, and the parameters they move.

    Notes
    -----
    About log2(k) + 2 forward passes for k permutations, one for the outputs to compare with, and one, where inputs are
    not cut, that shows that these depend on the parameters that move; where some disagree, as many again and 2 k more.
    The permutations tried generate all others of each name, and of any two names one moves
    without the other. Axes of inputs of more than 32 entries, and batches, are cut for the trials where the model
    takes that and every parameter still has a part in its outputs (checked by one backward pass); a spec that fails
    there is tried on the inputs as they were given.

    Symmetries are tried likewise, beside permutations, by random signs, scales from 1/2 to 2, and matrices of their
    groups: about log2(k) + 2 forward passes for k of them, one more for each where inputs are not cut. First the gains
    and biases of norms are moved into readers and writers are centred, which must preserve the function too; gains
    and biases that cannot be moved are set to 1 and 0 for the trial.
    """
    trial = Trial(model, example_inputs, np.random.default_rng(rng), spec)
    _verify_permutations(spec, trial)
    if spec.symmetries:
        verify_symmetries(spec, trial)


def _verify_permutations(spec: PermutationSpec, trial: Trial) -> None:
    sizes = spec.sizes(trial.params)
    drawn = generators(spec, sizes, trial.rng)
    chosen = trials(spec, sizes, drawn)
    if all(trial.change_under(spec, permutation) <= TOLERANCE for permutation in chosen):
        return
    trial.take_given_inputs()
    change = max(trial.change_under(spec, permutation) for permutation in chosen)
    if change <= TOLERANCE:
        return
    identity = identity_permutation(spec, sizes)
    culprits = {}
    for name in spec.permutations:
        alone = max(trial.change_under(spec, {**identity, name: moves[name]}) for moves in drawn)
        if alone > TOLERANCE:
            culprits[name] = alone
    raise SpecError(_describe(spec, culprits, change))


def _describe(spec: PermutationSpec, culprits: Mapping[str, float], change: float) -> str:
    if not culprits:
        return (
            f"the spec changes the function of the model: its outputs move by {change:.2g} of their magnitude when "
            "all permutations act together, though each alone preserves them"
        )
    worst = max(culprits, key=lambda name: culprits[name])
    places = ", ".join(f"{parameter} axis {axis}" for parameter, axis in spec.perm_to_axes[worst])
    others = [name for name in culprits if name != worst]
    return (
        f"permutation {worst!r} changes the function of the model: its outputs move by {culprits[worst]:.2g} of "
        f"their magnitude (allowed {TOLERANCE:g}). It moves {places}: one of these is wrong, or an axis "
        "that carries the same units is missing"
        + (f". Also at fault: {', '.join(map(repr, others))}" if others else "")
    )
