"""Modules with a rule of their own: kept whole while the model around them is exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rebasin_fast.specs.tracing.registry import Rule, module_rule_for

OPERATION = "rebasin_fast.opaque.default"


@dataclass(frozen=True)
class CallShape:
    """The results of one call of a module: the structure, and the shape and dtype of every tensor."""

    structure: Any
    tensors: tuple[tuple[tuple[int, ...], Any], ...]


@dataclass
class OpaqueModule:
    """A module that is one operation of the graph."""

    name: str
    module: Any
    rule: Rule
    names: tuple[str, ...]  # of its parameters and buffers
    calls: list[CallShape] = field(default_factory=list)  # in the order of one run of the model
    calls_made: int = 0


_MODULES: ContextVar[tuple[OpaqueModule, ...]] = ContextVar("modules kept whole", default=())


@contextmanager
def kept_whole(
    torch: Any, model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[tuple[OpaqueModule, ...]]:
    """Every module of ``model`` whose class has a rule is one operation in here.

    The model runs once before, for the shapes of their results: their code may branch on data.
    """
    found = tuple(_opaque_modules(model))
    if not found:
        yield found
        return
    _record_one_run(model, args, kwargs, found)
    operation = _operation(torch)
    for number, opaque in enumerate(found):
        opaque.module.forward = _replacement(torch, operation, number, opaque)
    token = _MODULES.set(found)
    try:
        yield found
    finally:
        _MODULES.reset(token)
        for opaque in found:
            del opaque.module.forward


def _record_one_run(
    model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], found: tuple[OpaqueModule, ...]
) -> None:
    from torch.utils._pytree import tree_flatten

    def watcher(opaque: OpaqueModule) -> Callable[..., None]:
        def watch(module: Any, given: Any, results: Any) -> None:
            leaves, structure = tree_flatten(results)
            opaque.calls.append(CallShape(structure, tuple((tuple(x.shape), x.dtype) for x in leaves)))

        return watch

    handles = [opaque.module.register_forward_hook(watcher(opaque)) for opaque in found]
    weightless = any(parameter.is_meta for parameter in model.parameters())
    try:
        for opaque in found if weightless else ():
            opaque.module.forward = _or_like_its_input(opaque.module.forward)
        model(*args, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
        for opaque in found if weightless else ():
            del opaque.module.forward


def _or_like_its_input(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A forward for the meta device, where routing cannot be decided: the result then has the shape of the input."""

    def attempt(*args: Any, **kwargs: Any) -> Any:
        try:
            return forward(*args, **kwargs)
        except (RuntimeError, NotImplementedError):
            return (*args, *kwargs.values())[0].clone()

    return attempt


def _opaque_modules(model: Any) -> Iterator[OpaqueModule]:
    inside: set[int] = set()
    for name, module in model.named_modules():
        rule = module_rule_for(type(module))
        if rule is None or id(module) in inside:
            continue
        inside.update(map(id, module.modules()))
        names = tuple(dict([*module.named_parameters(), *module.named_buffers()]))
        yield OpaqueModule(name, module, rule, names)


def _replacement(torch: Any, operation: Any, number: int, opaque: OpaqueModule) -> Callable[..., Any]:
    """A forward that is one operation on all input tensors and the module's own."""
    from torch.utils._pytree import tree_leaves, tree_unflatten

    def forward(*args: Any, **kwargs: Any) -> Any:
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        own = dict([*opaque.module.named_parameters(), *opaque.module.named_buffers()])
        # The exporter may run the model several times, each time with the same calls.
        call = opaque.calls_made % len(opaque.calls)
        opaque.calls_made += 1
        results = operation(tensors, [own[name] for name in opaque.names], number, call)
        return tree_unflatten(results, opaque.calls[call].structure)

    return forward


@lru_cache(maxsize=1)
def _operation(torch: Any) -> Any:
    """The operation in place of a module; it computes the shapes of its results alone."""
    library = torch.library.Library("rebasin_fast", "FRAGMENT")
    library.define("opaque(Tensor[] inputs, Tensor[] weights, int module, int call) -> Tensor[]")

    def empty(inputs: list[Any], weights: list[Any], module: int, call: int) -> list[Any]:
        like = (inputs or weights)[0]
        shapes = _MODULES.get()[module].calls[call].tensors
        return [like.new_empty(shape, dtype=dtype) for shape, dtype in shapes]

    torch.library.register_fake("rebasin_fast::opaque", empty, lib=library)
    _LIBRARIES.append(library)
    return torch.ops.rebasin_fast.opaque.default


# Kept alive: the operations of a library end with it.
_LIBRARIES: list[Any] = []
