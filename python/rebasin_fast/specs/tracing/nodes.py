"""Nodes of an exported graph: names, arguments, shapes of results, and tensors written in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Operations whose results hold entries of their first tensor, unchanged.
_MOVES = """
    alias channel_shuffle chunk clone contiguous detach expand flatten flip lift_fresh_copy movedim narrow permute
    reshape roll select slice split split_with_sizes squeeze t transpose unbind unflatten unsqueeze view _unsafe_view
"""


def only_moves(operation: str) -> bool:
    """Whether ``aten.view.default`` and the like give entries of their first tensor, unchanged."""
    return "." in operation and operation.split(".")[1] in _MOVES.split()


def operation_name(target: Any) -> str:
    """``aten.linear.default`` for an overload of an operation."""
    return str(target) if hasattr(target, "_schema") else str(getattr(target, "__name__", target))


def bound_arguments(target: Any, args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
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


def result_shapes(example: Any, torch: Any) -> Any:
    """A shape, or a list of shapes for several results; None where no tensor is returned."""
    if isinstance(example, torch.Tensor):
        return tuple(int(size) for size in example.shape)
    if isinstance(example, list | tuple):
        found = [result_shapes(item, torch) for item in example]
        return found if any(shape is not None for shape in found) else None
    return None


def used_results(node: Any) -> frozenset[int]:
    """Numbers of the results that some node reads."""
    picked = [user for user in node.users if getattr(user.target, "__name__", "") == "getitem" and user.users]
    return frozenset(int(user.args[1]) for user in picked)


def written_nodes(graph: Any) -> set[Any]:
    """Nodes of tensors that are written to later, and of all views of them, which change alike."""
    root, writes = _roots_and_writes(graph)
    return {node for node, origin in root.items() if origin in writes}


def stale_nodes(graph: Any) -> set[Any]:
    """Nodes that are read after a later node has written to their tensor."""
    root, writes = _roots_and_writes(graph)
    place = {node: number for number, node in enumerate(graph.nodes)}
    stale = set()
    for node, origin in root.items():
        later = [place[write] for write in writes.get(origin, ()) if place[write] > place[node]]
        if later and any(place[user] > min(later) for user in node.users):
            stale.add(node)
    return stale


def _roots_and_writes(graph: Any) -> tuple[dict[Any, Any], dict[Any, list[Any]]]:
    """For each node the node that its tensor was made by, and for those the nodes that write to it."""
    root: dict[Any, Any] = {}
    writes: dict[Any, list[Any]] = {}
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
                writes.setdefault(root[given], []).append(node)
            if returned & argument.alias_info.before_set:
                root[node] = root[given]
    return root, writes
