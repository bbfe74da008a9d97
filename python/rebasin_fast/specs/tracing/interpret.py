"""Abstract interpretation of an exported graph: the rule of every operation, applied once in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any

from rebasin_fast._models.inference import import_torch
from rebasin_fast.specs.tracing.algebra.forms import Reason
from rebasin_fast.specs.tracing.algebra.values import Group, Space, Value, values_in
from rebasin_fast.specs.tracing.algebra.variables import Algebra
from rebasin_fast.specs.tracing.graph import Program, reason_at
from rebasin_fast.specs.tracing.nodes import (
    bound_arguments,
    only_moves,
    operation_name,
    result_shapes,
    stale_nodes,
    used_results,
    written_nodes,
)
from rebasin_fast.specs.tracing.opaque import OPERATION
from rebasin_fast.specs.tracing.record import Executed, snapshots
from rebasin_fast.specs.tracing.registry import Call, Rule, Trace, full_name, rule_for

# Larger constants are not searched for uniform axes.
_LARGEST_CONSTANT = 1 << 22


class Interpreter:
    """Follows the axes of every tensor of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.trace = Trace(Space(Algebra()))
        self.parameters = {
            name: self._parameter(name, shape)
            for name, shape in program.shapes.items()
            if name not in program.tied
        }
        self.used: set[str] = set()
        self.sources: dict[str, str] = {}
        self.executed: list[Executed] = []
        self.outputs: list[Value] = []
        self._stale: set[Any] = set()
        self._torch = import_torch("trace_spec")
        self._computed = 0  # operations so far, of which each makes entries of its own

    def run(self) -> None:
        """Apply all rules; inputs and outputs are frozen."""
        inputs = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        values: dict[Any, Any] = {}
        self._run_graph(self.program.graph, [self._placeholder(node) for node in inputs], values)
        (output,) = [node for node in self.program.graph.nodes if node.op == "output"]
        for node in output.all_input_nodes:
            reason = reason_at(node, "output of the model")
            for value in values_in(values[node]):
                self.outputs.append(value)
                self.trace.space.freeze(value, reason)

    # --- inputs --------------------------------------------------------------------------------------------------

    def _parameter(self, name: str, shape: tuple[int, ...]) -> Value:
        space = self.trace.space
        groups = [
            Group(space.as_axis(space.algebra.leaf(n)), (axis,)) for axis, n in enumerate(shape) if n > 1
        ]
        value = Value(shape, groups, parameter=name)
        space.record(value)
        return value

    def _placeholder(self, node: Any) -> Any:
        name = self.program.parameters.get(node.name)
        if name is not None:
            if node.users:
                self.used.add(name)
            return self.parameters[name]
        if node.name in self.program.constants:
            return self._constant(self.program.constants[node.name], node)
        return self._input(node.meta.get("val"))

    def _input(self, example: Any) -> Any:
        if not isinstance(example, self._torch.Tensor):
            return example
        return self.trace.space.frozen(tuple(example.shape), Reason("input of the model"))

    def _constant(self, tensor: Any, node: Any) -> Any:
        """A tensor in no state_dict: frozen, but for axes along which it is uniform."""
        example = node.meta.get("val", tensor)
        if not isinstance(example, self._torch.Tensor):
            return example
        value = self.trace.space.frozen(tuple(example.shape), Reason("constant of the model", node.name))
        value.constant = True
        if self._readable(tensor):
            value.groups = [group for group in value.groups if not _uniform_along(tensor, group.axes[0])]
        return value

    def _readable(self, tensor: Any) -> bool:
        if not isinstance(tensor, self._torch.Tensor) or tensor.device.type == "meta":
            return False
        plain = type(tensor) in (self._torch.Tensor, self._torch.nn.Parameter)
        return plain and tensor.numel() <= _LARGEST_CONSTANT

    # --- operations ----------------------------------------------------------------------------------------------

    def _run_graph(self, graph: Any, inputs: list[Any], values: dict[Any, Any]) -> Any:
        """The values that the graph returns; ``values`` takes those of every node."""
        written, self._stale = written_nodes(graph), stale_nodes(graph)
        given = iter(inputs)
        for node in graph.nodes:
            if node.op == "placeholder":
                values[node] = next(given)
            elif node.op == "get_attr":
                values[node] = self._attribute(graph.owning_module, node)
            elif node.op == "output":
                return self._map(node.args[0], values)
            else:
                values[node] = self._apply(node, values, node in written)
        return None

    def _attribute(self, module: Any, node: Any) -> Any:
        found = attrgetter(node.target)(module)
        return self._constant(found, node) if isinstance(found, self._torch.Tensor) else found

    def _apply(self, node: Any, values: Mapping[Any, Any], written: bool) -> Any:
        args = self._map(node.args, values)
        kwargs = self._map(node.kwargs, values)
        if getattr(node.target, "__name__", "") == "getitem":
            return args[0][args[1]]
        module = next((arg for arg in args if isinstance(arg, self._torch.fx.GraphModule)), None)
        if module is not None:  # a block under no_grad or autocast
            rest = list(args[args.index(module) + 1 :])
            return self._run_graph(module.graph, rest, {})
        example = node.meta.get("val")
        shapes = result_shapes(example, self._torch)
        if shapes is None:
            return example
        call = Call(
            self.trace,
            operation_name(node.target),
            {**bound_arguments(node.target, args, kwargs), "written": written, "used": used_results(node)},
            shapes,
            reason_at(node, operation_name(node.target)),
        )
        self._separate_written(node, call)
        rule = self._opaque_rule(call) if call.operation == OPERATION else rule_for(call.operation)
        for value in values_in(call.arguments):
            if value.parameter is not None:
                self.sources.setdefault(value.parameter, call.reason.source)
        taken = tuple(group for value in values_in(call.arguments) for group in value.groups)
        known = len(self.trace.contractions)
        result = self._checked(call, _ruled(call, rule))
        contractions = tuple(self.trace.contractions[known:])
        taken_now, given_now = snapshots(call.arguments), snapshots(result)
        self.executed.append(Executed(call, taken_now, given_now, contractions, node in self._stale))
        if not only_moves(call.operation):
            given = tuple(group for value in values_in(result) for group in value.groups)
            self.trace.space.operations.append((taken, given))
        return result

    def _separate_written(self, node: Any, call: Call) -> None:
        """A part of a tensor that is written to is separated from the rest."""
        schema = getattr(node.target, "_schema", None)
        for argument in schema.arguments if schema is not None else ():
            target = call[argument.name]
            if argument.alias_info is not None and argument.alias_info.is_write and isinstance(target, Value):
                for group in target.groups:
                    if group.positions is not None:
                        call.space.flat(group)

    def _opaque_rule(self, call: Call) -> Rule:
        opaque = self.program.modules[call["module"]]
        call.inputs = list(call["inputs"])
        call.parameters = dict(zip(opaque.names, call["weights"], strict=True))
        call.module = opaque.module
        call.operation = full_name(type(opaque.module))
        call.reason = Reason(f"the rule of {call.operation}", call.reason.node, call.reason.source)

        def rule(call: Call) -> list[Value]:
            result = opaque.rule(call)
            return [result] if isinstance(result, Value) else list(result)

        return rule

    def _checked(self, call: Call, result: Any) -> Any:
        """The results have the shapes of the exported program; axes that are written through a view have variables."""
        if call["written"] and isinstance(result, Value):
            for axis, size in enumerate(result.shape):
                if size > 1 and result.group_at(axis) is None:
                    result.groups.append(Group(call.algebra.leaf(size), (axis,)))
        moved = only_moves(call.operation)
        for value in values_in(result):
            call.space.record(value)
            if not moved:
                self._computed += 1
                value.groups = [replace(group, source=self._computed) for group in value.groups]
        return result

    def _map(self, argument: Any, values: Mapping[Any, Any]) -> Any:
        """``argument`` with the values of the nodes in it."""
        return self._torch.fx.node.map_arg(argument, values.__getitem__)


def _ruled(call: Call, rule: Rule | None) -> Any:
    """The results by the operation's rule; without a rule nothing moves."""
    if rule is None:
        return call.freeze_all(replace(call.reason, operation=f"{call.operation}, which has no rule"))
    try:
        result = rule(call)
        _check_shapes(result, call.shapes)
        return result
    except (KeyError, IndexError, TypeError, ValueError, AssertionError) as error:
        fault = f"{call.operation}, whose rule cannot read this call ({type(error).__name__}: {error})"
        return call.freeze_all(replace(call.reason, operation=fault))


def _check_shapes(result: Any, shapes: Any) -> None:
    """The results have the shapes of the exported program."""
    if isinstance(shapes, tuple):
        if not isinstance(result, Value) or result.shape != shapes:
            raise AssertionError(f"shape {getattr(result, 'shape', None)}, expected {shapes}")
        return
    if len(result) < sum(shape is not None for shape in shapes):
        raise AssertionError(f"{len(result)} results, expected {len(shapes)}")


def _uniform_along(tensor: Any, axis: int) -> bool:
    first = tensor.narrow(axis, 0, 1)
    return bool((tensor == first).all())
