"""Merge methods for mergekit that align the models first: ``rebasin_ties`` is mergekit's ``ties`` of aligned models.

:func:`register` makes them known by mergekit's own registry, so that a recipe names them as any other. Its command has
no place where others add methods; ``rebasin-fast mergekit recipe.yaml OUT`` registers them and runs it.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast.errors import MissingDependencyError, ParamsError, SpecError
from rebasin_fast.files import load_params
from rebasin_fast.matching import weight_matching
from rebasin_fast.permutation import permuted_params
from rebasin_fast.specs import for_params
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.specs.tracing import trace_spec
from rebasin_fast.typing import Params

PREFIX = "rebasin_"


@_arguments.checked()
def register() -> list[str]:
    """Make a method ``rebasin_NAME`` known to mergekit for each of its methods, in this process.

    Each takes the parameters of the method NAME. Weight matching moves all models onto the base of the recipe, or onto
    the first of its models where there is none. They are local folders, or in the cache of the hub; the spec is
    recognised from the names and shapes of their parameters and config.json, or traced from the model that transformers
    makes of it.

    Returns
    -------
    list[str]
        The names of the methods; those of an earlier call are not registered again.

    Raises
    ------
    MissingDependencyError
        mergekit 0.1.5 or newer is not installed.

    Examples
    --------
    >>> from rebasin_fast.compat.mergekit import register
    >>> register()  # doctest: +SKIP
    ['rebasin_linear', 'rebasin_slerp', ...]
    """
    try:
        from mergekit.merge_methods import GroupMergeMethod, registered_methods
        from mergekit.merge_methods import register as to_mergekit
    except ImportError as error:
        raise MissingDependencyError(
            "its merge methods need mergekit 0.1.5 or newer, which is not installed. Install it: pip install mergekit"
        ) from error
    known = {method.spec.name: method for method in registered_methods()}
    plain = [method for name, method in known.items() if not name.startswith(PREFIX)]
    for method in plain:
        if PREFIX + method.spec.name not in known:
            to_mergekit(_aligning(method, GroupMergeMethod))
    return [PREFIX + method.spec.name for method in plain]


class AlignedModels:
    """The models of a merge in the order of units of one of them; each is matched once, when it is first asked for."""

    def __init__(self) -> None:
        self._params: dict[tuple[str, str], Params] = {}
        self._lock = threading.Lock()

    def array(self, first: Any, model: Any, name: str) -> Any:
        """The parameter ``name`` of ``model``, moved onto ``first``; both are mergekit's references to models."""
        folders = (_folder(first), _folder(model))
        with self._lock:
            if folders not in self._params:
                self._params[folders] = _moved(*folders, first.config())
            return self._params[folders][name]


def _aligning(method: Any, group_method: Any) -> Any:
    """Mergekit's method for groups of tensors that replaces the tensors and calls ``method``."""
    models = AlignedModels()

    class Aligning(group_method):  # type: ignore[misc]
        spec = replace(
            method.spec,
            name=PREFIX + method.spec.name,
            pretty_name=f"{method.spec.pretty_name or method.spec.name} of aligned models",
        )

        def merge_group(self, group: Any, /, **parameters: Any) -> Any:
            first = group.base or group.entries[0]
            entries = [
                one
                if one is first
                else replace(one, tensor=models.array(first.id, one.id, group.metadata.name).to(one.tensor))
                for one in group.entries
            ]
            (merged,) = method((replace(group, entries=tuple(entries)),), parameters=parameters)
            return merged

    return Aligning()


def _moved(first_folder: str, folder: str, config: Any) -> Params:
    first, model = (load_params(path, library="torch") for path in (first_folder, folder))
    spec = _spec(first, config)
    return permuted_params(spec, weight_matching(spec, first, model).permutation, model)


def _spec(params: Params, config: Any) -> PermutationSpec:
    """The spec recognised from the parameters, or else traced from the model that transformers makes of ``config``."""
    heads = getattr(config, "num_attention_heads", None)
    try:
        return for_params(params, heads=heads if isinstance(heads, int) else None)
    except SpecError as error:
        architectures = getattr(config, "architectures", None) or []
        if not architectures or not hasattr(config, "vocab_size"):
            raise error
    import torch
    import transformers

    config.use_cache = False  # what a layer keeps for the next word is no part of the function
    with torch.device("meta"):
        model = getattr(transformers, architectures[0])(config).eval()
        words = torch.zeros((1, 4), dtype=torch.int64)
    return trace_spec(model, {"input_ids": words}, verify=False)


def _folder(model: Any) -> str:
    if getattr(model, "lora", None) is not None:
        raise ParamsError(
            f"{model}: a model with an adapter is not aligned; merge the adapter into it first: rebasin-fast adapters "
            "ADAPTER --into MODEL -o OUT --weights 1"
        )
    return str(model.local_path())
