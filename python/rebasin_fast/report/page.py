"""One self-contained HTML page about one matching."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rebasin_fast import _arguments
from rebasin_fast._terminal.legible import legible
from rebasin_fast.files import atomic_write, check_writable
from rebasin_fast.report.charts import Histogram, History, end_of_distances
from rebasin_fast.report.findings import Findings, gather
from rebasin_fast.report.measures import shortened
from rebasin_fast.report.pictures import colour_scale, heat_map
from rebasin_fast.report.text import FILTERS, shared_prefix
from rebasin_fast.specs.recognised import HOW_TO_PROVE, RecognisedSpec

if TYPE_CHECKING:
    from rebasin_fast.matching import Matching
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params

_MOST_ROWS = 80
# Rows of a table, and names of a list, that are shown without unfolding it.
_CONSTANTS = {"OPEN_ROWS": 40, "LISTED": 200}


@_arguments.checked()
def write_report(
    path: str | os.PathLike[str],
    spec: PermutationSpec,
    params_a: Params,
    params_b: Params,
    matching: Matching,
    *,
    names: tuple[str, str] = ("A", "B"),
    overwrite: bool = False,
) -> None:
    """Write a page about a matching, for people.

    Distances by layer before and after, cosines of A's units and B's as heat maps, agreement of matched units,
    the objective by sweep, sizes and symmetries, parameters left in place with reasons, and versions.

    Parameters
    ----------
    path : path
        The HTML file, self-contained: no script, no network; for light and dark themes, wide and narrow windows.
    spec : PermutationSpec
    params_a, params_b : Mapping[str, array]
        The models as they were matched, B as it was before. NumPy, torch, JAX or CuPy arrays of any floating
        dtype. Not changed.
    matching : Matching
        Of ``params_b`` onto ``params_a``.
    names : tuple of two str
        The names of A and B on the page.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    SpecError, ParamsError, PermutationError
        The spec, the models and the matching do not fit together.
    OutputExistsError, UnwritableOutputError
        The file exists and may not be replaced, or cannot be written; raised before anything is measured.

    Notes
    -----
    Two passes over the parameters, O(their number) time, in slabs of a million entries: beside one parameter
    in host memory, about 0.1 GB for a model of any size. Similarities are drawn for at most six
    permutations of up to 65536 units, as means over blocks beyond 192; nothing is random, so the same matching gives
    the same page.

    The charts are SVG text with positions in percent, and PNGs whose zero is transparent: that needs no
    matplotlib, fits every width with letters of one size, and follows the reader's light or dark theme, which
    a drawn picture cannot.

    Examples
    --------
    >>> import os, tempfile, numpy as np, rebasin_fast as rf
    >>> from rebasin_fast.report import write_report
    >>> rng = np.random.default_rng(0)
    >>> spec = rf.specs.mlp(["fc1", "fc2"])
    >>> a = {"fc1.weight": rng.standard_normal((8, 4)), "fc1.bias": np.zeros(8),
    ...      "fc2.weight": rng.standard_normal((2, 8)), "fc2.bias": np.zeros(2)}
    >>> b = rf.apply_permutation(spec, {"P0": rng.permutation(8)}, a)
    >>> path = os.path.join(tempfile.mkdtemp(), "report.html")
    >>> write_report(path, spec, a, b, rf.weight_matching(spec, a, b), names=("first.pt", "second.pt"))
    """
    if not hasattr(matching, "permutation"):
        raise TypeError(f"matching is the result of a matching function, got {type(matching).__qualname__}")
    check_writable(path, overwrite)
    text = _page(gather(spec, params_a, params_b, matching, names))
    with atomic_write(path, overwrite=overwrite, text=True) as file:
        file.write(text)


def _page(found: Findings) -> str:
    text: str = environment().get_template("page.html").render(_context(found))
    return text


def environment() -> Any:
    """The templates, in which every value is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # A name comes from a file that anyone may have written: escaped by jinja2, control characters spelled out here.
    found = Environment(
        loader=PackageLoader("rebasin_fast.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: legible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update((function.__name__, function) for function in FILTERS)
    found.globals.update(_CONSTANTS, heat_map=heat_map, colour_scale=colour_scale)
    return found


def _context(found: Findings) -> dict[str, Any]:
    """The names that the templates use."""
    matching, layers = found.matching, found.measures.layers
    runs = matching.restarts or (matching,)
    chosen = max(range(len(runs)), key=lambda number: runs[number].objective)
    rows = shortened(layers, _MOST_ROWS)
    pooled = found.pooled_cosines()
    guess = ""
    if isinstance(found.spec, RecognisedSpec) and not found.spec.proven:
        guess = f"{found.spec.statement()}: {HOW_TO_PROVE}"
    parameters, permutations = len(found.spec.axes_to_perm), len(found.spec.permutations)
    return {
        "found": found,
        "matching": matching,
        "units": sum(index.size for index in matching.permutation.values()),
        "moved": sum(matching.moved_units().values()),
        "moved_units": matching.moved_units(),
        "rows": rows,
        "prefix": shared_prefix(layer.first + "." for layer in layers),
        "further": sum(layer.after > layer.before * (1.0 + 1e-9) for layer in layers),
        "end_of_distances": end_of_distances(rows),
        "histogram": None if pooled is None else Histogram(*pooled),
        "history": History([[run.first_objective, *run.history] for run in runs], chosen),
        "guess": guess,
        "facts": {
            "A": found.names[0],
            "B": found.names[1],
            "spec": f"{parameters:,} parameters, {permutations:,} permutations, SHA-256 {found.digest}",
            **found.environment,
        },
    }
