"""VGG networks: convolutions in a chain, flattened into linear layers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from rebasin_fast.axis import Entry, blocks
from rebasin_fast.spec import PermutationSpec
from rebasin_fast.specs.fragments import SpecBuilder

if TYPE_CHECKING:
    from rebasin_fast.typing import Params

# Convolutions before each pooling layer of VGG-16 (Simonyan & Zisserman 2015, configuration D).
_VGG16_STAGES = (2, 2, 3, 3, 3)


def vgg(
    convolutions: Sequence[str], norms: Sequence[str], classifier: Sequence[str], *, positions: int = 1
) -> PermutationSpec:
    """Spec of a chain of convolutions followed by linear layers.

    Parameters
    ----------
    convolutions : sequence of str
        Names of the convolutions, input first. All have biases.
    norms : sequence of str
        Names of the BatchNorm layers, one a convolution; empty for none.
    classifier : sequence of str
        Names of the linear layers.
    positions : int
        Pixels of the last feature map: each channel owns that many inputs of the first linear layer.

    Returns
    -------
    PermutationSpec
        ``conv0``, ``conv1``, … and ``fc0``, ``fc1``, …, input first.
    """
    if norms and len(norms) != len(convolutions):
        raise ValueError(
            f"norms has {len(norms)} names and convolutions {len(convolutions)}; give one for each, or none"
        )
    builder = SpecBuilder()
    inputs: Entry = None
    for number, name in enumerate(convolutions):
        builder.convolution(name, inputs, f"conv{number}", bias=True)
        if norms:
            builder.batch_norm(norms[number], f"conv{number}")
        inputs = f"conv{number}"
    if positions > 1:
        inputs = blocks(inputs, positions)
    for number, name in enumerate(classifier):
        outputs = f"fc{number}" if number + 1 < len(classifier) else None
        builder.dense(name, inputs, outputs)
        inputs = outputs
    return builder.build()


def vgg16(form: Literal["cifar", "imagenet"] = "imagenet", *, batch_norm: bool = False) -> PermutationSpec:
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
    if form not in ("cifar", "imagenet"):
        raise ValueError(f"form is 'cifar' or 'imagenet'; got {form!r}")
    step = 3 if batch_norm else 2  # convolution, (norm,) activation
    convolutions, index = [], 0
    for count in _VGG16_STAGES:
        convolutions += [index + step * i for i in range(count)]
        index += step * count + 1
    return vgg(
        [f"features.{i}" for i in convolutions],
        [f"features.{i + 1}" for i in convolutions] if batch_norm else [],
        [f"classifier.{i}" for i in ((1, 4, 6) if form == "cifar" else (0, 3, 6))],
        positions=1 if form == "cifar" else 49,
    )


def recognise(params: Params) -> PermutationSpec | None:
    """The spec of a VGG in torchvision's names (``features.N``, ``classifier`` or ``classifier.N``)."""
    names = [name.removesuffix(".weight") for name in params if name.endswith(".weight")]
    features = sorted((n for n in names if re.fullmatch(r"features\.\d+", n)), key=_number)
    classifier = sorted((n for n in names if re.fullmatch(r"classifier(\.\d+)?", n)), key=_number)
    convolutions = [n for n in features if len(params[f"{n}.weight"].shape) == 4]
    norms = [n for n in features if len(params[f"{n}.weight"].shape) == 1]
    if not convolutions or not classifier or len(norms) not in (0, len(convolutions)):
        return None
    channels = int(params[f"{convolutions[-1]}.weight"].shape[0])
    positions, rest = divmod(int(params[f"{classifier[0]}.weight"].shape[1]), channels)
    return None if rest else vgg(convolutions, norms, classifier, positions=positions)


def _number(name: str) -> int:
    return int(name.rpartition(".")[2]) if "." in name else -1
