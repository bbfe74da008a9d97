"""Goes through a graph once and applies the rule of every operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rebasin_fast._models.inference import import_torch
from rebasin_fast.specs.tracing.algebra.values import Group, Space, Value
from rebasin_fast.specs.tracing.algebra.variables import Algebra, Reason
from rebasin_fast.specs.tracing.graph import Program, reason_at
from rebasin_fast.specs.tracing.opaque import OPERATION
from rebasin_fast.specs.tracing.registry import Call, Rule, Trace, full_name, rule_for

# Larger constants are not looked through for uniform axes.
_LARGEST_CONSTANT = 1 << 22


# Operations whose results hold entries of their first tensor, unchanged.
_MOVES = """
    alias channel_shuffle chunk clone contiguous detach expand flatten flip lift_fresh_copy movedim narrow permute
    reshape roll select slice split split_with_sizes squeeze t transpose unbind unflatten unsqueeze view _unsafe_view
"""


class Interpreter:
    """Follows the axes of every tensor of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.trace = Trace(Space(Algebra()))
        self.parameters = {
            name: self._parameter(name, shape)
            for name, shape in program.shapes.items()
            if name not in program.twins
        }
        self.used: set[str] = set()
        self.sources: dict[str, str] = {}
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
            for value in _values_in(values[node]):
                self.trace.space.freeze(value, reason)

    # --- inputs --------------------------------------------------------------------------------------------------

    def _parameter(self, name: str, shape: tuple[int, ...]) -> Value:
        space = self.trace.space
        groups = [Group(space.saw(space.algebra.leaf(n)), (axis,)) for axis, n in enumerate(shape) if n > 1]
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
        """A tensor that no state_dict holds: it stands still, but for axes along which it is uniform."""
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
        """What the graph returns; ``values`` takes what every node does."""
        written = _written(graph)
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
        found = module
        for part in node.target.split("."):
            found = getattr(found, part)
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
        shapes = _shapes(example, self._torch)
        if shapes is None:
            return example
        call = Call(
            self.trace,
            _name(node.target),
            {**_bound(node.target, args, kwargs), "written": written, "used": _used_results(node)},
            shapes,
            reason_at(node, _name(node.target)),
        )
        self._tell_written_apart(node, call)
        rule = self._opaque_rule(call) if call.operation == OPERATION else rule_for(call.operation)
        for value in _values_in(call.arguments):
            if value.parameter is not None:
                self.sources.setdefault(value.parameter, call.reason.source)
        taken = tuple(group for value in _values_in(call.arguments) for group in value.groups)
        result = self._checked(call, _ruled(call, rule))
        if not _only_moves(call):
            given = tuple(group for value in _values_in(result) for group in value.groups)
            self.trace.space.reads.append((taken, given))
        return result

    def _tell_written_apart(self, node: Any, call: Call) -> None:
        """What is written to a part of a tensor sets that part off from the rest."""
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
        """The results have the shapes that torch says; axes that are written through a view have variables."""
        if call["written"] and isinstance(result, Value):
            for axis, size in enumerate(result.shape):
                if size > 1 and result.group_at(axis) is None:
                    result.groups.append(Group(call.algebra.leaf(size), (axis,)))
        moved = _only_moves(call)
        for value in _values_in(result):
            call.space.record(value)
            if not moved:
                self._computed += 1
                value.groups = [replace(group, source=self._computed) for group in value.groups]
        return result

    def _map(self, argument: Any, values: Mapping[Any, Any]) -> Any:
        if isinstance(argument, self._torch.fx.Node):
            return values[argument]
        if isinstance(argument, list | tuple):
            return type(argument)(self._map(item, values) for item in argument)
        if isinstance(argument, Mapping):
            return {key: self._map(item, values) for key, item in argument.items()}
        return argument


def _used_results(node: Any) -> frozenset[int]:
    """Which of several results anything reads."""
    picked = [user for user in node.users if getattr(user.target, "__name__", "") == "getitem" and user.users]
    return frozenset(int(user.args[1]) for user in picked)


def _only_moves(call: Call) -> bool:
    return "." in call.operation and call.operation.split(".")[1] in _MOVES.split()


def _ruled(call: Call, rule: Rule | None) -> Any:
    """What the operation's rule says; without a rule nothing moves."""
    if rule is None:
        return _still(
            call, Reason(f"{call.operation}, which has no rule", call.reason.node, call.reason.source)
        )
    try:
        result = rule(call)
        _check_shapes(result, call.shapes)
        return result
    except (KeyError, IndexError, TypeError, ValueError, AssertionError) as error:
        told = f"{call.operation}, whose rule cannot read this call ({type(error).__name__}: {error})"
        return _still(call, Reason(told, call.reason.node, call.reason.source))


def _check_shapes(result: Any, shapes: Any) -> None:
    """The results have the shapes that torch says."""
    if isinstance(shapes, tuple):
        if not isinstance(result, Value) or result.shape != shapes:
            raise AssertionError(f"shape {getattr(result, 'shape', None)}, torch says {shapes}")
        return
    if len(result) < sum(shape is not None for shape in shapes):
        raise AssertionError(f"{len(result)} results, torch says {len(shapes)}")


def _still(call: Call, reason: Reason) -> Any:
    for value in _values_in(call.arguments):
        call.space.freeze(value, reason)
    if isinstance(call.shapes, tuple):
        return call.space.frozen(call.shapes, reason)
    return [call.space.frozen(shape, reason) if shape is not None else None for shape in call.shapes]


def _values_in(argument: Any) -> list[Value]:
    if isinstance(argument, Value):
        return [argument]
    if isinstance(argument, Mapping):
        argument = list(argument.values())
    if isinstance(argument, list | tuple):
        return [value for item in argument for value in _values_in(item)]
    return []


def _shapes(example: Any, torch: Any) -> Any:
    """A shape, or a list of shapes for several results; None where no tensor is returned."""
    if isinstance(example, torch.Tensor):
        return tuple(int(size) for size in example.shape)
    if isinstance(example, list | tuple):
        found = [_shapes(item, torch) for item in example]
        return found if any(shape is not None for shape in found) else None
    return None


def _name(target: Any) -> str:
    """``aten.linear.default`` for an overload of an operation."""
    return str(target) if hasattr(target, "_schema") else str(getattr(target, "__name__", target))


def _bound(target: Any, args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by the names of the schema."""
    schema = getattr(target, "_schema", None)
    if schema is None:
        return {**{str(i): arg for i, arg in enumerate(args)}, **kwargs}
    bound = {}
    for i, argument in enumerate(schema.arguments):
        if i < len(args):
            bound[argument.name] = args[i]
        elif argument.name in kwargs:
            bound[argument.name] = kwargs[argument.name]
        elif argument.has_default_value():
            bound[argument.name] = argument.default_value
    return bound


def _written(graph: Any) -> set[Any]:
    """Nodes of tensors that are later written to, and all views of those: what is written shows in every one."""
    root: dict[Any, Any] = {}
    written = set()
    for node in graph.nodes:
        root[node] = node
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            if node.op == "call_function" and node.args and getattr(node.target, "__name__", "") == "getitem":
                root[node] = root.get(node.args[0], node.args[0])
            continue
        returned = {mark for r in schema.returns if r.alias_info for mark in r.alias_info.before_set}
        for argument, given in zip(schema.arguments, node.args, strict=False):
            if argument.alias_info is None or not hasattr(given, "op"):
                continue
            if argument.alias_info.is_write and not str(node.target).startswith("aten.detach_"):
                written.add(root[given])
            if returned & argument.alias_info.before_set:
                root[node] = root[given]
    return {node for node, origin in root.items() if origin in written}


def _uniform_along(tensor: Any, axis: int) -> bool:
    first = tensor.narrow(axis, 0, 1)
    return bool((tensor == first).all())
