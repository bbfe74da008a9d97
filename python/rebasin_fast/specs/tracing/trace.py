"""``trace_spec``: the permutation spec of any PyTorch model, derived from its program."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast.errors import SpecError
from rebasin_fast.specs.symmetry import UnshownSymmetryError
from rebasin_fast.specs.tracing.choice import choose
from rebasin_fast.specs.tracing.derivation import derived_spec
from rebasin_fast.specs.tracing.graph import export_program
from rebasin_fast.specs.tracing.interpret import Interpreter
from rebasin_fast.specs.tracing.report import TracedSpec
from rebasin_fast.typing import Rng


@_arguments.checked()
def trace_spec(
    model: Any,
    example_inputs: Any,
    *,
    residual: bool = True,
    freeze: Sequence[str] = (),
    select: Sequence[str] | None = None,
    verify: bool = True,
    rng: Rng = 0,
    strict: bool | None = None,
) -> TracedSpec:
    """Derive the permutation spec of ``model`` from its program, and prove it.

    Parameters
    ----------
    model : torch.nn.Module
        Not changed. May lie on the meta device, with ``verify=False``.
    example_inputs : tensor, tuple, or mapping
        One positional argument, several, or keyword arguments, as ``model`` is called with them.
    residual : bool
        False leaves the permutations of residual streams out: those whose units several layers make together,
        because their outputs are added.
    freeze : sequence of str
        Names or patterns (``layer1.*``) of permutations, or of parameters none of whose axes shall move.
    select : sequence of str, optional
        Names or patterns of permutations or parameters: only these move.
    verify : bool
        Prove the result on a randomised float64 copy of ``model`` (see ``PermutationSpec.verify``).
    rng : int, numpy.random.Generator or None
        Seed of that proof.
    strict : bool, optional
        ``strict`` of torch.export: False runs the program, True analyses its code; by default False, then True.

    Returns
    -------
    TracedSpec
        A :class:`PermutationSpec` with ``report()``: its permutations and frozen axes, each with a source line.

    Raises
    ------
    SpecError
        torch.export cannot follow the model, or permutations do not preserve its function. Symmetries beyond them that
        do not are left out with a RuntimeWarning; those that ``example_inputs`` cannot show are left out too.
    MissingDependencyError
        PyTorch is not installed, or older than 2.6.

    Notes
    -----
    Every axis of every tensor is followed through the ATen graph. Axes that an operation ties move together; inputs,
    outputs, and the tensors of operations without a rule stay where they are; the rest is free. Time is near-linear
    in the number of operations; weights are not read.

    Examples
    --------
    >>> import torch, rebasin_fast as rf
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> rf.trace_spec(model, torch.zeros(1, 4)).axes_to_perm
    {'0.weight': ('0', None), '0.bias': ('0',), '2.weight': (None, '0'), '2.bias': (None,)}
    """
    program = export_program(model, example_inputs, strict)
    interpreter = Interpreter(program)
    interpreter.run()
    spec = derived_spec(program, interpreter)
    spec = choose(spec, residual=residual, freeze=freeze, select=select)
    return proven(spec, model, example_inputs, rng) if verify else spec


def proven(spec: TracedSpec, model: Any, example_inputs: Any, rng: Rng) -> TracedSpec:
    """The spec without symmetries that these inputs cannot show, such as those of queries and keys of one token.

    Permutations that fail are an error; groups beyond them that fail are left out, with a warning.
    """
    try:
        spec.verify(model, example_inputs, rng=rng)
    except UnshownSymmetryError as error:
        shown = spec.without_symmetries(
            error.symmetries, "example_inputs, on which the outputs do not depend there"
        )
        return proven(shown, model, example_inputs, rng)
    except SpecError as error:
        if not spec.symmetries:
            raise
        plain = spec.without_symmetries(
            spec.symmetries, "the proof, which the groups derived here do not pass"
        )
        plain.verify(model, example_inputs, rng=rng)
        warnings.warn(
            f"the symmetries beyond permutations that were derived are left out, since {error}. The permutations are "
            "proven. Please report the model",
            RuntimeWarning,
            stacklevel=4,
        )
        return plain
    return spec
