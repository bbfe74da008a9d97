"""Two Stable Diffusion 1.5 U-Nets, from disk to disk: how long does it take, and how much memory?

The U-Net (860 M parameters) is traced on the meta device, where its weights take no memory; the same architecture, a
fifth as wide, is traced and verified. Then float16 files of 1.7 GB each are written to a folder of yours and matched
by the command line: random weights, their permuted copy with noise, and other random weights::

    python benchmarks/stable_diffusion.py FOLDER
    python benchmarks/stable_diffusion.py FOLDER --pairs related --options "--max-iter 1"

By hand, with ``unet`` below as the factory of the model:

    cd benchmarks && rebasin-fast spec --trace stable_diffusion:unet -o unet.json
    rebasin-fast match a.safetensors b.safetensors --spec unet.json -o aligned.safetensors
"""

import argparse
import resource
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from common.command import command_line, finish
from common.environment import markdown_table
from networks.planted_files import match_files, units_recovered, write_planted, write_random

import rebasin_fast as rf

PAIRS = {"related": "b", "unrelated": "c"}


def unet() -> tuple[Any, Any]:
    """Stable Diffusion's U-Net without weights, and inputs for it."""
    import torch

    from helpers.models.diffusion import unet

    with torch.device("meta"):
        return unet()


def main() -> None:
    parser = command_line(__doc__, "--results")
    parser.add_argument("folder", type=Path, help="where the files go, and stay")
    parser.add_argument("--pairs", nargs="*", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--noise", type=float, default=0.5, help="standard deviations on the permuted copy")
    parser.add_argument("--options", default="", help="further options of rebasin-fast match, in one text")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    model, inputs = unet()
    spec, traced = trace(model, inputs)
    print(traced, file=sys.stderr, flush=True)
    (options.folder / "spec.json").write_text(spec.to_json(), encoding="utf-8")
    sizes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    rows = []
    for pair in options.pairs:
        rows.append(measure(pair, spec, sizes, options))
        print(rows[-1], file=sys.stderr, flush=True)
    text = f"{summary(traced)}\n\n{markdown_table(HEADER, [cells(row) for row in rows])}"
    finish("stable_diffusion", {"traced": traced, "rows": rows}, text, options.results)


def trace(model: Any, inputs: Any) -> tuple[rf.PermutationSpec, dict[str, Any]]:
    """Trace the U-Net, and trace and verify its narrow copy; memory is the whole process's, PyTorch included."""
    from helpers.models.diffusion import NARROW_UNET
    from helpers.models.diffusion import unet as build

    memory, started = most_memory(), time.perf_counter()
    spec = rf.trace_spec(model, inputs, verify=False)
    seconds, memory_after = time.perf_counter() - started, most_memory()
    narrow, narrow_inputs = build(NARROW_UNET, 8)
    narrow_spec = rf.trace_spec(narrow, narrow_inputs, verify=False)
    started = time.perf_counter()
    narrow_spec.verify(narrow, narrow_inputs)
    return spec, {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "permutations": len(spec.permutations),
        "log10_symmetries": spec.log10_symmetries(model.state_dict()),
        "trace_seconds": seconds,
        "memory_bytes": memory_after - memory,
        "verify_seconds": time.perf_counter() - started,
    }


def most_memory() -> int:
    """The most resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def measure(
    pair: str, spec: rf.PermutationSpec, sizes: dict[str, tuple[int, ...]], options: argparse.Namespace
) -> dict[str, Any]:
    """Match one pair of files; of a permuted copy, count the units recovered."""
    a, b, planted = (options.folder / f"{part}.safetensors" for part in ("a", PAIRS[pair], "planted"))
    write_random(a, sizes)
    if pair == "related":
        write_planted(a, b, planted, spec, options.noise)
    else:
        write_random(b, sizes, seed=1)
    arguments = ["--spec", str(options.folder / "spec.json"), *shlex.split(options.options)]
    measured, found = match_files(a, b, *arguments)
    recovered = units_recovered(spec, planted, found) if pair == "related" else None
    return {"pair": pair, **measured, "recovered": recovered}


def summary(traced: dict[str, Any]) -> str:
    return (
        f"Traced on the meta device: {traced['parameters'] / 1e6:,.0f} M parameters, {traced['permutations']} "
        f"permutations, 10^{traced['log10_symmetries']:,.0f} symmetries, in {traced['trace_seconds']:.1f} s; the "
        f"process's memory grew by {traced['memory_bytes'] / 1e6:,.0f} MB. A copy a fifth as wide verified in "
        f"{traced['verify_seconds']:.1f} s."
    )


HEADER = ["pair", "time (s)", "private memory", "sweeps", "TFLOP of products", "products (s)",
          "assignments (s)", "distance before", "after", "units recovered"]  # fmt: skip


def cells(row: dict[str, Any]) -> list[str]:
    return [
        row["pair"],
        f"{row['seconds']:.0f}",
        f"{row['private_bytes'] / 1e9:.2f} GB",
        str(row["sweeps"]) + ("" if row["converged"] else ", not converged"),
        f"{row['stats']['product_flop'] / 1e12:.1f}",
        f"{row['stats']['product_seconds']:.0f}",
        f"{row['stats']['assignment_seconds']:.0f}",
        f"{row['distance_before']:.5g}",
        f"{row['distance_after']:.5g}",
        "" if row["recovered"] is None else "{} of {}".format(*row["recovered"]),
    ]


if __name__ == "__main__":
    main()
