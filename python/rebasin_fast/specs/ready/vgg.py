"""VGG networks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

from rebasin_fast import _arguments
from rebasin_fast.specs.reading.hints import NO_HINTS, Hints, NormKind, needed_norm
from rebasin_fast.specs.reading.names import natural_key
from rebasin_fast.specs.ready.cnn import cnn
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params

Form: TypeAlias = Literal["cifar", "imagenet"]

# Convolutions before each pooling layer (Simonyan & Zisserman 2015, table 1, configurations A, B, D, E).
_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


@_arguments.checked(positions=1, norm_groups=1)
def vgg(
    convolutions: Sequence[str],
    norms: Sequence[str],
    classifier: Sequence[str],
    *,
    positions: int = 1,
    norm: NormKind = "batch",
    norm_groups: int = 1,
) -> PermutationSpec:
    """Spec of a chain of convolutions followed by linear layers.

    Parameters
    ----------
    convolutions : sequence of str
        Names of the convolutions, input first. All have biases.
    norms : sequence of str
        Names of the norms, one a convolution; empty for none.
    classifier : sequence of str
        Names of the linear layers.
    positions : int
        Pixels of the last feature map: each channel owns that many inputs of the first linear layer.
    norm, norm_groups
        "batch" for BatchNorm; "layer" for LayerNorm over the channels, or GroupNorm of ``norm_groups`` groups.

    Returns
    -------
    PermutationSpec
        ``conv0``, ``conv1``, … and ``fc0``, ``fc1``, …, input first.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.specs.vgg(["features.0"], [], ["classifier"], positions=4).axes_to_perm["classifier.weight"]
    (None, Product(outer='conv0', inner=Fixed(length=4)))
    """
    return cnn(convolutions, classifier, norms=norms, positions=positions, norm=norm, norm_groups=norm_groups)


@_arguments.checked()
def vgg11(form: Form = "imagenet", *, batch_norm: bool = False) -> PermutationSpec:
    """Spec of VGG-11: 8 convolutions and 3 linear layers, 10 permutations; see :func:`vgg16`."""
    return _published(11, form, batch_norm)


@_arguments.checked()
def vgg13(form: Form = "imagenet", *, batch_norm: bool = False) -> PermutationSpec:
    """Spec of VGG-13: 10 convolutions and 3 linear layers, 12 permutations; see :func:`vgg16`."""
    return _published(13, form, batch_norm)


@_arguments.checked()
def vgg16(form: Form = "imagenet", *, batch_norm: bool = False) -> PermutationSpec:
    """Spec of VGG-16: 13 convolutions and 3 linear layers, 15 permutations.

    Parameters
    ----------
    form : {"cifar", "imagenet"}
        "cifar": 512 inputs to ``classifier.1``, ``.4``, ``.6``. "imagenet": torchvision's 512 x 7 x 7 inputs to
        ``classifier.0``, ``.3``, ``.6``.
    batch_norm : bool
        Whether a BatchNorm layer follows each convolution.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.specs.vgg16().axes_to_perm["classifier.0.weight"]
    ('fc0', Product(outer='conv12', inner=Fixed(length=49)))
    """
    return _published(16, form, batch_norm)


@_arguments.checked()
def vgg19(form: Form = "imagenet", *, batch_norm: bool = False) -> PermutationSpec:
    """Spec of VGG-19: 16 convolutions and 3 linear layers, 18 permutations; see :func:`vgg16`."""
    return _published(19, form, batch_norm)


def _published(depth: int, form: Form, batch_norm: bool) -> PermutationSpec:
    step = 3 if batch_norm else 2  # convolution, (norm,) activation
    convolutions, index = [], 0
    for count in _STAGES[depth]:
        convolutions += [index + step * i for i in range(count)]
        index += step * count + 1
    return vgg(
        [f"features.{i}" for i in convolutions],
        [f"features.{i + 1}" for i in convolutions] if batch_norm else [],
        [f"classifier.{i}" for i in ((1, 4, 6) if form == "cifar" else (0, 3, 6))],
        positions=1 if form == "cifar" else 49,
    )


def recognise(params: Params, hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of a VGG in torchvision's names (``features.N``, ``classifier`` or ``classifier.N``)."""
    names = [name.removesuffix(".weight") for name in params if name.endswith(".weight")]
    features = sorted((n for n in names if re.fullmatch(r"features\.\d+", n)), key=natural_key)
    classifier = sorted((n for n in names if re.fullmatch(r"classifier(\.\d+)?", n)), key=natural_key)
    convolutions = [n for n in features if len(params[f"{n}.weight"].shape) == 4]
    norms = [n for n in features if len(params[f"{n}.weight"].shape) == 1]
    if not convolutions or not classifier or len(norms) not in (0, len(convolutions)):
        return None
    first_linear = params[f"{classifier[0]}.weight"]
    channels = int(params[f"{convolutions[-1]}.weight"].shape[0])
    if len(first_linear.shape) != 2 or first_linear.shape[1] % channels:
        return None
    positions = int(first_linear.shape[1]) // channels
    statistics = not norms or f"{norms[0]}.running_mean" in params
    described = f"a VGG of {len(convolutions)} convolutions"
    norm, groups = needed_norm(hints, statistics, described, norms[0] if norms else "")
    return vgg(convolutions, norms, classifier, positions=positions, norm=norm, norm_groups=groups)
