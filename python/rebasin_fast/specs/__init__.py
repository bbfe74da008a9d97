"""Ready permutation specs, one family per file, and their recognition from parameters.

A new family is one file and one line in ``_FAMILIES``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rebasin_fast.errors import SpecError
from rebasin_fast.specs import mlp as _mlp
from rebasin_fast.specs import resnet as _resnet
from rebasin_fast.specs import vgg as _vgg
from rebasin_fast.specs.mlp import mlp
from rebasin_fast.specs.resnet import cifar_resnet, resnet, resnet18, resnet50
from rebasin_fast.specs.vgg import vgg, vgg16

if TYPE_CHECKING:
    from rebasin_fast.spec import PermutationSpec
    from rebasin_fast.typing import Params

__all__ = ["cifar_resnet", "for_params", "mlp", "resnet", "resnet18", "resnet50", "vgg", "vgg16"]

# Each family's recognise(params) gives a spec, or None for parameters that are not its own.
_FAMILIES = {"ResNet": _resnet.recognise, "VGG": _vgg.recognise, "MLP": _mlp.recognise}

# What wrappers put before every name.
_PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "network.", "backbone.", "params/")


def for_params(params: Params) -> PermutationSpec:
    """Recognise a known architecture from the names and shapes of its parameters.

    Parameters
    ----------
    params : Mapping[str, array]
        As in a ``state_dict``. Prefixes that wrappers add (``module.``, ``model.``, …) may stand before all names.

    Returns
    -------
    PermutationSpec
        For exactly these names, validated against the shapes.

    Raises
    ------
    SpecError
        No family knows these parameters; the message says what was seen and what would help.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> params = {"0.weight": np.ones((8, 4)), "0.bias": np.ones(8), "2.weight": np.ones((3, 8)), "2.bias": np.ones(3)}
    >>> rf.specs.for_params(params).perm_to_axes
    {'P0': [('0.weight', 0), ('0.bias', 0), ('2.weight', 1)]}
    """
    prefix, bare = _without_prefix(params)
    refusals = []
    for family, recognise in _FAMILIES.items():
        spec = recognise(bare)
        if spec is None:
            continue
        try:
            spec.validate(bare)
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
        + f". Known families: {', '.join(_FAMILIES)}. Write a PermutationSpec with one entry per axis, "
        "and prove it with spec.verify(model, example_inputs)"
    )
