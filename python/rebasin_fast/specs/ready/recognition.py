"""Recognition of known architectures from the names and shapes of their parameters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from rebasin_fast import _arguments
from rebasin_fast._arrays import check_arrays
from rebasin_fast.errors import SpecError
from rebasin_fast.specs.reading.hints import AmbiguousError, HintNeededError, Hints
from rebasin_fast.specs.reading.names import layer_of
from rebasin_fast.specs.ready.families import FAMILIES
from rebasin_fast.specs.ready.unsupported import check_supported
from rebasin_fast.specs.recognised import RecognisedSpec, as_recognised
from rebasin_fast.typing import Params

# Prefixes that wrappers add to every name.
_PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "network.", "backbone.", "state_dict.", "params/")


@_arguments.checked(heads=1, norm_groups=1)
def for_params(
    params: Params,
    *,
    heads: int | None = None,
    norm_groups: int | None = None,
    layers: Sequence[str] | None = None,
) -> RecognisedSpec:
    """Recognise a known architecture from the names and shapes of its parameters.

    Parameters
    ----------
    params : Mapping[str, array]
        As in a ``state_dict``. Prefixes that wrappers add (``module.``, ``model.``, …) may stand before all names.
    heads : int, optional
        Number of attention heads of a transformer, which shapes do not determine.
    norm_groups : int, optional
        For norms without running statistics: 1 for LayerNorm or a GroupNorm of one group, g for g groups.
    layers : sequence of str, optional
        Names of the layers of a plain chain (linear layers, convolutions, one recurrent module) in the order in
        which data passes through them, where names and shapes do not determine it.

    Returns
    -------
    RecognisedSpec
        A :class:`PermutationSpec` for exactly these names, validated against the shapes, with its ``family``.

    Raises
    ------
    SpecError
        No family has these parameters, or one does and needs ``heads`` or ``norm_groups``; or they can be read
        in more than one way, and the message shows two; or they are those of an adapter, or quantised.

    Notes
    -----
    Names and shapes do not prove an architecture: a skip connection has no parameters. ``spec.verify`` does. A
    chain without names of its own is recognised only where the shapes, or numbers in the names (``fc1``, ``fc2``),
    leave one order, and where no sum around its layers would leave the same shapes, or plain names rule one out.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> params = {"0.weight": np.ones((8, 4)), "0.bias": np.ones(8), "2.weight": np.ones((3, 8)), "2.bias": np.ones(3)}
    >>> rf.specs.for_params(params).perm_to_axes
    {'P0': [('0.weight', 0), ('0.bias', 0), ('2.weight', 1)]}
    """
    check_arrays(params, "the parameters")
    if params:
        check_supported(params)
    refusals: list[str] = []
    for prefix, bare in _without_prefixes(params):
        order = None if layers is None else tuple(name.removeprefix(prefix) for name in layers)
        found = _recognised(prefix, bare, Hints(heads, norm_groups, order), refusals)
        if found is not None:
            return found
    raise SpecError(_unrecognised(params, list(dict.fromkeys(refusals))))


def _recognised(prefix: str, bare: Params, hints: Hints, refusals: list[str]) -> RecognisedSpec | None:
    for family, recognise in FAMILIES.items():
        try:
            spec = recognise(bare, hints)
            if spec is None:
                continue
            spec.validate(bare)
        except (HintNeededError, AmbiguousError):
            raise
        except SpecError as error:
            refusals.append(f"it resembles a {family}, but {error}")
            continue
        return as_recognised(spec, family, prefix)
    return None


def _without_prefixes(params: Params) -> Iterator[tuple[str, Params]]:
    """The parameters without the prefixes of wrappers; then without each further common part of their names."""
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
    yield prefix, bare
    while common := _common_part(bare):
        prefix += common
        bare = {name.removeprefix(common): array for name, array in bare.items()}
        yield prefix, bare


def _common_part(params: Params) -> str:
    """The first part of the names with its separator, where all share it and have more than one layer."""
    layers = set(map(layer_of, params))
    heads = {re.match(r"[^./]*[./]|", name)[0] for name in params}  # type: ignore[index]
    return heads.pop() if len(heads) == 1 and len(layers) > 1 else ""


def _unrecognised(params: Params, refusals: list[str]) -> str:
    ranks = Counter(len(array.shape) for array in params.values())
    shown = ", ".join(f"{name} {tuple(array.shape)}" for name, array in list(params.items())[:4])
    convolutions = sum(ranks.get(rank, 0) for rank in (3, 4, 5))
    return (
        f"no ready spec fits these {len(params)} parameters ({ranks.get(2, 0)} matrices, {convolutions} "
        f"convolutions; the first are {shown})"
        + "".join(f"; {refusal}" for refusal in refusals)
        + f". Known families: {', '.join(FAMILIES)}. Write a PermutationSpec with one entry per axis, "
        "and prove it with spec.verify(model, example_inputs)"
    )
