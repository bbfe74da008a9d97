"""LSTM, GRU and plain recurrent networks, with an embedding before and linear layers after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeAlias

from rebasin_fast import _arguments
from rebasin_fast.specs.axis import Concat, Entry, tiled
from rebasin_fast.specs.reading.chains import BRANCHES, the_chain
from rebasin_fast.specs.reading.hints import NO_HINTS, Hints
from rebasin_fast.specs.reading.layers import Layer, read_layers
from rebasin_fast.specs.reading.names import count_numbered
from rebasin_fast.specs.ready.fragments import SpecBuilder
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.typing import Params

Kind: TypeAlias = Literal["lstm", "gru", "rnn"]

# Rows of the gates, one after the other, in weight_ih, weight_hh and the biases.
_GATES: dict[Kind, int] = {"lstm": 4, "gru": 3, "rnn": 1}


@_arguments.checked(layers=1)
def recurrent(
    kind: Kind,
    layers: int = 1,
    *,
    name: str | None = None,
    heads: Sequence[str] = ("fc",),
    embedding: str | None = None,
    before: Sequence[str] = (),
    bidirectional: bool = False,
    projected: bool = False,
    bias: bool = True,
    head_bias: bool = True,
) -> PermutationSpec:
    """Spec of ``torch.nn.LSTM``, ``GRU`` or ``RNN`` with linear layers after it.

    Parameters
    ----------
    kind : {"lstm", "gru", "rnn"}
    layers : int
        ``num_layers``.
    name : str, optional
        Name of the module; ``kind`` by default.
    heads : sequence of str
        Names of the linear layers after it, applied to every step or to the last.
    embedding : str, optional
        Name of an embedding before it.
    before : sequence of str
        Names of linear layers before it, applied to every step.
    bidirectional, projected, bias : bool
        As the module was made (``projected``: with a ``proj_size``).
    head_bias : bool
        Whether the linear layers have biases.

    Returns
    -------
    PermutationSpec
        ``NAME.lK`` (and ``NAME.lK_reverse``) moves the hidden units of layer K: all its gates alike, and both
        axes of its recurrent weight. With a projection, ``NAME.lK.out`` moves the projected units. ``embedding``
        moves the entries of the embedding vectors, ``inN`` the outputs of linear layers before, ``fcN`` hidden units
        between linear layers after.

    Notes
    -----
    The states of the units move with them: a model that returns ``h_n`` or ``c_n`` returns them in another order.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.specs.recurrent("lstm").axes_to_perm["lstm.weight_hh_l0"]
    (Product(outer=Fixed(length=4), inner='lstm.l0'), 'lstm.l0')
    """
    heads = _arguments.names("heads", heads)
    name = kind if name is None else name
    builder = SpecBuilder()
    inputs: Entry = None
    if embedding is not None:
        inputs = "embedding"
        builder.parameter(f"{embedding}.weight", None, inputs)
    for number, stem in enumerate(before):
        builder.dense(stem, inputs, f"in{number}", bias=head_bias)
        inputs = f"in{number}"
    for layer in range(layers):
        outputs = [
            _add_layer(builder, kind, name, f"l{layer}{suffix}", inputs, projected=projected, bias=bias)
            for suffix in (("", "_reverse") if bidirectional else ("",))
        ]
        inputs = Concat(*outputs) if bidirectional else outputs[0]
    ends = [inputs, *(f"fc{number}" for number in range(len(heads) - 1)), None]
    for head, (source, target) in zip(heads, pairwise(ends), strict=True):
        builder.dense(head, source, target, bias=head_bias)
    return builder.build()


def _add_layer(
    builder: SpecBuilder, kind: Kind, name: str, layer: str, inputs: Entry, *, projected: bool, bias: bool
) -> Entry:
    """Add one direction of one layer, and return the entry of its outputs."""
    hidden = f"{name}.{layer}"
    outputs = f"{hidden}.out" if projected else hidden
    gates: Entry = tiled(hidden, _GATES[kind]) if _GATES[kind] > 1 else hidden
    builder.parameter(f"{name}.weight_ih_{layer}", gates, inputs)
    builder.parameter(f"{name}.weight_hh_{layer}", gates, outputs)
    if bias:
        builder.parameter(f"{name}.bias_ih_{layer}", gates)
        builder.parameter(f"{name}.bias_hh_{layer}", gates)
    if projected:
        builder.parameter(f"{name}.weight_hr_{layer}", outputs, hidden)
    return outputs


@dataclass(frozen=True, slots=True)
class _Module:
    """A recurrent module among parameters: the options that its names and shapes determine."""

    name: str
    kind: Kind
    layers: int
    bidirectional: bool
    projected: bool
    bias: bool
    as_layer: Layer  # one link of a chain


def _module_in(params: Params) -> _Module | None:
    """The only recurrent module; None where there are several, none, or gates of no known kind."""
    first = [name for name in params if name.endswith(".weight_ih_l0")]
    if len(first) != 1:
        return None
    name = first[0].removesuffix(".weight_ih_l0")
    projected = f"{name}.weight_hr_l0" in params
    recurrent_weight = params[f"{name}.weight_hh_l0"]
    units = int(params[f"{name}.weight_hr_l0"].shape[1] if projected else recurrent_weight.shape[1])
    kind = next((k for k, gates in _GATES.items() if gates * units == recurrent_weight.shape[0]), None)
    if kind is None:
        return None
    bidirectional = f"{name}.weight_ih_l0_reverse" in params
    outputs = int(recurrent_weight.shape[1]) * (2 if bidirectional else 1)
    return _Module(
        name,
        kind,
        count_numbered((f"{parameter}." for parameter in params), f"{name}.weight_ih_l"),
        bidirectional,
        projected,
        f"{name}.bias_ih_l0" in params,
        Layer(name, "dense", int(params[first[0]].shape[1]), outputs, 0, bias=True),
    )


def recognise(params: Params, hints: Hints = NO_HINTS) -> PermutationSpec | None:
    """The spec of one recurrent module, with at most one embedding, and linear layers before and after it."""
    module = _module_in(params)
    if module is None:
        return None
    others = read_layers(
        {name: array for name, array in params.items() if not name.startswith(f"{module.name}.")}
    )
    if others is None or others.layout != "torch" or others.norms:
        return None
    candidates = {owner: [*kinds] for owner, kinds in others.layers.items()}
    embeddings = [
        owner for owner, kinds in candidates.items() if "emb" in owner.lower() and not kinds[0].bias
    ]
    for owner in embeddings:  # its inputs are token numbers: it comes first
        (table,) = candidates[owner]
        candidates[owner] = [replace(table, inputs=0, outputs=table.inputs)]
    if len(embeddings) > 1 or any(layer.kind != "dense" for kinds in candidates.values() for layer in kinds):
        return None
    biased = {kinds[0].bias for owner, kinds in candidates.items() if owner not in embeddings}
    if len(biased) != 1 or (hints.layers is None and any(map(BRANCHES.search, candidates))):
        return None
    described = f"a chain of {len(candidates)} layers around a recurrent one"
    candidates[module.name] = [module.as_layer]
    in_file = dict.fromkeys(parameter.rpartition(".")[0] for parameter in params)
    chain = the_chain({owner: candidates[owner] for owner in in_file}, hints, described)
    if chain is None:
        return None
    place = chain.index(module.as_layer)
    heads = [layer.name for layer in chain[place + 1 :]]
    if not heads or (embeddings and chain[0].name != embeddings[0]):
        return None
    return recurrent(
        module.kind,
        module.layers,
        name=module.name,
        heads=heads,
        embedding=embeddings[0] if embeddings else None,
        before=[layer.name for layer in chain[:place] if layer.name not in embeddings],
        bidirectional=module.bidirectional,
        projected=module.projected,
        bias=module.bias,
        head_bias=biased == {True},
    )
