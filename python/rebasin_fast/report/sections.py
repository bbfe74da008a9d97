"""The sections of the page, each a function of the findings."""

from __future__ import annotations

from rebasin_fast.report import charts
from rebasin_fast.report.findings import Findings
from rebasin_fast.report.markup import KEY, folded_list, long_table, section, tile
from rebasin_fast.report.measures import shortened
from rebasin_fast.report.text import count, label, number, safe, share, shared_prefix
from rebasin_fast.specs.recognised import HOW_TO_PROVE, RecognisedSpec

_MOST_ROWS = 80


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
        + tile("Distance of the weights", f"{number(before)} → {number(after)}", closer)
        + tile(
            "Objective",
            f"{number(matching.first_objective)} → {number(matching.objective)}",
            f"product of {a}’s weights and {b}’s, entry by entry",
        )
        + tile("Units moved", share(moved, units), f"{moved:,} of {units:,}")
        + f'<div class="tile"><h3>Search</h3><div class="big">{state}</div><div class="small">{why}</div></div>'
        "</div>" + _kinship(found) + _disagreement(found)
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
    return section(
        "Distance by layer",
        "Each layer’s distance |A − B| over √(|A|² + |B|²), in the order of A’s parameters: 0 where the "
        f"two are equal, 1 where they have nothing in common.{runs}{paid}",
        KEY + charts.distance_rows(layers, prefix)
        + "<details><summary>As numbers</summary><div class=\"wide\"><table><tr><th>layer</th>"
        '<th class="n">distance before</th><th class="n">after</th><th class="n">relative before</th>'
        f'<th class="n">after</th></tr>{rows}</table></div></details>',
    )  # fmt: skip


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
    return section(
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
    if isinstance(found.spec, RecognisedSpec) and not found.spec.proven:
        parts.append(
            f'<p class="warn">The spec was {safe(found.spec.statement())}: {safe(HOW_TO_PROVE)}.</p>'
        )
    if found.left_in_place:
        rows = [
            f"<tr><td>{label(name)}</td><td>{safe(why)}</td></tr>"
            for name, why in found.left_in_place.items()
        ]
        parts.append(
            f'<p class="warn">{count(len(rows), "parameter was", "parameters were")} left in place:</p>'
            + long_table("<th>parameter</th><th>why</th>", rows)
        )
    else:
        parts.append(
            "<p>Nothing was left out: the spec covers every parameter of both models that can move.</p>"
        )
    if found.unmatched:
        parts.append(
            folded_list(
                f"{count(len(found.unmatched), 'parameter')} moved with the units but took no part in the comparison",
                "BatchNorm’s running statistics and the like: they describe the data, not the function to be matched.",
                found.unmatched,
            )
        )
    if found.unmoved:
        parts.append(
            folded_list(
                f"{count(len(found.unmoved), 'parameter')} that no permutation moves",
                "The spec says so: their axes are inputs, outputs or positions that mean the same in both models.",
                found.unmoved,
            )
        )
    return section("Left in place", "", "".join(parts))


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
    return section(
        "Sizes and symmetries",
        f"Each of the two networks is one of 10<sup>{total:,.2f}</sup> that compute the same function and differ in "
        "the order of their hidden units only.",
        long_table(
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
    return section(
        "Made with",
        "Weights that lie close are no proof that their average works: measure the loss along the line between "
        "them (<code>rebasin-fast curve</code>, <code>rebasin_fast.loss_curve</code>). Networks with BatchNorm "
        "need their statistics measured anew after averaging (<code>rebasin_fast.reset_batch_norm</code>).",
        f'<div class="wide"><table>{rows}</table></div>',
    )


def _kinship(found: Findings) -> str:
    """A note about models whose units were in one order before they were matched."""
    statement = found.kinship.statement() if found.kinship is not None else None
    return "" if statement is None else f'<p class="note">{safe(statement[0].upper() + statement[1:])}.</p>'


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
