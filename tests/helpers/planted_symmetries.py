"""A transform of all groups at once, planted in a model of the tracer's spec and matched back; and groups too large."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

import rebasin_fast as rf
from rebasin_fast.permutation import random_transform
from rebasin_fast.permutation.trial import Trial
from rebasin_fast.specs.symmetry import Role, Symmetry
from rebasin_fast.tracing import TracedSpec


@dataclass(frozen=True)
class Recovery:
    """How far the function moved by planting and by matching, relative to its outputs, and the worst weights."""

    planted: float
    function: float
    weights: dict[str, float]
    matching: Any


def recovery(spec: TracedSpec, model: nn.Module, inputs: Any, seed: int, *, restarts: int = 1) -> Recovery:
    """Match a randomised copy of ``model`` to itself under a random transform."""
    trial = Trial(model, inputs, np.random.default_rng(seed))
    normal = rf.normalise(spec, trial.params)
    original = normal.params
    # A norm that has to keep its bias, under a head without one, leaves order alone.
    acting = rf.PermutationSpec(
        spec.axes_to_perm, spec.unmatched, sizes=spec.declared_sizes, symmetries=normal.symmetries
    )
    transform = random_transform(acting, spec.sizes(original), np.random.default_rng(seed + 1))
    planted = rf.apply_transform(spec, transform, original)
    change = trial.change_with(planted)
    matching = rf.weight_matching(spec, original, planted, symmetries="all", restarts=restarts)
    aim, found = matching.endpoints(original, planted)
    apart = {
        name: float((found[name] - aim[name]).abs().max())
        for name in aim
        if torch.is_floating_point(aim[name])
    }
    return Recovery(change, trial.change_with(found), apart, matching)


def kept_in_spite(spec: TracedSpec, build: Callable[[], nn.Module], inputs: Any) -> list[tuple[str, str]]:
    """Permutations and groups one size too large that verification does not name as a fault; none where all is well."""
    kept = []
    for larger in enlarged(spec):
        claimed = rf.PermutationSpec(
            spec.axes_to_perm, spec.unmatched, sizes=spec.declared_sizes, symmetries=[larger]
        )
        if not _refused(claimed, build(), inputs, f"the {larger.group!r} symmetry of {larger.permutation!r}"):
            kept.append((larger.permutation, larger.group))
    return kept


def _refused(claimed: rf.PermutationSpec, model: nn.Module, inputs: Any, named: str) -> bool:
    """Whether verification names the symmetry as the fault."""
    try:
        claimed.verify(model, inputs)
    except rf.SpecError as error:
        message = str(error)
    else:
        message = ""
    return named in message


# Operations that leave order alone because the tracer does not look into them: a larger group may be right.
UNREAD = ("lstm", "gru", "rnn", "conv")


def enlarged(spec: TracedSpec) -> Iterator[Symmetry]:
    """For each permutation, the next larger group on all of its axes.

    Not for heads, which are within the larger group of their units.
    """
    own = {symmetry.permutation: symmetry for symmetry in spec.symmetries}
    for name, places in spec.perm_to_axes.items():
        if name not in own:
            if name not in spec.order_alone or any(word in spec.order_alone[name] for word in UNREAD):
                continue
            yield Symmetry(name, "signs", tuple(Role(parameter, axis, (1,)) for parameter, axis in places))
        elif own[name].group in ("signs", "scales"):
            group = "scales" if own[name].group == "signs" else "orthogonal"
            if (name, group) not in {(s.permutation, s.group) for s in spec.symmetries}:
                yield replace(own[name], group=group)
        elif own[name].group == "orthogonal":
            yield Symmetry(name, "linear", own[name].roles)
