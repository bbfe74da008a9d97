"""Permutation specs: which permutation moves which axis of which parameter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from math import lgamma, log
from types import MappingProxyType
from typing import Any

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._arrays import check_mapping
from rebasin_fast._untrusted import brief, parse_json
from rebasin_fast.errors import SpecError
from rebasin_fast.specs.axis import Entry, chains_of, check_entry, merge_joined, shown
from rebasin_fast.specs.axis_json import entry_from_json, entry_to_json
from rebasin_fast.specs.layout import common_parents, count_copies
from rebasin_fast.specs.sizes import check_coverage, check_ranks, resolve_sizes
from rebasin_fast.specs.symmetry import (
    Symmetry,
    check_symmetries,
    renamed_symmetries,
    symmetries_from_json,
    symmetries_to_json,
)
from rebasin_fast.typing import Params, Rng

_JSON_FORMAT = "rebasin_fast.permutation_spec/1"


class PermutationSpec:
    """For each axis of each parameter, the permutation that moves it, and how.

    Parameters
    ----------
    axes : Mapping[str, Sequence[Entry]]
        For each parameter, one entry per axis; see :mod:`rebasin_fast.axis`. The ``axes_to_perm`` of
        git-re-basin (names and None only) is accepted as it is. Parameters without axes have ``()``.
    unmatched : Iterable[str]
        Parameters that move with their units but stay out of the objective, as BatchNorm statistics do.
    sizes : Mapping[str, int], optional
        Sizes of permutations that no single axis determines, as the number of heads in ``Product("heads", "dims")``.
    symmetries : Iterable[Symmetry]
        Groups beyond permutations that act on units; see :mod:`rebasin_fast.specs.symmetry`.

    Raises
    ------
    SpecError
        An object is no axis entry; a symmetry does not fit the axes; or ``unmatched`` or ``sizes`` has a name that
        ``axes`` lacks.

    Notes
    -----
    Immutable and hashable. Convention of git-re-basin: ``perm[p][i] = j`` fills slot i of A with unit j of B.

    Examples
    --------
    >>> import numpy as np, rebasin_fast as rf
    >>> spec = rf.PermutationSpec({"fc1.weight": ("P", None), "fc1.bias": ("P",), "fc2.weight": (None, "P")})
    >>> spec.perm_to_axes
    {'P': [('fc1.weight', 0), ('fc1.bias', 0), ('fc2.weight', 1)]}
    >>> spec.sizes({"fc1.weight": np.ones((3, 2)), "fc1.bias": np.ones(3), "fc2.weight": np.ones((1, 3))})
    {'P': 3}
    """

    def __init__(
        self,
        axes: Mapping[str, Sequence[Entry]],
        unmatched: Iterable[str] = (),
        *,
        sizes: Mapping[str, int] | None = None,
        symmetries: Iterable[Symmetry] = (),
    ) -> None:
        if not isinstance(axes, Mapping):
            raise SpecError(
                f"a spec is made from a mapping of parameter names to axis entries, got {type(axes).__qualname__}"
            )
        self._axes = {name: _checked_entries(name, entries) for name, entries in axes.items()}
        self._unmatched = tuple(sorted(_arguments.names("unmatched", unmatched, least=0)))
        unknown = [name for name in self._unmatched if name not in self._axes]
        if unknown:
            raise SpecError(f"unmatched names {unknown[0]!r}, which has no entry in axes")
        if sizes is not None and not isinstance(sizes, Mapping):
            raise SpecError(f"sizes maps names of permutations to numbers, got {type(sizes).__qualname__}")
        self._declared_sizes = dict(sizes or {})
        self._perm_to_axes = _positions_of_permutations(self._axes)
        for name, size in self._declared_sizes.items():
            if name not in self._perm_to_axes:
                raise SpecError(f"sizes names {name!r}, which stands on no axis")
            if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
                raise SpecError(f"sizes[{name!r}] must be a positive integer, got {brief(size)}")
            self._declared_sizes[name] = int(size)
        self._parents = _parents_of_permutations(self._axes)
        self._symmetries = check_symmetries(symmetries, self._perm_to_axes)

    @property
    def axes_to_perm(self) -> dict[str, tuple[Entry, ...]]:
        """Parameter -> one entry per axis, in the order given."""
        return dict(self._axes)

    @property
    def perm_to_axes(self) -> dict[str, list[tuple[str, int]]]:
        """Permutation -> the (parameter, axis) pairs it moves; in order of first appearance."""
        return {name: list(places) for name, places in self._perm_to_axes.items()}

    @property
    def permutations(self) -> tuple[str, ...]:
        """Names of the permutations, in order of first appearance in ``axes``."""
        return tuple(self._perm_to_axes)

    @property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """Permutation -> the permutations it stands within, outermost first; () for most."""
        return MappingProxyType(self._parents)

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Parameters that move but stay out of the objective."""
        return self._unmatched

    @property
    def declared_sizes(self) -> dict[str, int]:
        """The ``sizes`` that the spec was made with."""
        return dict(self._declared_sizes)

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Groups beyond permutations that act on units; none unless they were given or derived."""
        return self._symmetries

    @_arguments.checked()
    def sizes(self, params: Params) -> dict[str, int]:
        """Number of units of each permutation, read from the shapes of ``params``.

        Parameters
        ----------
        params : Mapping[str, array]
            Anything with a ``shape``; names that the spec does not have are ignored.

        Returns
        -------
        dict[str, int]
            In the order of ``permutations``; without those that stand on none of ``params``.

        Raises
        ------
        SpecError
            Two axes disagree, an axis has a length that no size gives, or a size cannot be determined.
        """
        check_mapping(params, "the parameters")
        check_ranks(self._axes, params)
        sizes = resolve_sizes(self._axes, params, self._declared_sizes)
        return {name: sizes[name] for name in self._perm_to_axes if name in sizes}

    @_arguments.checked()
    def log10_symmetries(self, params: Params) -> float:
        """Exact log10 of the number of networks that equal ``params``: the sum of log10(n!) over permutations.

        Published counts differ where they round each layer down or ignore shared permutations. Raises the errors
        of :meth:`sizes`.

        Examples
        --------
        >>> import numpy as np, rebasin_fast as rf
        >>> round(rf.PermutationSpec({"w": ("P", None)}).log10_symmetries({"w": np.ones((10, 2))}), 3)
        6.56
        """
        sizes = self.sizes(params)
        total = sum(count_copies(self._parents[p], sizes) * lgamma(n + 1) for p, n in sizes.items())
        return total / log(10)

    @_arguments.checked()
    def validate(self, params: Params) -> None:
        """Check that the spec names each parameter of ``params`` and fits its shape; None when it does.

        Parameters
        ----------
        params : Mapping[str, array]
            Anything with a ``shape``.

        Raises
        ------
        SpecError
            The message names the parameter, the axis, the size found and the size expected.

        Examples
        --------
        >>> import numpy as np, rebasin_fast as rf
        >>> rf.PermutationSpec({"w": ("P", None)}).validate({"w": np.ones((3, 2))})
        """
        check_coverage(self._axes, params)
        self.sizes(params)

    @_arguments.checked()
    def verify(self, model: Any, example_inputs: Any, rng: Rng = 0) -> None:
        """Prove on ``model`` that random permutations of each name, and symmetries, leave its function as it is.

        See :func:`rebasin_fast.permutation.verify.verify_spec`, which this calls.

        Examples
        --------
        >>> import torch, rebasin_fast as rf
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 1))
        >>> rf.specs.mlp(["0", "2"]).verify(model, torch.zeros(4, 2))
        """
        from rebasin_fast.permutation.verify import verify_spec

        verify_spec(self, model, example_inputs, rng=rng)

    @_arguments.checked()
    def with_prefix(self, prefix: str) -> PermutationSpec:
        """The same spec for parameters whose names begin with ``prefix`` (``module.``, ``model.``).

        Examples
        --------
        >>> import rebasin_fast as rf
        >>> rf.PermutationSpec({"w": ("P", None)}).with_prefix("module.").axes_to_perm
        {'module.w': ('P', None)}
        """
        return self.renamed({name: prefix + name for name in self._axes})

    @_arguments.checked()
    def renamed(self, names: Mapping[str, str]) -> PermutationSpec:
        """The same spec for other names: ``names`` maps those of this spec; others stay.

        Examples
        --------
        >>> import rebasin_fast as rf
        >>> rf.PermutationSpec({"w": ("P", None)}).renamed({"w": "weight"}).axes_to_perm
        {'weight': ('P', None)}
        """
        check_renaming(self._axes, names)
        return PermutationSpec(
            {names.get(name, name): entries for name, entries in self._axes.items()},
            [names.get(name, name) for name in self._unmatched],
            sizes=self._declared_sizes,
            symmetries=renamed_symmetries(self._symmetries, names),
        )

    def with_symmetries(self, symmetries: Iterable[Symmetry]) -> PermutationSpec:
        """The same spec with other symmetries than its own; SpecError for one that does not fit the axes.

        Examples
        --------
        >>> import rebasin_fast as rf
        >>> from rebasin_fast.specs.symmetry import Role, Symmetry
        >>> spec = rf.PermutationSpec({"up": ("P", None), "down": (None, "P")})
        >>> signs = Symmetry("P", "signs", (Role("up", 0, (1,)), Role("down", 1, (-1,))))
        >>> spec.with_symmetries([signs]).symmetries[0].group
        'signs'
        """
        other = copy(self)
        other._symmetries = check_symmetries(symmetries, self._perm_to_axes)
        return other

    def to_json(self) -> str:
        """The spec as JSON text, read back by :meth:`from_json`."""
        fields: dict[str, Any] = {
            "format": _JSON_FORMAT,
            "axes": {name: [entry_to_json(e) for e in entries] for name, entries in self._axes.items()},
            "unmatched": list(self._unmatched),
            "sizes": self._declared_sizes,
        }
        if self._symmetries:  # a spec of permutations alone keeps its digest
            fields["symmetries"] = symmetries_to_json(self._symmetries)
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> PermutationSpec:
        """The spec of a text of :meth:`to_json`; SpecError for other texts.

        Examples
        --------
        >>> import rebasin_fast as rf
        >>> spec = rf.PermutationSpec({"w": ("P", None)})
        >>> rf.PermutationSpec.from_json(spec.to_json()) == spec
        True
        """
        if not isinstance(text, str | bytes):
            raise SpecError(f"the JSON of a permutation spec is a text, got {type(text).__qualname__}")
        try:
            fields = parse_json(text)
        except ValueError as error:
            raise SpecError(f"this is not the JSON of a permutation spec: {error}") from None
        if not isinstance(fields, dict) or fields.get("format") != _JSON_FORMAT:
            raise SpecError(
                f'this is not the JSON of a permutation spec: expected "format": "{_JSON_FORMAT}"'
            )
        listed: Any = fields.get("axes")
        unmatched, sizes = fields.get("unmatched"), fields.get("sizes")
        _check_kind("axes", listed, dict)
        for name, entries in listed.items():
            _check_kind(f"the entries of {brief(name)}", entries, list)
        _check_kind("unmatched", [] if unmatched is None else unmatched, list)
        try:
            axes = {name: [entry_from_json(e) for e in entries] for name, entries in listed.items()}
            symmetries = symmetries_from_json(fields.get("symmetries", ()))
            return cls(axes, unmatched or (), sizes=sizes, symmetries=symmetries)
        except SpecError:
            raise
        except (TypeError, ValueError) as error:
            raise SpecError(f"the JSON of the permutation spec is malformed: {error}") from None

    def digest(self) -> str:
        """SHA-256 of the JSON of its permutations in canonical form, to check that a saved permutation belongs to it.

        Symmetries have no part in it: the same permutations belong to a spec with and without them.
        """
        fields = json.loads(self.to_json())
        fields.pop("symmetries", None)
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def _key(self) -> tuple[Any, ...]:
        sizes = tuple(sorted(self._declared_sizes.items()))
        return (tuple(self._axes.items()), self._unmatched, sizes, self._symmetries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PermutationSpec) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"PermutationSpec({len(self._axes)} parameters, {len(self._perm_to_axes)} permutations)"


def _check_kind(what: str, found: object, kind: type) -> None:
    if not isinstance(found, kind):
        expected = "an object" if kind is dict else "a list"
        raise SpecError(
            f"the JSON of the permutation spec is malformed: {what} must be {expected}, got {brief(found)}"
        )


def check_renaming(names: Iterable[str], renamed: Mapping[str, str]) -> None:
    """SpecError where two of ``names`` would be one."""
    seen: dict[str, str] = {}
    for name in names:
        new = renamed.get(name, name)
        if new in seen:
            raise SpecError(f"two parameters would be {new!r}: {seen[new]!r} and {name!r}")
        seen[new] = name


def _checked_entries(name: str, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    if isinstance(entries, str) or not isinstance(entries, Iterable):
        raise SpecError(f"{name!r} needs a tuple with one entry per axis, got {shown(entries)}")
    try:
        checked = tuple(check_entry(entry) for entry in entries)
        merged = merge_joined(checked)
    except SpecError as error:
        raise SpecError(f"{name!r}: {error}") from None
    for entry, _ in merged:
        for chain in chains_of(entry):
            if len(set(chain)) < len(chain):
                raise SpecError(f"{name!r}: a permutation stands within itself in {shown(entry)}")
    return checked


def _positions_of_permutations(axes: Mapping[str, tuple[Entry, ...]]) -> dict[str, list[tuple[str, int]]]:
    places: dict[str, list[tuple[str, int]]] = {}
    for name, entries in axes.items():
        for axis, entry in enumerate(entries):
            for permutation in dict.fromkeys(p for chain in chains_of(entry) for p in chain):
                places.setdefault(permutation, []).append((name, axis))
    return places


def _parents_of_permutations(axes: Mapping[str, tuple[Entry, ...]]) -> dict[str, tuple[str, ...]]:
    seen: dict[str, list[tuple[str, ...]]] = {}
    for entries in axes.values():
        for entry, _ in merge_joined(entries):
            for chain in chains_of(entry):
                for depth, permutation in enumerate(chain):
                    seen.setdefault(permutation, []).append(chain[:depth])
    return {permutation: common_parents(outers) for permutation, outers in seen.items()}
