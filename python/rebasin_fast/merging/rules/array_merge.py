"""One array of the merged model: read from every model, merged in the precision of all, checked."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rebasin_fast._arrays import library_of, numbers_on_host
from rebasin_fast._arrays.derived import described_by
from rebasin_fast._arrays.elements import CODE_OF_NAME, numpy_dtype
from rebasin_fast.merging.blending import merged_by_meaning, refuse_nonfinite, same_infinities
from rebasin_fast.merging.rules.kinds import MergeRule, Tensors
from rebasin_fast.merging.rules.precision import Precision, promoted
from rebasin_fast.merging.rules.settings import Resolved
from rebasin_fast.typing import Array, Params


@dataclass(frozen=True)
class ArrayMerge:
    """A rule, the models and the settings by which each array is merged; see :func:`combining.combine`."""

    rule: MergeRule
    models: Sequence[Params]
    base: Params | None
    labels: Sequence[str]
    settings: Mapping[str, Resolved | list[Resolved]]
    depths: Mapping[str, float]
    seed: int
    dtype: str | None
    out_dtype: str | None
    allow_nonfinite: bool

    @property
    def first(self) -> Params:
        """The model in whose form the result is."""
        return self.models[0] if self.base is None else self.base

    def array(self, name: str) -> Array:
        """The merged parameter."""
        every = [*self.models, *([] if self.base is None else [self.base])]
        labels = [*self.labels, *([] if self.base is None else ["the base"])]
        like = self.first[name]
        return merged_by_meaning(name, like, every, labels, self._merged)

    def form(self, name: str) -> Array:
        """An array of the dtype and shape of the merged parameter: the first model's own where it has them."""
        own = described_by(self.first)[name]
        dtype = self.out_dtype or self._precision(name).name
        if library_of(own).dtype_name(own) == dtype:
            return own
        return np.broadcast_to(np.zeros((), numpy_dtype(CODE_OF_NAME[dtype])), tuple(own.shape))

    def _precision(self, name: str) -> Precision:
        every = [self.first, *self.models]
        arrays = [described_by(model)[name] for model in every]
        dtypes = [library_of(array).dtype_name(array) for array in arrays]
        return Precision(self.dtype) if self.dtype is not None else promoted(name, dtypes)

    def _merged(self, name: str) -> Array:
        precision = self._precision(name)
        hosts = [self._read(model, name, precision) for model in self.models]
        base = None if self.base is None else self._read(self.base, name, precision)
        every = hosts if base is None else [*hosts, base]
        same = None
        if not all(np.isfinite(host).all() for host in every):
            same = same_infinities(every)
            every = [np.where(same, host.dtype.type(0), host) for host in every]
        tensors = Tensors(
            None if base is None else every[-1],
            every[: len(hosts)],
            precision,
            lambda model: self._generator(name, model),
        )
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            result = self.rule.merge(tensors, self.values(name))
            if self.out_dtype is not None:
                result = Precision(self.out_dtype).rounded(result.astype(Precision(self.out_dtype).wide))
        if same is not None:
            result = np.where(same, hosts[0], result)
        self._check_finite(name, result, [*hosts, *([] if base is None else [base])], same)
        return self._in_form(result, self.first[name], self.out_dtype or precision.name)

    def _read(self, model: Params, name: str, precision: Precision) -> NDArray[Any]:
        values = numbers_on_host(model[name]).astype(precision.wide)
        return values if self.dtype is None else precision.rounded(values)

    def values(self, name: str) -> dict[str, Any]:
        """The rule's parameters for one array; ValueError where one has no value there."""
        depth = self.depths[name]
        return {
            parameter: [one.at(name, depth) for one in found]
            if isinstance(found, list)
            else found.at(name, depth)
            for parameter, found in self.settings.items()
        }

    def _generator(self, name: str, model: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, model, zlib.crc32(name.encode())])

    def _check_finite(
        self, name: str, result: NDArray[Any], every: Sequence[NDArray[Any]], same: NDArray[Any] | None
    ) -> None:
        if self.allow_nonfinite or np.isfinite(result).all():
            return
        bad = ~np.isfinite(result) & (True if same is None else ~same)
        if bad.any():
            labels = [*self.labels, "the base"]
            refuse_nonfinite(
                name,
                dict(zip(labels, every, strict=False)),
                bad,
                f"{self.out_dtype or self._precision(name).name}, the dtype of the result",
            )

    @staticmethod
    def _in_form(result: NDArray[Any], like: Array, dtype: str) -> Array:
        """``result`` as an array of the library and on the device of ``like``."""
        library = library_of(like)
        return library.cast(library.put(like, result), dtype)
