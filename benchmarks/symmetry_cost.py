"""What does a sweep of weight matching over all symmetries cost, beside one over permutations alone?

Two random GPTs of 12 layers of 768 with 12 heads, a vocabulary of 16,384 and an untied head (110 M parameters), matched
by turns in one process on one BLAS thread::

    python benchmarks/symmetry_cost.py

Processor time of a first pass and of one sweep. Both programs visit every permutation once in a pass; the permutations'
first sweep is its pass. The peak is that of resident memory over its size before the call. ``polar and nuclear`` is the
share of the sweep that calls of LAPACK's singular values take.
"""

import sys
import time
from typing import Any
from unittest import mock

import numpy as np
from common.command import command_line, finish
from common.environment import markdown_table
from common.process_memory import PeakRise

import rebasin_fast as rf

NAMES = {"permutations": "permutations", "all": "all symmetries"}


def main() -> None:
    import torch
    from networks.character_gpt import CharacterGPT

    parser = command_line(__doc__, "--results")
    for option, value in (("--layers", 12), ("--width", 768), ("--heads", 12), ("--vocabulary", 16_384)):
        parser.add_argument(option, type=int, default=value)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = CharacterGPT(options.vocabulary, options.layers, options.width, options.heads, tied=False)
        networks.append(network)
    spec = rf.trace_spec(networks[0], torch.zeros(1, 4, dtype=torch.long), verify=False)
    a, b = ({name: p.numpy() for name, p in network.state_dict().items()} for network in networks)
    count = sum(array.size for array in a.values())
    records = []
    for number in range(options.rounds):
        for symmetries in NAMES:
            records.append({"round": number, "symmetries": symmetries, **measure(spec, a, b, symmetries)})
            print(records[-1], file=sys.stderr, flush=True)
    finish(
        "symmetry_cost", {"parameters": count, "records": records}, text_of(records, count), options.results
    )


def measure(spec: rf.PermutationSpec, a: Any, b: Any, symmetries: Any) -> dict[str, float]:
    """Seconds of processor time of the parts of one matching, and its peak of memory."""
    ends, singular = [], [0.0]
    svd = np.linalg.svd

    def timed_svd(*args: Any, **kwargs: Any) -> Any:
        began = time.process_time()
        try:
            return svd(*args, **kwargs)
        finally:
            singular[0] += time.process_time() - began

    def noted(progress: rf.Progress) -> None:
        if progress.visit == 1 and not ends:
            ends.append((time.process_time(), singular[0]))
        if progress.visit == progress.visits:
            ends.append((time.process_time(), singular[0]))

    with PeakRise() as peak, mock.patch.object(np.linalg, "svd", timed_svd):
        began = time.process_time()
        rf.weight_matching(spec, a, b, symmetries=symmetries, max_iter=1, threads=1, progress=noted)
        total = time.process_time() - began
    (before, svd_before), (after, svd_after) = ends[-2:]
    return {
        "seconds": total, "start": ends[0][0] - began, "sweep": after - before,
        "sweep_svd": svd_after - svd_before, "peak_bytes": peak.bytes,
    }  # fmt: skip


def text_of(records: list[dict[str, Any]], count: int) -> str:
    """One row a program: the least time and the highest peak of the rounds, and its ratio to permutations alone."""

    def least(symmetries: str, field: str) -> float:
        pick = max if field == "peak_bytes" else min  # memory that a round has left raises no later peak
        return pick(float(r[field]) for r in records if r["symmetries"] == symmetries)

    rows = []
    for symmetries, name in NAMES.items():
        values = {f: least(symmetries, f) for f in ("start", "sweep", "sweep_svd", "seconds", "peak_bytes")}
        ratios = {f: values[f] / least("permutations", f) for f in ("sweep", "seconds", "peak_bytes")}
        rows.append([
            name, f"{values['start']:.1f}", f"{values['sweep']:.1f} ({ratios['sweep']:.2f})",
            f"{values['sweep_svd'] / values['sweep']:.0%}", f"{values['seconds']:.1f} ({ratios['seconds']:.2f})",
            f"{values['peak_bytes'] / 1e9:.2f} GB ({ratios['peak_bytes']:.2f})",
        ])  # fmt: skip
    header = ["matching over", "up to its first visit (s)", "a sweep (s)", "polar and nuclear",
              "whole, max_iter=1 (s)", "peak memory"]  # fmt: skip
    return (
        f"### A sweep over {count / 1e6:,.0f} M parameters\n\n{markdown_table(header, rows)}\n\n"
        "Processor time on one thread, the least of the rounds, which take turns; peaks above the "
        "models, the highest; in brackets the ratio to "
        "permutations alone. Up to the first visit: with all symmetries both models are brought to normal form."
    )


if __name__ == "__main__":
    main()
