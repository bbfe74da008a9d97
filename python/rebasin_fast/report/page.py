"""One self-contained HTML page about one matching."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rebasin_fast.files import atomic_write, check_writable
from rebasin_fast.report import sections, unit_sections
from rebasin_fast.report.findings import Findings, gather
from rebasin_fast.report.style import STYLE
from rebasin_fast.report.text import safe

if TYPE_CHECKING:
    from rebasin_fast.matching import Matching
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Params

_SECTIONS = (
    sections.distances,
    unit_sections.similarities,
    unit_sections.agreement,
    sections.search,
    sections.left_in_place,
    sections.symmetries,
    sections.provenance,
)
# The page may show its own pictures and styles and nothing else, whatever the names in a model say.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


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
    """Write a page that shows what a matching did, for a person to look at.

    Distances by layer before and after, cosines of A's units and B's as heat maps, agreement of matched units,
    the objective by sweep, sizes and symmetries, what was left in place and why, and versions.

    Parameters
    ----------
    path : path
        The HTML file. It needs nothing else: no script, no network, light and dark, wide and narrow.
    spec : PermutationSpec
    params_a, params_b : Mapping[str, array]
        The models as they were matched, B as it was before. NumPy, torch, JAX or CuPy arrays of any floating
        dtype. Not changed.
    matching : Matching
        Of ``params_b`` onto ``params_a``.
    names : tuple of two str
        What to call A and B.
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
    in host memory, about 0.1 GB whatever the size of the model. Similarities are drawn for at most six
    permutations of up to 65536 units, as means over blocks beyond 192; nothing is drawn by chance, so the same
    matching gives the same page.

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
        raise TypeError(f"matching is what a matching function returned, got {type(matching).__qualname__}")
    check_writable(path, overwrite)
    text = _page(gather(spec, params_a, params_b, matching, names))
    with atomic_write(path, overwrite=overwrite, text=True) as file:
        file.write(text)


def _page(found: Findings) -> str:
    title = f"{safe(found.names[1])} matched to {safe(found.names[0])}"
    body = sections.headline(found) + "".join(section(found) for section in _SECTIONS)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{safe(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="generator" content="rebasin_fast"><title>{title}</title><style>{STYLE}</style></head>\n'
        f"<body><main>{body}</main></body></html>\n"
    )
