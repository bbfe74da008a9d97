"""The sections of the page, each a function of the findings."""

from __future__ import annotations

import numpy as np

from rebasin_fast.report import charts
from rebasin_fast.report.findings import Drawn, Findings
from rebasin_fast.report.measures import shortened
from rebasin_fast.report.png import heat_map
from rebasin_fast.report.text import count, label, number, safe, share, shared_prefix

_MOST_ROWS = 80
_OPEN_PERMUTATIONS = 40
_LISTED = 200
_KEY = '<p class="key"><span><i class="before"></i>before</span><span><i class="after"></i>after</span></p>'


def headline(found: Findings) -> str:
    """What was matched and what it brought, in words and four numbers."""
    a, b = (safe(name) for name in found.names)
    matching = found.matching
    units = sum(index.size for index in matching.permutation.values())
    moved = sum(matching.moved_units().values())
    before, after = found.measures.distances()
    closer = _percent_change(before, after) if before else "they were equal already"
    if matching.converged:
        state = f'<span class="good">Converged</span> after {count(matching.sweeps, "sweep")}'
        why = "the last sweep found nothing to improve"
    else:
        state = f'<span class="warn">Not converged</span> after {count(matching.sweeps, "sweep")}'
        why = "stopped before a sweep found nothing to improve: allow more sweeps (max_iter, --max-iter)"
    return (
        f"<h1>{b}, reordered to match {a}</h1>"
        f'<p class="lead">{moved:,} of {count(units, "hidden unit")} in '
        f"{count(len(matching.permutation), 'permutation')} took a new place. {b} computes the same function as "
        f"before; only the order of its hidden units changed, so that its weights lie closer to those of {a}.</p>"
        '<div class="tiles">'
        + _tile("Distance of the weights", f"{number(before)} → {number(after)}", closer)
        + _tile(
            "Objective",
            f"{number(matching.first_objective)} → {number(matching.objective)}",
            f"product of {a}’s weights and {b}’s, entry by entry",
        )
        + _tile("Units moved", share(moved, units), f"{moved:,} of {units:,}")
        + f'<div class="tile"><h3>Search</h3><div class="big">{state}</div><div class="small">{why}</div></div>'
        "</div>" + _disagreement(found)
    )


def distances(found: Findings) -> str:
    """Distance of each layer before and after, in the order of the model."""
    layers = shortened(found.measures.layers, _MOST_ROWS)
    prefix = shared_prefix(layer.first + "." for layer in found.measures.layers)
    rows = "".join(
        f"<tr><td>{label(layer.first, prefix)}</td>"
        + "".join(f'<td class="n">{number(value)}</td>' for value in (*layer.absolute(), *layer.relative()))
        + "</tr>"
        for layer in found.measures.layers
    )
    runs = (
        f" The model has {len(found.measures.layers):,} layers: neighbours share a row here, and each has its own "
        "in the table below."
        if len(layers) < len(found.measures.layers)
        else ""
    )
    further = sum(layer.after > layer.before * (1.0 + 1e-9) for layer in found.measures.layers)
    paid = (
        f" {count(further, 'layer')} moved apart: the order of units is shared, and what one layer pays another gains."
        if further
        else ""
    )
    return _section(
        "Distance by layer",
        "Each layer’s distance |A − B| over √(|A|² + |B|²), from the input at the top to the output: 0 where the "
        f"two are equal, 1 where they have nothing in common.{runs}{paid}",
        _KEY + charts.distance_rows(layers, prefix)
        + "<details><summary>As numbers</summary><div class=\"wide\"><table><tr><th>layer</th>"
        '<th class="n">distance before</th><th class="n">after</th><th class="n">relative before</th>'
        f'<th class="n">after</th></tr>{rows}</table></div></details>',
    )  # fmt: skip


def similarities(found: Findings) -> str:
    """Heat maps of the chosen permutations."""
    notes = ""
    if found.too_large:
        notes = f'<p class="note">Too many units for a picture: {", ".join(map(label, found.too_large))}.</p>'
    if not found.drawn:
        return _section("Similarity of units", "There is no permutation of two units or more to draw.", notes)
    return _section(
        "Similarity of units",
        "Each row is a unit of A, each column a unit of B, each cell the cosine of their weights: blue where they "
        "point the same way, orange where they point apart. Matching reorders the columns so that partners meet "
        "on the diagonal. A crisp diagonal means that the two networks learned the same units; a faint one on a "
        "busy ground means that the partners are hardly better than chance.",
        f'<div class="maps">{"".join(_heat_maps(found, drawn) for drawn in found.drawn)}</div>{notes}',
    )


def agreement(found: Findings) -> str:
    """How well matched units agree: all together, and by permutation."""
    agreements = found.measures.agreements
    leaves = found.leaves()
    if not leaves:
        return _section("Agreement of matched units", "The spec has no permutation.", "")
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
    table = _table(head, rows[:_OPEN_PERMUTATIONS])
    if len(rows) > _OPEN_PERMUTATIONS:
        rest = rows[_OPEN_PERMUTATIONS:]
        table += f"<details><summary>{len(rest):,} more</summary>{_table(head, rest)}</details>"
    return _section(
        "Agreement of matched units",
        f"Cosine of the weights of each unit of A and the unit of B that stands in its place: "
        f"{before.mean():.3f} on average before, {after.mean():.3f} after.",
        _KEY + charts.cosine_histogram(before, after, ends) + table,
    )


def search(found: Findings) -> str:
    """The objective by sweep."""
    matching = found.matching
    runs = matching.restarts or (matching,)
    curves = [[run.first_objective, *run.history] for run in runs]
    chosen = max(range(len(runs)), key=lambda number_: runs[number_].objective)
    key = (
        '<p class="key"><span><i class="after"></i>the run that was kept</span>'
        f'<span><i class="other"></i>{count(len(runs) - 1, "other run")}</span></p>'
        if len(runs) > 1
        else ""
    )
    stats = matching.stats
    return _section(
        "Objective by sweep",
        "A sweep visits every permutation once; the search ends when a whole sweep finds nothing better.",
        key + charts.history_chart(curves, chosen)
        + f'<p class="note">{count(stats.visits, "visit")}, {stats.skipped_visits:,} of them skipped because '
        f"nothing they depend on had changed; {count(stats.assignments, 'assignment')} solved, "
        f"{stats.accepted_steps:,} accepted; {stats.product_flop / 1e9:.3g} GFLOP of matrix products.</p>",
    )  # fmt: skip


def left_in_place(found: Findings) -> str:
    """What did not move, or moved without being compared, and why."""
    parts = []
    if found.left_in_place:
        rows = [
            f"<tr><td>{label(name)}</td><td>{safe(why)}</td></tr>"
            for name, why in found.left_in_place.items()
        ]
        parts.append(
            f'<p class="warn">{count(len(rows), "parameter was", "parameters were")} left in place:</p>'
            + _long_table("<th>parameter</th><th>why</th>", rows)
        )
    else:
        parts.append(
            "<p>Nothing was left out: the spec covers every parameter of both models that can move.</p>"
        )
    if found.unmatched:
        parts.append(
            _list(
                f"{count(len(found.unmatched), 'parameter')} moved with the units but took no part in the comparison",
                "BatchNorm’s running statistics and the like: they describe the data, not the function to be matched.",
                found.unmatched,
            )
        )
    if found.unmoved:
        parts.append(
            _list(
                f"{count(len(found.unmoved), 'parameter')} that no permutation moves",
                "The spec says so: their axes are inputs, outputs or positions that mean the same in both models.",
                found.unmoved,
            )
        )
    return _section("Left in place", "", "".join(parts))


def symmetries(found: Findings) -> str:
    """Sizes, and the number of equal networks."""
    total = sum(found.log10_symmetries.values())
    rows = []
    for name, log10_orders in found.log10_symmetries.items():
        copies = found.matching.permutation[name].size // found.sizes[name]
        within = " in each of " + safe(" × ".join(found.spec.parents[name])) if copies > 1 else ""
        rows.append(
            f'<tr><td>{label(name)}</td><td class="n">{found.sizes[name]:,}</td>'
            f"<td>{f'{copies:,} times{within}' if copies > 1 else 'once'}</td>"
            f'<td class="n">{len(found.spec.perm_to_axes[name]):,}</td><td class="n">{log10_orders:.2f}</td></tr>'
        )
    return _section(
        "Sizes and symmetries",
        f"Each of the two networks is one of 10<sup>{total:,.2f}</sup> that compute the same function and differ in "
        "the order of their hidden units only.",
        _long_table(
            '<th>permutation</th><th class="n">units</th><th>how often</th><th class="n">axes it moves</th>'
            '<th class="n">log<sub>10</sub> of its orders</th>',
            rows,
        ),
    )


def provenance(found: Findings) -> str:
    """What to quote: versions and the spec's digest."""
    facts = {
        "A": found.names[0],
        "B": found.names[1],
        "spec": f"{len(found.spec.axes_to_perm):,} parameters, {len(found.spec.permutations):,} permutations, "
        f"SHA-256 {found.digest}",
        **found.environment,
    }
    rows = "".join(
        f"<tr><th>{safe(name)}</th><td><code>{safe(value)}</code></td></tr>" for name, value in facts.items()
    )
    return _section(
        "Made with",
        "Weights that lie close are no proof that their average works: measure the loss along the line between "
        "them (<code>rebasin-fast curve</code>, <code>rebasin_fast.loss_curve</code>). Networks with BatchNorm "
        "need their statistics measured anew after averaging (<code>rebasin_fast.reset_batch_norm</code>).",
        f'<div class="wide"><table>{rows}</table></div>',
    )


def _heat_maps(found: Findings, drawn: Drawn) -> str:
    cosines = drawn.map
    limit = float(max(np.abs(cosines.before).max(), np.abs(cosines.after).max()))
    name = " × ".join(drawn.names)
    agreement_ = found.measures.agreements[drawn.names[-1]]
    pictures = "".join(
        f'<div>{when}<img alt="cosines of {safe(name)}, {when}" src="{heat_map(values, limit)}"></div>'
        for when, values in (("B in its own order", cosines.before), ("B reordered", cosines.after))
    )
    ramp = heat_map(np.linspace(-limit, limit, 97)[None, :], limit)
    per_cell = cosines.units_per_cell
    cells = (
        f"Each cell is the mean over about {per_cell:.3g} × {per_cell:.3g} pairs of units, which pales the diagonal "
        f"{per_cell:.3g}-fold; {len(cosines.after)} × {len(cosines.after)} cells."
        if per_cell > 1.0
        else "Each cell is one pair of units."
    )
    chance = f" ± {cosines.deviation:.3f}" if cosines.deviation is not None else ""
    return (
        f"<figure><h3>{label(name)}</h3>"
        f'<div class="pair">{pictures}</div>'
        f'<div class="scale"><span>{-limit:.2g}</span><img alt="" src="{ramp}"><span>{limit:.2g}</span></div>'
        f"<figcaption>{count(cosines.units, 'unit')}; drawn because {drawn.why}. {cells} Mean cosine of matched "
        f"units {agreement_.cosines_after().mean():.3f} (before {agreement_.cosines_before().mean():.3f}); of all "
        f"{'other ' if cosines.deviation is not None else ''}pairs {_mean_of_others(drawn):.3f}{chance}."
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
        f'<td class="n">{before.mean():.3f}</td><td class="n"><b>{after.mean():.3f}</b></td>'
        f"<td>{charts.sparkline(after, ends)}</td></tr>"
    )


def _disagreement(found: Findings) -> str:
    """A note where the matching's objective is not the product of these weights."""
    product, stated = found.measures.dot_after, found.matching.objective
    scale = sum(layer.norms for layer in found.measures.layers) / 2.0
    if abs(product - stated) <= 1e-5 * scale:
        return ""
    return (
        f'<p class="warn">The matching states an objective of {number(stated)}, and the product of these weights under '
        f"its permutation is {number(product)}: it was found by another measure than the weights, or for other models."
        "</p>"
    )


def _percent_change(before: float, after: float) -> str:
    change = 100.0 * (after - before) / before
    return f"{abs(change):.1f} % {'closer' if change <= 0.0 else 'further'}"


def _tile(title: str, big: str, small: str) -> str:
    return f'<div class="tile"><h3>{title}</h3><div class="big">{big}</div><div class="small">{small}</div></div>'


def _section(title: str, words: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{f'<p>{words}</p>' if words else ''}{body}</section>"


def _table(head: str, rows: list[str]) -> str:
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _long_table(head: str, rows: list[str]) -> str:
    if len(rows) <= _OPEN_PERMUTATIONS:
        return _table(head, rows)
    rest = f"<details><summary>{len(rows) - _OPEN_PERMUTATIONS:,} more</summary>"
    return (
        _table(head, rows[:_OPEN_PERMUTATIONS])
        + rest
        + _table(head, rows[_OPEN_PERMUTATIONS:])
        + "</details>"
    )


def _list(summary: str, why: str, names: list[str]) -> str:
    more = f", and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    listed = ", ".join(map(label, names[:_LISTED]))
    return f"<details><summary>{summary}</summary><p>{why}</p><p><code>{listed}{more}</code></p></details>"
