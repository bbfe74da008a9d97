"""The rules, by the name of their operation or module, and the call that a rule gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast.specs.tracing.algebra.forms import Reason, Var
from rebasin_fast.specs.tracing.algebra.values import Group, Space, Value, values_in
from rebasin_fast.specs.tracing.algebra.variables import Algebra
from rebasin_fast.specs.tracing.contraction import Contraction

Result = Any  # Value, or a sequence of them
Rule = Callable[["Call"], Result]

_RULES: dict[str, Rule] = {}
_MODULE_RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for operations: ``aten.linear.default`` for one overload, ``aten.linear`` for all.

    The rule of ``aten.relu`` stands for the in-place ``aten.relu_`` too.
    """
    return _registering(_RULES, names)


def module_rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for modules, by the full names of their classes: ``package.module.Class``."""
    return _registering(_MODULE_RULES, names)


def _registering(rules: dict[str, Rule], names: tuple[str, ...]) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        rules.update(dict.fromkeys(names, function))
        return function

    return register


def module_rule_for(cls: type) -> Rule | None:
    """The rule of a class, or of the nearest class that it is derived from."""
    found = (_MODULE_RULES.get(full_name(base)) for base in cls.__mro__)
    return next((rule for rule in found if rule is not None), None)


def full_name(cls: type) -> str:
    """``package.module.Class``."""
    return f"{cls.__module__}.{cls.__qualname__}"


@_arguments.checked()
def register_rule(target: str | type, rule: Rule | None) -> None:
    """Register a rule for an operation, or for the modules of a class.

    Parameters
    ----------
    target : str or type
        The name of an operation (``mylib.myop.default``, or ``mylib.myop`` for all overloads), or a subclass of
        ``torch.nn.Module``. Modules of that class are opaque while a model is traced.
    rule : callable or None
        ``rule(call)`` gets a :class:`Call` and returns a :class:`Value` for each tensor that comes out (a list for
        several). It ties axes with ``call.unify(x, y)`` and freezes them with ``call.freeze_axis``. For a module,
        ``call.inputs`` are the tensors that go in and ``call.parameters`` its own by name. None removes the rule.

    Notes
    -----
    The tracer does not check a rule; ``verify`` proves the spec.

    Examples
    --------
    >>> import torch, rebasin_fast as rf
    >>> from rebasin_fast.tracing import Value, register_rule
    >>> class Scale(torch.nn.Module):
    ...     def __init__(self, n):
    ...         super().__init__()
    ...         self.scale = torch.nn.Parameter(torch.ones(n))
    ...     def forward(self, x):
    ...         return x * self.scale
    >>> def rule(call):
    ...     x = call.inputs[0]
    ...     call.unify(call.axis(x, -1), call.axis(call.parameters["scale"], 0))
    ...     return Value(x.shape, list(x.groups))
    >>> register_rule(Scale, rule)
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 5), Scale(5), torch.nn.Linear(5, 2))
    >>> rf.trace_spec(model, torch.zeros(1, 3)).axes_to_perm["1.scale"]
    ('0',)
    >>> register_rule(Scale, None)
    """
    if isinstance(target, type) and not hasattr(target, "forward"):
        raise TypeError(
            f"target is the name of an operation, or a subclass of torch.nn.Module; got {target!r}"
        )
    rules, name = (_RULES, target) if isinstance(target, str) else (_MODULE_RULES, full_name(target))
    if rule is None:
        rules.pop(name, None)
    else:
        rules[name] = rule


def rule_for(name: str) -> Rule | None:
    """The rule of operation ``aten.add_.Tensor``: by its full name, its packet, or without the in-place mark."""
    packet, _, _ = name.rpartition(".")
    for candidate in (name, packet, packet.removesuffix("_")):
        if candidate in _RULES:
            return _RULES[candidate]
    return None


@dataclass
class Trace:
    """Records of the rules while a graph is interpreted."""

    space: Space
    producers: dict[Var, str] = field(default_factory=dict)
    sums: list[Var] = field(default_factory=list)
    block_constraints: list[tuple[Var, int, Reason]] = field(default_factory=list)
    name_hints: dict[Var, str] = field(default_factory=dict)
    contractions: list[Contraction] = field(default_factory=list)


@dataclass
class Call:
    """One operation of the graph: its arguments by name, with values for tensors, and the shapes it returns."""

    trace: Trace
    operation: str
    arguments: Mapping[str, Any]
    shapes: Any  # shape of the result, or a list of shapes
    reason: Reason
    inputs: list[Value] = field(default_factory=list)  # of a module with a rule of its own
    parameters: dict[str, Value] = field(default_factory=dict)
    module: Any = None

    @property
    def space(self) -> Space:
        """The space of all values."""
        return self.trace.space

    @property
    def algebra(self) -> Algebra:
        """The algebra of all axes."""
        return self.trace.space.algebra

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the one tensor that is returned."""
        if not isinstance(self.shapes, tuple):
            raise TypeError(f"{self.operation} returns several tensors")
        return self.shapes

    def __getitem__(self, name: str) -> Any:
        return self.arguments.get(name)

    def has(self, name: str) -> bool:
        """Whether the argument was given, and is not None."""
        return self.arguments.get(name) is not None

    def value(self, name: str) -> Value:
        """A tensor argument."""
        found = self.arguments[name]
        if not isinstance(found, Value):
            raise TypeError(f"{self.operation}: {name} is {found!r}, no tensor")
        return found

    def given(self, *names: str) -> list[Value]:
        """The tensor arguments of these names that were given."""
        return [self.value(name) for name in names if self.has(name)]

    @property
    def input(self) -> Value:
        """The tensor that the operation is applied to."""
        return self.value("self" if "self" in self.arguments else "input")

    def result(self, groups: Iterable[Group], frozen: Iterable[int] = ()) -> Value:
        """The one tensor that is returned: ``groups``, and the axes ``frozen`` on which nothing moves."""
        return Value(self.shape, [*groups, *self.space.frozen_groups(frozen, self.shape, self.reason)])

    def freeze_all(self, reason: Reason | None = None) -> Result:
        """Freeze every tensor argument, and return frozen results."""
        reason = reason or self.reason
        for value in values_in(self.arguments):
            self.space.freeze(value, reason)
        if isinstance(self.shapes, tuple):
            return self.space.frozen(self.shapes, reason)
        return [None if shape is None else self.space.frozen(shape, reason) for shape in self.shapes]

    def axis(self, value: Value, axis: int) -> Var | None:
        """The variable of one axis; None when it is uniform."""
        return self.space.axis(value, axis, self.reason)

    def unify(self, x: Var | None, y: Var | None) -> Var | None:
        """One variable for two axes that move alike."""
        return self.space.unify(x, y, self.reason)

    def freeze_axis(self, value: Value, axis: int) -> None:
        """Freeze ``axis``, with this operation as the reason."""
        self.space.freeze_axis(value, axis, self.reason)

    def freeze(self, value: Value) -> None:
        """Freeze ``value``, with this operation as the reason."""
        self.space.freeze(value, self.reason)

    def produced(self, x: Var | None, weight: Value) -> None:
        """The parameter ``weight`` produces the units of ``x``, and names them."""
        if x is not None and weight.parameter is not None:
            self.trace.producers.setdefault(x, weight.parameter)
