"""The families of ready specs, in the order in which :func:`rebasin_fast.specs.for_params` asks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from rebasin_fast.specs.reading.hints import Hints
from rebasin_fast.specs.ready.attention import recognise as recognise_attention
from rebasin_fast.specs.ready.cnn import recognise as recognise_cnn
from rebasin_fast.specs.ready.densenet import recognise as recognise_densenet
from rebasin_fast.specs.ready.gpt2 import recognise as recognise_gpt2
from rebasin_fast.specs.ready.mlp import recognise as recognise_mlp
from rebasin_fast.specs.ready.recurrent import recognise as recognise_recurrent
from rebasin_fast.specs.ready.resnet import recognise as recognise_resnet
from rebasin_fast.specs.ready.resnext import recognise as recognise_resnext
from rebasin_fast.specs.ready.vgg import recognise as recognise_vgg
from rebasin_fast.specs.ready.vit import recognise as recognise_vit

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params

# A spec for the parameters, or None for parameters that are not the family's own.
Recognise: TypeAlias = "Callable[[Params, Hints], PermutationSpec | None]"

# A new family is one file and one line here, and tests/helpers/families/NAME.py with the module's name.
# The chains of layers without marks of their own come last: what has a structure of its own was asked before.
FAMILIES: dict[str, Recognise] = {
    "resnext": recognise_resnext,
    "resnet": recognise_resnet,
    "densenet": recognise_densenet,
    "vgg": recognise_vgg,
    "vit": recognise_vit,
    "gpt2": recognise_gpt2,
    "attention": recognise_attention,
    "recurrent": recognise_recurrent,
    "cnn": recognise_cnn,
    "mlp": recognise_mlp,
}
