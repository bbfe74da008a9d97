"""Recognition of known architectures from the names and shapes of their parameters."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rebasin_fast.arrays import check_arrays
from rebasin_fast.errors import SpecError
from rebasin_fast.specs.families import FAMILIES
from rebasin_fast.specs.hints import HintNeededError, Hints

if TYPE_CHECKING:
    from rebasin_fast.spec import PermutationSpec
    from rebasin_fast.typing import Params

# What wrappers put before every name.
_PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "network.", "backbone.", "params/")


def for_params(
    params: Params, *, heads: int | None = None, norm_groups: int | None = None
) -> PermutationSpec:
    """Recognise a known architecture from the names and shapes of its parameters.

    Parameters
    ----------
    params : Mapping[str, array]
        As in a ``state_dict``. Prefixes that wrappers add (``module.``, ``model.``, …) may stand before all names.
    heads : int, optional
        Number of attention heads of a transformer, which shapes do not tell.
    norm_groups : int, optional
        For norms without running statistics: 1 for LayerNorm or a GroupNorm of one group, g for g groups.

    Returns
    -------
    PermutationSpec
        For exactly these names, validated against the shapes.

    Raises
    ------
    SpecError
        No family knows these parameters, or one does and needs ``heads`` or ``norm_groups``; the message says
        what was seen and what would help.

    Notes
    -----
    Names and shapes do not prove an architecture: a skip connection has no parameters. ``spec.verify`` does.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> params = {"0.weight": np.ones((8, 4)), "0.bias": np.ones(8), "2.weight": np.ones((3, 8)), "2.bias": np.ones(3)}
    >>> rf.specs.for_params(params).perm_to_axes
    {'P0': [('0.weight', 0), ('0.bias', 0), ('2.weight', 1)]}
    """
    check_arrays(params, "the parameters")
    hints = Hints(heads, norm_groups)
    prefix, bare = _without_prefix(params)
    refusals = []
    for family, recognise in FAMILIES.items():
        try:
            spec = recognise(bare, hints)
            if spec is None:
                continue
            spec.validate(bare)
        except HintNeededError:
            raise
        except SpecError as error:
            refusals.append(f"it resembles a {family}, but {error}")
            continue
        return spec.with_prefix(prefix) if prefix else spec
    raise SpecError(_unrecognised(params, refusals))


def _without_prefix(params: Params) -> tuple[str, Params]:
    prefix = ""
    bare = dict(params)
    found = True
    while found and bare:
        found = False
        for candidate in _PREFIXES:
            if all(name.startswith(candidate) for name in bare):
                prefix += candidate
                bare = {name.removeprefix(candidate): array for name, array in bare.items()}
                found = True
    return prefix, bare


def _unrecognised(params: Params, refusals: list[str]) -> str:
    ranks = Counter(len(array.shape) for array in params.values())
    shown = ", ".join(f"{name} {tuple(array.shape)}" for name, array in list(params.items())[:4])
    return (
        f"no ready spec fits these {len(params)} parameters ({ranks.get(2, 0)} matrices, {ranks.get(4, 0)} "
        f"convolutions; the first are {shown})"
        + "".join(f"; {refusal}" for refusal in refusals)
        + f". Known families: {', '.join(FAMILIES)}. Write a PermutationSpec with one entry per axis, "
        "and prove it with spec.verify(model, example_inputs)"
    )
