"""The state of a merge in a file: matchings that were found, and candidates that were measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rebasin_fast._untrusted.schema import WHOLE, ArrayOf, Fields, ListOf, MapOf, Schema
from rebasin_fast.evaluation.merge.matchings import (
    MATCHING,
    METHODS,
    AnyMatching,
    account_of,
    arrays_of,
    matching_from,
)
from rebasin_fast.evaluation.merge.result import CANDIDATE, Candidate
from rebasin_fast.matching.state_file import StateFile, digest_of, key_of

if TYPE_CHECKING:
    from rebasin_fast.evaluation.merge.data import MergeData
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Array, Params

FILE = StateFile(
    "rebasin_fast.merge",
    "checkpoint of rebasin_fast.merge",
    Schema(
        Fields({"matchings": MapOf(MATCHING), "candidates": ListOf(CANDIDATE)}), MapOf(MapOf(ArrayOf(WHOLE)))
    ),
    owner="merge",
)


class MergeCheckpoint:
    """What was found so far, kept in the file of ``checkpoint=`` if there is one."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        spec: PermutationSpec,
        models: Sequence[Params],
        data: MergeData,
        options: Mapping[str, Any],
    ) -> None:
        self.matchings: dict[str, AnyMatching] = {}
        self.candidates: list[Candidate] = []
        self._path, self._spec, self._models = path, spec, len(models)
        self._sizes = spec.sizes(models[0])
        if path is not None:
            self._key = key_of(spec, models, {**options, "data": _digest(data)})
            FILE.resume(path, self._read, key=self._key)

    def _read(self, arrays: Mapping[str, Array], account: Mapping[str, Any]) -> bool:
        of_method: dict[str, dict[str, Array]] = {name: {} for name in account["matchings"]}
        for place, index in arrays.items():
            method, _, rest = place.partition("/")
            of_method[method][rest] = index
        self._check_whole(of_method)
        matchings = {
            name: matching_from(self._spec, found, of_method[name], self._models)
            for name, found in account["matchings"].items()
        }
        candidates = [Candidate(**row) for row in account["candidates"]]
        strange = [name for name in matchings if name not in METHODS]
        strange += [one.matching for one in candidates if not one.is_end and one.matching not in matchings]
        if len({tuple(one.values) for one in candidates}) > 1 or any(not one.values for one in candidates):
            raise ValueError("its candidates were not measured by the same metrics")
        if strange:
            raise ValueError(f"it names the matching {strange[0]!r}, which is not in it, or is none")
        self.matchings, self.candidates = matchings, candidates
        return True

    def _check_whole(self, of_method: Mapping[str, Mapping[str, Array]]) -> None:
        """ValueError unless each method but "identity" has every permutation, of the sizes of the models."""
        for method, indices in of_method.items():
            numbers = {place.partition("/")[0] for place in indices}
            expected = {f"{number}/{name}" for number in numbers for name in self._sizes}
            missing = not numbers and self._sizes and method != "identity"
            if missing or expected != set(indices):
                raise ValueError(f"permutations of the matching {method!r} are missing in it")
            for place, index in indices.items():
                size = self._sizes[place.partition("/")[2]]
                if index.shape[-1:] != (size,):
                    raise ValueError(f"the permutation {place!r} is of shape {index.shape}, of {size} units")

    def found(self, matching: str, repair: str, t: float | None) -> Candidate | None:
        """The candidate, where it was measured already."""
        wanted = (matching, repair, t)
        return next((one for one in self.candidates if (one.matching, one.repair, one.t) == wanted), None)

    def write(self) -> None:
        """Replace the file, where one is asked for."""
        if self._path is None:
            return
        arrays = {
            f"{name}/{place}": index
            for name, matching in self.matchings.items()
            for place, index in arrays_of(matching).items()
        }
        account = {
            "matchings": {name: account_of(matching) for name, matching in self.matchings.items()},
            "candidates": [asdict(one) for one in self.candidates],
        }
        FILE.write(self._path, arrays, account, key=self._key)


def _digest(data: MergeData) -> str:
    """Of some entries of every tensor of the data."""
    from torch.utils._pytree import tree_flatten

    leaves = [leaf for part in data.parts for leaf in tree_flatten(part)[0] if hasattr(leaf, "shape")]
    tensors = {str(number): leaf for number, leaf in enumerate(leaves)}
    return digest_of(tensors, [tensors], {})
