"""The sections about units: their similarities as heat maps, and the agreement of those that were matched."""

from __future__ import annotations

import numpy as np

from rebasin_fast.report import charts
from rebasin_fast.report.findings import Drawn, Findings
from rebasin_fast.report.markup import KEY, OPEN_ROWS, section, table
from rebasin_fast.report.png import heat_map
from rebasin_fast.report.text import cosine, count, label, safe, share


def similarities(found: Findings) -> str:
    """Heat maps of the chosen permutations."""
    notes = ""
    if found.too_large:
        notes = f'<p class="note">Too many units for a picture: {", ".join(map(label, found.too_large))}.</p>'
    if not found.drawn:
        return section("Similarity of units", "There is no permutation of two units or more to draw.", notes)
    return section(
        "Similarity of units",
        "Each row is a unit of A, each column a unit of B, each cell the cosine of their weights, less what the row "
        "and the column have on average: blue where the two have more in common than with the others, orange where "
        "they have less. Matching reorders the columns so that partners meet "
        "on the diagonal. A crisp diagonal means that the two networks learned the same units; a faint one on a "
        "busy ground means that the partners are hardly better than chance.",
        f'<div class="maps">{"".join(_heat_maps(found, drawn) for drawn in found.drawn)}</div>{notes}',
    )


def agreement(found: Findings) -> str:
    """How well matched units agree: all together, and by permutation."""
    agreements = found.measures.agreements
    leaves = found.leaves()
    if not leaves:
        return section("Agreement of matched units", "The spec has no permutation.", "")
    before, after = (
        np.concatenate([values.ravel() for values in columns])
        for columns in zip(
            *((agreements[name].cosines_before(), agreements[name].cosines_after()) for name in leaves),
            strict=True,
        )
    )
    ends = charts.cosine_range(before, after)
    rows = [_agreement_row(found, name, ends) for name in found.matching.permutation]
    head = _AGREEMENT_HEAD + f"<th>cosines after, {ends[0]:.1f} to {ends[1]:.1f}</th>"
    tables = table(head, rows[:OPEN_ROWS])
    if len(rows) > OPEN_ROWS:
        rest = rows[OPEN_ROWS:]
        tables += f"<details><summary>{len(rest):,} more</summary>{table(head, rest)}</details>"
    return section(
        "Agreement of matched units",
        f"Cosine of the weights of each unit of A and the unit of B that stands in its place: "
        f"{cosine(before.mean())} on average before, {cosine(after.mean())} after.",
        KEY + charts.cosine_histogram(before, after, ends) + tables,
    )


def _heat_maps(found: Findings, drawn: Drawn) -> str:
    cosines = drawn.map
    before, after = cosines.centred()
    limit = float(max(np.abs(before).max(), np.abs(after).max()))
    name = " × ".join(drawn.names)
    agreement_ = found.measures.agreements[drawn.names[-1]]
    pictures = "".join(
        f'<div>{when}<img alt="cosines of {safe(name)}, {when}" src="{heat_map(values, limit)}"></div>'
        for when, values in (("B in its own order", before), ("B reordered", after))
    )
    ramp = heat_map(np.linspace(-limit, limit, 97)[None, :], limit)
    per_cell = cosines.units_per_cell
    cells = (
        f"Each cell is the mean over about {per_cell:.3g} × {per_cell:.3g} pairs of units, which pales the diagonal "
        f"{per_cell:.3g}-fold; {len(cosines.after)} × {len(cosines.after)} cells."
        if per_cell > 1.0
        else "Each cell is one pair of units."
    )
    chance = f" ± {cosine(cosines.deviation)}" if cosines.deviation is not None else ""
    return (
        f"<figure><h3>{label(name)}</h3>"
        f'<div class="pair">{pictures}</div>'
        f'<div class="scale"><span>{-limit:.2g}</span><img alt="" src="{ramp}"><span>{limit:.2g}</span></div>'
        f"<figcaption>{count(cosines.units, 'unit')}; drawn because {drawn.why}. {cells} Mean cosine of matched "
        f"units {cosine(agreement_.cosines_after().mean())} (before {cosine(agreement_.cosines_before().mean())}); of "
        f"all {'other ' if cosines.deviation is not None else ''}pairs {cosine(_mean_of_others(drawn))}{chance}."
        "</figcaption></figure>"
    )


def _mean_of_others(drawn: Drawn) -> float:
    cosines = drawn.map
    if cosines.deviation is None:
        return cosines.mean
    return float((cosines.after.sum() - np.trace(cosines.after)) / (cosines.units * (cosines.units - 1)))


_AGREEMENT_HEAD = (
    '<th>permutation</th><th class="n">units</th><th colspan="2">moved</th>'
    '<th class="n">mean cosine before</th><th class="n">after</th>'
)


def _agreement_row(found: Findings, name: str, ends: tuple[float, float]) -> str:
    index = found.matching.permutation[name]
    moved = found.matching.moved_units()[name]
    agreement_ = found.measures.agreements[name]
    before, after = agreement_.cosines_before(), agreement_.cosines_after()
    return (
        f'<tr><td>{label(name)}</td><td class="n">{index.size:,}</td><td class="n">{share(moved, index.size)}</td>'
        f'<td class="bars">{charts.share_bar(moved / index.size if index.size else 0.0)}</td>'
        f'<td class="n">{cosine(before.mean())}</td><td class="n"><b>{cosine(after.mean())}</b></td>'
        f"<td>{charts.sparkline(after, ends)}</td></tr>"
    )
