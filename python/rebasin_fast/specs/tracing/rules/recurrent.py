"""Fused recurrent layers: hidden units stand on both axes of the recurrent weight."""

from __future__ import annotations

from functools import partial

import numpy as np

from rebasin_fast.specs.tracing.algebra.forms import Var
from rebasin_fast.specs.tracing.algebra.values import Group, Value, values_in
from rebasin_fast.specs.tracing.registry import Call, rule
from rebasin_fast.specs.tracing.rules.elementwise import combine

_GATES = {"lstm": 4, "gru": 3, "rnn": 1}  # stacked in the weights


def _gates(call: Call) -> int:
    """4 for ``aten.lstm.input``."""
    return _GATES[call.operation.removeprefix("aten.")[:4].rstrip("._")]


@rule("aten.lstm_cell")
def lstm_cell(call: Call) -> list[Value]:
    """One step: the state and the memory."""
    result = _step(call, call["hx"])
    return [result, result]


@rule("aten.gru_cell", "aten.rnn_tanh_cell", "aten.rnn_relu_cell")
def cell(call: Call) -> Value:
    """One step: the state."""
    return _step(call, [call.value("hx")])


def _step(call: Call, states: list[Value]) -> Value:
    """The state after one step, on the axes of the states before it."""
    value = call.input
    units, _ = _cell(call, call.axis(value, -1), call.given("w_ih", "w_hh", "b_ih", "b_hh"))
    for tensor in states:
        call.unify(call.axis(tensor, -1), units)
    last = len(states[0].shape) - 1
    tied = combine(call, [*states, _lead_of(value, states[0].shape)], states[0].shape)
    groups = [group for group in tied.groups if last not in group.axes]
    return Value(states[0].shape, [*groups, Group(units, (last,))] if states[0].shape[last] > 1 else groups)


def _lead_of(value: Value, shape: tuple[int, ...]) -> Value:
    """``value`` without its last axis, as one entry."""
    last = len(shape) - 1
    return Value((*shape[:last], 1), [group for group in value.groups if last not in group.axes])


@rule("aten.lstm.input", "aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input")
def recurrent(call: Call) -> list[Value]:
    """Layers in one or both directions: the outputs of every step, and the states after the last."""
    value, states = call.input, values_in(call["hx"])
    params: list[Value] = list(call["params"])
    directions = 2 if call["bidirectional"] else 1
    layers = int(call["num_layers"])
    per_cell = len(params) // (layers * directions)
    for axis in range(len(value.shape) - 1):
        call.freeze_axis(value, axis)
    inputs: Var | None = call.axis(value, -1)
    states_of: list[Var] = []
    outputs_of: list[Var] = []
    for layer in range(layers):
        outputs = []
        for direction in range(directions):
            cell = (layer * directions + direction) * per_cell
            state, output = _cell(call, inputs, params[cell : cell + per_cell])
            states_of.append(state)
            outputs.append(output)
        outputs_of += outputs
        inputs = call.space.as_axis(call.algebra.concat(outputs))
    followed = (outputs_of, states_of)[: len(states)]
    for tensor, hidden in zip(states, followed, strict=True):
        _tie_states(call, tensor, hidden)
    return [_sequence(call, inputs), *map(partial(_last_states, call), followed, call.shapes[1:])]


def _cell(call: Call, inputs: Var | None, params: list[Value]) -> tuple[Var, Var]:
    """Tie the parameters of one layer in one direction; its hidden units and its outputs."""
    algebra, gates = call.algebra, _gates(call)
    from_input, from_hidden = params[:2]
    units = from_hidden.shape[0] // gates
    state = algebra.leaf(units)
    stacked = algebra.product(algebra.frozen(gates, call.reason), state) if gates > 1 else state
    for tensor in params:
        if tensor.shape[0] == gates * units:
            call.unify(call.axis(tensor, 0), stacked)
    call.unify(call.axis(from_input, 1), inputs)
    output = state
    if from_hidden.shape[1] != units:  # projected: the last parameter maps hidden units to outputs
        output = algebra.leaf(from_hidden.shape[1])
        projection = params[-1]
        call.unify(call.axis(projection, 0), output)
        call.unify(call.axis(projection, 1), state)
        call.produced(output, projection)
    call.unify(call.axis(from_hidden, 1), output)
    for units_of in (
        call.space.as_axis(state),
        output,
    ):  # the next step reads them, whether or not they are returned
        call.space.consume(call.space.whole(units_of, 0))
    call.produced(state, from_input)
    return state, output


def _tie_states(call: Call, tensor: Value, hidden: list[Var]) -> None:
    """Given initial states stand on the hidden units of every layer."""
    if len(hidden) > 1:
        call.freeze_axis(tensor, 0)
    x = call.axis(tensor, -1)
    for state in hidden:
        call.unify(x, state)


def _sequence(call: Call, outputs: Var | None) -> Value:
    """The outputs of every step; steps and batch stay."""
    shape = call.shapes[0]
    last = len(shape) - 1
    groups = call.space.frozen_groups(range(last), shape, call.reason)
    if outputs is not None and shape[last] > 1:
        groups.append(Group(outputs, (last,)))
    return Value(shape, groups)


def _last_states(call: Call, hidden: list[Var], shape: tuple[int, ...]) -> Value:
    """The states after the last step: an axis of cells, and each cell's own units."""
    units = len(shape) - 1
    base = call.algebra.concat(hidden)
    positions = np.arange(call.algebra.size(base)).reshape(len(hidden), -1)
    own = Group(base, (units,)) if len(hidden) == 1 else Group(base, (0, units), positions)
    return Value(shape, [*call.space.frozen_groups(range(1, units), shape, call.reason), own])
