"""A model as a graph of ATen operations, with the names of its parameters."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

from rebasin_fast._arrays import find_ties
from rebasin_fast._models.inference import check_model, evaluating, import_torch, uncompiled
from rebasin_fast.errors import MissingDependencyError, SpecError
from rebasin_fast.specs.tracing.algebra.forms import Reason
from rebasin_fast.specs.tracing.opaque import OpaqueModule, kept_whole

# The oldest version that the tests of tracing pass with.
OLDEST_TORCH = (2, 6)

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


@dataclass(frozen=True)
class Program:
    """An exported graph: which placeholder is which parameter, which tensor is a constant."""

    graph: Any  # torch.fx.Graph
    parameters: Mapping[str, str]  # placeholder -> the first of the names of its tensor in the state_dict
    constants: Mapping[str, Any]  # placeholder -> tensor that is in no state_dict
    shapes: Mapping[str, tuple[int, ...]]  # of every entry of the state_dict
    tied: Mapping[str, str]  # a further name of a shared tensor -> its first name
    buffers: frozenset[str]  # names that are not trained
    modules: tuple[OpaqueModule, ...] = ()


def export_program(model: Any, example_inputs: Any, strict: bool | None) -> Program:
    """Export ``model`` in eval mode; it may lie on the meta device.

    Raises
    ------
    MissingDependencyError
        PyTorch is not installed, or older than 2.6.
    SpecError
        torch.export fails; the message quotes its errors.
    """
    torch = import_torch("trace_spec")
    _check_version(torch)
    check_model(model, "model")
    args, kwargs = split_inputs(example_inputs)
    with (
        evaluating(model),
        _own_tensors(torch, model),
        uncompiled(model),
        kept_whole(torch, model, args, kwargs) as modules,
        _quiet(),
    ):
        exported = _export(torch, model, args, kwargs, strict)
    return _program(model, exported, modules)


def _check_version(torch: Any) -> None:
    """Graphs of older versions lack arguments that rules need: permutations would be missed without an error."""
    release = tuple(int(digits) for digits in re.findall(r"\d+", torch.__version__)[:2])
    if release < OLDEST_TORCH:
        oldest = ".".join(map(str, OLDEST_TORCH))
        raise MissingDependencyError(
            f"trace_spec needs PyTorch {oldest} or later; {torch.__version__} is installed. Upgrade it (pip install "
            f"--upgrade 'torch>={oldest}'), take a ready spec, or write one and prove it with its verify()"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """torch.export prints long logs of a failure; the error quotes the first line."""
    names = ["torch", *(name for name in logging.root.manager.loggerDict if name.startswith("torch."))]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _own_tensors(torch: Any, model: Any) -> Iterator[None]:
    """Tensors that modules keep as attributes, as hooks do, are restored: some versions leave tensors of the trace."""
    kept = [
        (module, name, value)
        for module in model.modules()
        for name, value in vars(module).items()
        if isinstance(value, torch.Tensor)
    ]
    try:
        yield
    finally:
        for module, name, value in kept:
            module.__dict__[name] = value


def split_inputs(example_inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments: one tensor, a tuple, or a mapping."""
    if isinstance(example_inputs, Mapping):
        return (), dict(example_inputs)
    return (example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)), {}


def _export(
    torch: Any, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], strict: bool | None
) -> Any:
    failures = []
    for mode in (False, True) if strict is None else (strict,):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.export.export(model, args, kwargs, strict=mode)
        except Exception as error:
            failures.append(
                f"strict={mode}: {type(error).__name__}: {str(error).strip().splitlines()[0]:.300}"
            )
        if _returns_unknown_objects(torch, model, args, kwargs):
            # Such as a cache of keys and values: the tensors alone are to be preserved.
            with _tensors_alone(model):
                return _export(torch, model, args, kwargs, strict)
    raise SpecError(
        f"torch.export cannot follow {type(model).__qualname__} with these inputs ({'; '.join(failures)}). Check that "
        "model(*example_inputs) runs; where its Python code branches on data, trace the parts of it that do not, or "
        "declare a rule for the module with rebasin_fast.tracing.register_rule"
    )


def tensors_in(structure: Any) -> list[Any]:
    """The tensors among the leaves of nested lists, tuples and mappings."""
    import torch
    from torch.utils._pytree import tree_leaves

    return [leaf for leaf in tree_leaves(structure) if isinstance(leaf, torch.Tensor)]


def _returns_unknown_objects(
    torch: Any, model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> bool:
    """Whether the output holds tensors, and objects of types unknown to torch.export."""
    from torch.utils._pytree import tree_leaves

    try:
        leaves = tree_leaves(model(*args, **kwargs))
    except Exception:
        return False  # the error of torch.export is reported
    known = (torch.Tensor, bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
    return any(isinstance(leaf, torch.Tensor) for leaf in leaves) and not all(
        isinstance(leaf, known) for leaf in leaves
    )


@contextmanager
def _tensors_alone(model: Any) -> Iterator[None]:
    """Within it, ``model`` returns the list of the tensors of its output."""
    own = vars(model).get("forward")
    forward = model.forward

    def tensors(*args: Any, **kwargs: Any) -> list[Any]:
        return tensors_in(forward(*args, **kwargs))

    model.__dict__["forward"] = tensors
    try:
        yield
    finally:
        del model.__dict__["forward"]
        if own is not None:
            model.__dict__["forward"] = own


def _program(model: Any, exported: Any, modules: tuple[OpaqueModule, ...]) -> Program:
    state = model.state_dict(keep_vars=True)
    tied = find_ties(state)
    names = {**{name: name for name in state}, **tied}
    signature = exported.graph_signature
    parameters: dict[str, str] = {}
    constants: dict[str, Any] = {}
    for spec in signature.input_specs:
        placeholder, target = getattr(spec.arg, "name", None), spec.target
        if target is None or placeholder is None:
            continue
        if target in names:
            parameters[placeholder] = names[target]
        else:
            constants[placeholder] = _constant(exported, model, target)
    trained = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return Program(
        graph=exported.graph,
        parameters=parameters,
        constants=constants,
        shapes={name: tuple(tensor.shape) for name, tensor in state.items()},
        tied=tied,
        buffers=frozenset(name for name in state if name not in trained),
        modules=modules,
    )


def _constant(exported: Any, model: Any, target: str) -> Any:
    if target in exported.constants:
        return exported.constants[target]
    owner, _, name = target.rpartition(".")
    try:
        return getattr(model.get_submodule(owner), name, None)
    except AttributeError:
        return None


def reason_at(node: Any, operation: str | None = None) -> Reason:
    """The operation of ``node`` and the line of the user's program that it comes from."""
    return Reason(operation or str(node.target), node.name, source_of(node))


def source_of(node: Any) -> str:
    """``file:line`` of the innermost line outside torch, or of the innermost of all; "" when unknown."""
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    outside = [frame for frame in frames if "/torch/" not in frame[0].replace("\\", "/")]
    for path, line, _ in reversed(outside or frames):
        return f"{path}:{line}"
    return ""
