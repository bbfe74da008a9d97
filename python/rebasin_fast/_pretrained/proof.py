"""The spec of a class, traced without its weights, and proven on a copy that has some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rebasin_fast._pretrained.budget import silent
from rebasin_fast._pretrained.configuration import Configuration
from rebasin_fast._pretrained.fitting import Fit
from rebasin_fast._pretrained.libraries import built, example_inputs
from rebasin_fast._pretrained.narrow import narrowed
from rebasin_fast.errors import FileFormatError, SpecError
from rebasin_fast.specs.axis import Concat, Entry, Fixed, Joined, Product, Slice
from rebasin_fast.specs.symmetry import Symmetry
from rebasin_fast.specs.tracing import TracedSpec, trace_spec
from rebasin_fast.specs.tracing.trace import proven

# Models of fewer numbers are proven as they are; up to the second bound where no narrow copy serves.
SMALL, _IN_MEMORY = 4_000_000, 100_000_000


def proven_spec(fit: Fit, configuration: Configuration) -> tuple[TracedSpec, str]:
    """The spec of a class, and how it was proven, in one line.

    Raises
    ------
    SpecError
        The model cannot be traced, or its spec fails the proof.
    """
    with silent():
        spec = trace_spec(fit.model, example_inputs(fit.model, "meta"), verify=False)
        numbers = sum(parameter.numel() for parameter in fit.model.parameters())
        if numbers > SMALL:
            found = _proven_narrow(spec, fit, configuration)
            if found is not None:
                return found, f"traced from {fit.cls.__name__}, proven on a narrow copy of it"
        if numbers > _IN_MEMORY:
            return spec, f"traced from {fit.cls.__name__}, not proven: no narrow copy of it has the same spec"
        copy = built(fit.cls, configuration, configuration.fields, None)
        return (
            proven(spec, copy, example_inputs(copy, "cpu"), 0),
            f"traced from {fit.cls.__name__}, and proven on it with random weights",
        )


def _proven_narrow(spec: TracedSpec, fit: Fit, configuration: Configuration) -> TracedSpec | None:
    """``spec``, with the symmetries that the narrow copy shows; None where that has other entries."""
    try:
        copy = built(fit.cls, configuration, narrowed(configuration.fields), None)
    except (FileFormatError, SpecError):
        return None
    shown = trace_spec(copy, example_inputs(copy, "cpu"))
    if _skeleton(shown) != _skeleton(spec):
        return None
    kept = set(map(_kind, shown.symmetries))
    gone = [symmetry for symmetry in spec.symmetries if _kind(symmetry) not in kept]
    return spec.without_symmetries(gone, "the proof on a narrow copy, which does not show it")


def _kind(symmetry: Symmetry) -> Any:
    """A symmetry without its lengths."""
    roles = frozenset((role.parameter, role.axis, role.exponents) for role in symmetry.roles)
    return symmetry.permutation, symmetry.group, roles


def _skeleton(spec: TracedSpec) -> Mapping[str, Any]:
    return {name: tuple(map(_form, entries)) for name, entries in spec.axes_to_perm.items()}


def _form(entry: Entry) -> Any:
    """An entry without its lengths."""
    if isinstance(entry, Fixed):
        return "fixed"
    if isinstance(entry, Slice):
        return ("slice", entry.permutation)
    if isinstance(entry, Product):
        return ("product", _form(entry.outer), _form(entry.inner))
    if isinstance(entry, Concat):
        return ("concat", *map(_form, entry.pieces))
    return ("joined", _form(entry.inner)) if isinstance(entry, Joined) else entry
