"""How many networks equal a network but for the order of its hidden units? Table 1 of Git Re-Basin, exactly.

Ainsworth et al. 2022 give 10^3498 (perceptron), 10^35160 (VGG-16) and 10^55109 (ResNet-50). The exact number is the
product of n! over the permutations of the spec. The program computes it, and the published figures from their parts:
the powers of ten of the layers are rounded down before they are added, and ResNet-50's count each of 49 convolutions by
itself (all but the four of the shortcuts), as if the residual stream tied none::

    python benchmarks/papers/symmetries.py

About a second; no torch, no data.
"""

import sys
from math import floor, lgamma, log
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line, finish
from common.environment import RESULTS, markdown_table
from networks import shapes

import rebasin_fast as rf
from rebasin_fast._drawing import STYLES, axes_of, label_axes

MLP, VGG, RESNET = "perceptron 784-512-512-512-10", "VGG-16", "ResNet-50"
NETWORKS: dict[str, shapes.Shapes] = {
    MLP: shapes.mlp(784, 512, 512, 512, 10),
    VGG: shapes.vgg16(),
    RESNET: shapes.resnet50(),
    "ResNet-20": shapes.resnet20(),
    "ResNet-20, 32 times the width": shapes.resnet20(32),
    "ResNet-18": shapes.resnet18(),
}
PUBLISHED = {MLP: 3498, VGG: 35160, RESNET: 55109}


def main() -> None:
    parser = command_line(__doc__, "--results")
    parser.set_defaults(results=RESULTS / "papers")
    parser.add_argument("--quick", action="store_true", help="the same, as it takes a second")
    options = parser.parse_args()
    rows = {name: counted(network) for name, network in NETWORKS.items()}
    options.results.mkdir(parents=True, exist_ok=True)
    draw(rows).figure.savefig(options.results / "symmetries.png", dpi=110)
    finish("symmetries", {"networks": rows, "published": PUBLISHED}, account(rows), options.results)


def counted(network: shapes.Shapes) -> dict[str, Any]:
    """Powers of ten: of the spec, of its permutations rounded down, and of every layer, rounded down and not."""
    params = {name: np.broadcast_to(np.float32(0), shape) for name, shape in network.items()}
    spec = rf.specs.for_params(params)
    sizes = spec.sizes(params)
    # The last layer has the classes.
    layers = [shape[0] for name, shape in network.items() if len(shape) > 1 and "downsample" not in name][:-1]
    return {
        "permutations": len(sizes),
        "exact": spec.log10_symmetries(params),
        "permutations rounded down": sum(floor(log10_factorial(n)) for n in sizes.values()),
        "layers": len(layers),
        "layers rounded down": sum(floor(log10_factorial(n)) for n in layers),
        "layers exact": sum(log10_factorial(n) for n in layers),
    }


def log10_factorial(n: int) -> float:
    return lgamma(n + 1) / log(10)


def account(rows: dict[str, dict[str, Any]]) -> str:
    """The table and its note."""
    header = [
        "network", "permutations", "ours, exact", "each rounded down", "layers", "layers by themselves, rounded down",
        "published",
    ]  # fmt: skip
    table = markdown_table(
        header,
        [
            [
                name, str(row["permutations"]), f"10^{row['exact']:.2f}", f"10^{row['permutations rounded down']}",
                str(row["layers"]), f"10^{row['layers rounded down']}",
                f"10^{PUBLISHED[name]}" if name in PUBLISHED else "",
            ]
            for name, row in rows.items()
        ],
    )  # fmt: skip
    resnet = rows[RESNET]
    note = (
        "The published figures are the sums over layers of ⌊log₁₀ n!⌋. Where layer and permutation are one "
        "(perceptron, VGG-16) only the rounding separates them from the exact number. Of ResNet-50 the paper counts "
        f"{resnet['layers']} convolutions, each by itself (exactly 10^{resnet['layers exact']:.2f}) and without the "
        f"four of the shortcuts. {resnet['layers'] - resnet['permutations'] + 5} of them write to the residual "
        f"stream, whose five widths have one permutation each: {resnet['permutations']} permutations and "
        f"10^{resnet['exact']:.2f} networks are left."
    )
    return f"{table}\n\n{note}"


def draw(rows: dict[str, dict[str, Any]]) -> Any:
    """Published and exact powers of ten of the paper's three networks."""
    axes = axes_of(None, size=(6.4, 3.4))
    places = np.arange(len(PUBLISHED))
    for shift, label, values, style in (
        (-0.2, "published", list(PUBLISHED.values()), STYLES[0]),
        (0.2, "exact", [rows[name]["exact"] for name in PUBLISHED], STYLES[1]),
    ):
        bars = axes.bar(places + shift, values, width=0.38, color=style.colour, label=label)
        axes.bar_label(bars, fmt="%.0f", fontsize=9.5, padding=2)
    axes.set_xticks(places, ["perceptron", "VGG-16", "ResNet-50"])
    axes.legend(frameon=False, fontsize=10, loc="upper left")
    return label_axes(axes, title="Networks equal up to the order of units", y="power of ten")


if __name__ == "__main__":
    main()
