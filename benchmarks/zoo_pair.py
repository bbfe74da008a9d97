"""One pair of the zoo from disk to a merged file, and what it computes before and after, as JSON."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common.command import command_line
from common.process_memory import PeakRise
from networks.zoo_pairs import PAIRS, Inputs, Pair, Params
from torch import Tensor, nn

import rebasin_fast as rf
from rebasin_fast._arrays import library_of
from rebasin_fast.errors import SpecError
from rebasin_fast.matching.kinship import kinship
from rebasin_fast.matching.matched import matched_parameters
from rebasin_fast.specs.recognised import RecognisedSpec


def main() -> None:
    parser = command_line(__doc__, "--threads")
    parser.add_argument("--pair", choices=list(PAIRS), required=True)
    parser.add_argument("--packages", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    paths = PAIRS[options.pair].paths(options.packages)
    if paths is None:
        raise SystemExit(f"the files of {options.pair!r} are not there")
    print(json.dumps(measure(PAIRS[options.pair], paths, options.packages)))


def measure(pair: Pair, paths: list[Path], packages: Path | None) -> dict[str, Any]:
    """The row of one pair."""
    network = pair.traced(packages or Path())
    example = first_of(pair.inputs(0)[0])
    rf.trace_spec(
        nn.Linear(2, 2), torch.zeros(1, 2)
    )  # what torch imports at the first trace is not the pair's
    with PeakRise() as memory:
        started = time.perf_counter()
        a, b = (pair.read(path) for path in paths)
        spec, found = spec_of(network, a, example)
        traced = time.perf_counter()
        matching = rf.weight_matching(spec, a, b)
        matched = time.perf_counter()
        moved = rf.apply_permutation(spec, matching.permutation, b)
        with tempfile.TemporaryDirectory() as folder:
            merged = rf.interpolate(a, moved, 0.5)
            rf.save_params(Path(folder) / "merged.npz", merged)
        ended = time.perf_counter()
    names = matched_parameters(spec, (a, b))
    related = kinship(spec, a, b, matching.permutation)
    return {
        "files": [path.name for path in paths],
        "package": pair.package,
        "parameters": sum(int(np.prod(array.shape)) for array in a.values()),
        **found,
        "cosine_before": cosine(a, b, names),
        "cosine_after": cosine(a, moved, names),
        "moved_share": share_moved(matching),
        "deviations_of_identity": 0.0 if related is None else related.deviations,
        "common_start": related is not None and related.common_start,
        "kinship": None if related is None else related.statement(),
        "seconds_to_spec": traced - started,
        "seconds_matching": matched - traced,
        "seconds": ended - started,
        "memory_bytes": memory.bytes,
        "function": function_of(pair, packages, a, b, moved),
    }


def first_of(batch: Any) -> Any:
    """Enough of a batch for a trace and its proof."""
    return batch if isinstance(batch, dict) else batch[:2]


def spec_of(network: nn.Module, params: Params, example: Any) -> tuple[rf.PermutationSpec, dict[str, Any]]:
    """Recognised from the parameters and proven where that goes, else traced, which proves it too."""
    try:
        recognised = rf.specs.for_params(params)
    except SpecError as error:
        why = type(error).__name__
    else:
        recognised.verify(network.eval(), example)
        family = recognised.family if isinstance(recognised, RecognisedSpec) else "?"
        return recognised, {"spec": f"recognised as {family}", "permutations": len(recognised.permutations)}
    traced = rf.trace_spec(network.eval(), example)
    return traced, {"spec": "traced", "refused": why, "permutations": len(traced.permutations)}


def cosine(a: Params, b: Params, names: list[str]) -> float:
    """Of the parameters that permutations move, as one vector."""
    return inner(a, b, names) / float(np.sqrt(inner(a, a, names) * inner(b, b, names)))


def inner(a: Params, b: Params, names: list[str]) -> float:
    """Sum of products."""
    return float(
        sum(np.vdot(np.asarray(a[name], np.float64), np.asarray(b[name], np.float64)) for name in names)
    )


def share_moved(matching: rf.Matching) -> float:
    """The share of B's units that a matching moved."""
    indices = list(matching.permutation.values())
    moved = sum(int((index != np.arange(index.shape[-1])).sum()) for index in indices)
    return moved / sum(index.size for index in indices)


def function_of(pair: Pair, packages: Path | None, a: Params, b: Params, moved: Params) -> dict[str, Any]:
    """What A, B and their averages compute on inputs that repair has not seen."""
    make = pair.measured or pair.traced

    def network(params: Params) -> nn.Module:
        built = make(packages or Path())
        state = {
            name: torch.tensor(library_of(array).to_host(array))
            for name, array in pair.loaded(params).items()
        }
        missing = built.load_state_dict(state, strict=False)
        lacking = [name for name in missing.missing_keys if not name.endswith("num_batches_tracked")]
        if lacking or missing.unexpected_keys:
            raise SystemExit(f"the network and its file differ: {lacking}, {missing.unexpected_keys}")
        return built.eval()

    inputs = pair.inputs(1)
    models = {"A": network(a), "B": network(b)}
    models["average as it is"] = network(rf.interpolate(a, b, 0.5))
    models["matched"] = network(rf.interpolate(a, moved, 0.5))
    mended = repaired(network, rf.interpolate(a, moved, 0.5), (a, moved), pair.inputs(0))
    if mended is not None:
        models["matched and repaired"] = mended
    outputs = {label: outputs_of(model, inputs) for label, model in models.items()}
    ensemble = (outputs["A"] + outputs["B"]) / 2
    scale = (ensemble - ensemble.mean(0)).norm()
    found: dict[str, Any] = {
        "distance": {label: float((y - ensemble).norm() / scale) for label, y in outputs.items()}
    }
    if pair.labels is not None:
        labels = pair.labels()
        found["accuracy"] = {
            label: float((y.argmax(1) == labels).double().mean()) for label, y in outputs.items()
        }
        found["loss"] = {label: float(nn.functional.cross_entropy(y, labels)) for label, y in outputs.items()}
    return found


def repaired(network: Any, middle: Params, ends: tuple[Params, Params], batches: Inputs) -> nn.Module | None:
    """The average with its statistics set to those of its ends; None where REPAIR knows none of its layers."""
    if isinstance(batches[0], dict):
        return None
    model = network(middle)
    rf.repair(model, network(ends[0]), network(ends[1]), batches)
    return model.eval()


def outputs_of(model: nn.Module, inputs: Inputs) -> Tensor:
    """One row an input, all outputs beside one another, in float64."""
    rows = []
    with torch.no_grad():
        for batch in inputs:
            found = model(**batch) if isinstance(batch, dict) else model(batch)
            parts = found if isinstance(found, tuple) else (found,)
            if isinstance(batch, dict):
                rows.append(torch.cat([part.flatten() for part in parts])[:, None])
            else:
                rows.append(torch.cat([part.flatten(1) for part in parts], 1))
    return torch.cat(rows).double()


if __name__ == "__main__":
    main()
