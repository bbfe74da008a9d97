"""The families of ready specs, in the order in which :func:`rebasin_fast.specs.for_params` tries them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from rebasin_fast.specs.reading.hints import Hints
from rebasin_fast.specs.ready import attention, cnn, densenet, gpt2, mlp, recurrent, resnet, resnext, vgg, vit
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params

# A spec for the parameters, or None for parameters of another family.
Recognise: TypeAlias = "Callable[[Params, Hints], PermutationSpec | None]"

# A new family is one file and one line here, and tests/helpers/families/NAME.py with the module's name.
# Chains, whose names are arbitrary, come last: architectures with names of their own are tried before.
FAMILIES: dict[str, Recognise] = {
    "resnext": resnext.recognise,
    "resnet": resnet.recognise,
    "densenet": densenet.recognise,
    "vgg": vgg.recognise,
    "vit": vit.recognise,
    "gpt2": gpt2.recognise,
    "attention": attention.recognise,
    "recurrent": recurrent.recognise,
    "cnn": cnn.recognise,
    "mlp": mlp.recognise,
}
