"""Fused recurrent layers: hidden units stand on both axes of the recurrent weight."""

from __future__ import annotations

from functools import partial

import numpy as np

from rebasin_fast.specs.tracing.algebra.values import Group, Value
from rebasin_fast.specs.tracing.algebra.variables import Var
from rebasin_fast.specs.tracing.registry import Call, rule
from rebasin_fast.specs.tracing.rules.elementwise import combine


@rule("aten.lstm.input")
def lstm(call: Call) -> list[Value]:
    """Four gates, stacked."""
    return _recurrent(call, 4, list(call["hx"]))


@rule("aten.gru.input")
def gru(call: Call) -> list[Value]:
    """Three gates, stacked."""
    return _recurrent(call, 3, [call["hx"]])


@rule("aten.rnn_tanh.input", "aten.rnn_relu.input")
def rnn(call: Call) -> list[Value]:
    """One gate."""
    return _recurrent(call, 1, [call["hx"]])


@rule("aten.lstm_cell")
def lstm_cell(call: Call) -> list[Value]:
    """One step of four gates: the state and the memory."""
    state, memory = call["hx"]
    result = _step(call, 4, [state, memory])
    return [result, result]


@rule("aten.gru_cell")
def gru_cell(call: Call) -> Value:
    """One step of three gates."""
    return _step(call, 3, [call.value("hx")])


@rule("aten.rnn_tanh_cell", "aten.rnn_relu_cell")
def rnn_cell(call: Call) -> Value:
    """One step of one gate."""
    return _step(call, 1, [call.value("hx")])


def _step(call: Call, gates: int, states: list[Value]) -> Value:
    """The state after one step, on the axes of the states before it."""
    value = call.value("input")
    params = [call.value(name) for name in ("w_ih", "w_hh", "b_ih", "b_hh") if call.has(name)]
    units, _ = _cell(call, gates, call.axis(value, -1), params)
    for tensor in states:
        call.unify(call.axis(tensor, -1), units)
    last = len(states[0].shape) - 1
    tied = combine(call, [*states, _lead_of(value, states[0].shape)], states[0].shape)
    groups = [group for group in tied.groups if last not in group.axes]
    result = Value(states[0].shape, [*groups, Group(units, (last,))] if states[0].shape[last] > 1 else groups)
    call.space.record(result)
    return result


def _lead_of(value: Value, shape: tuple[int, ...]) -> Value:
    """``value`` without its last axis, as one entry."""
    last = len(shape) - 1
    return Value((*shape[:last], 1), [group for group in value.groups if last not in group.axes])


def _recurrent(call: Call, gates: int, states: list[Value]) -> list[Value]:
    value = call.value("input")
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
            state, output = _cell(call, gates, inputs, params[cell : cell + per_cell])
            states_of.append(state)
            outputs.append(output)
        outputs_of += outputs
        inputs = call.space.saw(call.algebra.concat(outputs))
    followed = (outputs_of, states_of)[: len(states)]
    for tensor, hidden in zip(states, followed, strict=True):
        _tie_states(call, tensor, hidden)
    return [_sequence(call, inputs), *map(partial(_last_states, call), followed, call.shapes[1:])]


def _cell(call: Call, gates: int, inputs: Var | None, params: list[Value]) -> tuple[Var, Var]:
    """Tie the parameters of one layer in one direction; its hidden units, and what it gives."""
    algebra = call.algebra
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
    for units_of in (call.space.saw(state), output):  # the next step reads them, whatever is given
        call.space.read(call.space.whole(units_of, 0))
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
    """What every step gives; steps and batch stay."""
    shape = call.shapes[0]
    result = call.space.frozen(shape, call.reason)
    last = len(shape) - 1
    result.groups = [group for group in result.groups if group.axes != (last,)]
    if outputs is not None and shape[last] > 1:
        result.groups.append(Group(outputs, (last,)))
    call.space.record(result)
    return result


def _last_states(call: Call, hidden: list[Var], shape: tuple[int, ...]) -> Value:
    """The states after the last step: an axis of cells, and each cell's own units."""
    result = call.space.frozen(shape, call.reason)
    cells, units = 0, len(shape) - 1
    result.groups = [group for group in result.groups if group.axes[0] not in (cells, units)]
    base = call.algebra.concat(hidden)
    positions = np.arange(call.algebra.size(base)).reshape(len(hidden), -1)
    if len(hidden) == 1:
        result.groups.append(Group(base, (units,)))
    else:
        result.groups.append(Group(base, (cells, units), positions))
    return result
