"""Tables of ito_singular.py: the paper's statements beside the measurements."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from common.environment import markdown_table

Parts = dict[str, dict[str, Any]]
PERMUTATIONS = {
    "none": "none",
    "WM": "weight matching",
    "AM": "activation matching",
    "STE": "straight-through",
}
PUBLISHED_R = {
    "none": "figure 2, drawn as bars",
    "WM": "figure 2; “primarily align” those of large singular values",
    "AM": "“principle … likely the same as that of WM”",
    "STE": "differs from WM: no alignment",
}
PUBLISHED_REDUCTION = {"WM": "“not significantly”", "AM": "“nearly identical” to WM", "STE": "–"}
INPUTS = {
    "own": "A",
    "none": "the average as they are",
    "WM": "the average, weight matching",
    "AM": "the average, activation matching",
    "STE": "the average, straight-through",
}
NOTES = [
    "",
    "R = Σ_ij (u_i · u'_j)(v_i · v'_j) / n over singular vectors whose value is at least γ of the layer's largest, "
    "n the lesser of their numbers; numerators and n summed over layers. Mean ± deviation over the pairs of seeds "
    "0, 1, 2 for the perceptron, one pair each for the others; straight-through for one pair of perceptrons, 120 steps "
    "that begin at weight matching and stay near it. A matching raises the largest singular value of the average, so "
    "that fewer of its singular vectors reach 0.3 of it: R with the parents at 0.3 compares sets of different sizes.",
    "",
    "Published: words from the abstract (“primarily align …”, “principle …”, “not significantly”), from a review of "
    "the paper on OpenReview (“nearly identical”) and from a summary of it (no alignment by STE); the numbers of its "
    "table 1 and the heights of its bars were not at hand. The paper's networks are MLP, VGG and ResNet for MNIST, "
    "CIFAR-10 and ImageNet; its study of width, and its count n where the two sets differ in size, were not at hand.",
]


def networks(parts: Parts) -> dict[str, list[dict[str, Any]]]:
    """Title -> the records of its pairs; without the study of widths."""
    found: dict[str, list[dict[str, Any]]] = {}
    for part, record in parts.items():
        if not part.startswith("width"):
            found.setdefault(record["network"], []).append(record)
    return found


def each(records: list[dict[str, Any]], *keys: str) -> list[Any]:
    """The value under these keys of every record; None where there is none."""
    found = []
    for record in records:
        value: Any = record
        for key in keys:
            value = value.get(key) if value is not None else None
        found.append(value)
    return found


def spread(values: list[Any], form: str = ".3f") -> str:
    """Mean, and deviation where there are several."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    deviation = f" ± {np.std(known, ddof=1):{form}}" if len(known) > 1 else ""
    return f"{np.mean(known):{form}}{deviation}"


def tables(parts: Parts) -> str:
    """All tables, as Markdown."""
    return "\n".join(
        [*_ratios(parts), *_reductions(parts), *_inputs(parts), *_parents(parts), *_widths(parts), *NOTES]
    )


def _of_permutations(parts: Parts) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    for network, records in networks(parts).items():
        for name in PERMUTATIONS:
            if any(name in record["R"] for record in records):
                yield network, name, records


def _ratios(parts: Parts) -> Iterator[str]:
    yield "### R, with and without a permutation (figure 2 of the paper)\n"
    rows = [
        [
            network,
            PERMUTATIONS[name],
            PUBLISHED_R[name],
            *(spread(each(records, "R", name, threshold)) for threshold in ("0.0", "0.3")),
        ]
        for network, name, records in _of_permutations(parts)
    ]
    yield markdown_table(["network", "permutation", "published", "ours, γ = 0", "ours, γ = 0.3"], rows)


def _reductions(parts: Parts) -> Iterator[str]:
    yield "\n### Reduction of the L2 distance, (‖a − b‖ − ‖a − π(b)‖) / ‖a − b‖ (table 1 of the paper)\n"
    rows = [
        [
            network,
            PERMUTATIONS[name],
            PUBLISHED_REDUCTION[name],
            spread(each(records, "reduction", name), ".1%"),
        ]
        for network, name, records in _of_permutations(parts)
        if name != "none"
    ]
    yield markdown_table(["network", "permutation", "published", "ours"], rows)


def _inputs(parts: Parts) -> Iterator[str]:
    yield "\n### Inputs along A's right singular vectors: mean |v · x| / ‖x‖ over that of random directions\n"
    rows = [
        [
            network,
            shown,
            *(spread(each(records, "inputs", name, which), ".2f") for which in ("leading", "others")),
        ]
        for network, records in networks(parts).items()
        for name, shown in INPUTS.items()
        if any(name in record["inputs"] for record in records)
    ]
    yield markdown_table(["network", "inputs of", "singular value ≥ 0.3 of the largest", "below"], rows)


def _parents(parts: Parts) -> Iterator[str]:
    yield "\n### R between the average and its parents (figure 15 of the paper)\n"
    columns = [(parent, threshold) for threshold in ("0.0", "0.3") for parent in "AB"]
    rows = [
        [
            network,
            PERMUTATIONS[name],
            *(spread(each(records, "parents", name, parent, threshold)) for parent, threshold in columns),
        ]
        for network, name, records in _of_permutations(parts)
    ]
    header = [f"with {parent}, γ = {float(threshold):g}" for parent, threshold in columns]
    yield markdown_table(["network", "permutation", *header], rows)


def _widths(parts: Parts) -> Iterator[str]:
    studied = {part: record for part, record in parts.items() if part.startswith("width")}
    if not studied:
        return
    yield "\n### Width: MNIST perceptrons with three hidden layers, seeds 0 and 1\n"
    columns = [(name, threshold) for threshold in ("0.0", "0.3") for name in ("none", "WM", "AM")]
    rows = [
        [
            part.removeprefix("width "),
            *(f"{record['R'][name][threshold]:.3f}" for name, threshold in columns),
            *(f"{record['reduction'][name]:.1%}" for name in ("WM", "AM")),
        ]
        for part, record in studied.items()
    ]
    header = ["width", *(f"R, {name}, γ = {float(threshold):g}" for name, threshold in columns)]
    yield markdown_table([*header, "reduction, WM", "reduction, AM"], rows)
