"""The result of a merge: the model, the table of candidates, the matching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from rebasin_fast import _arguments
from rebasin_fast._drawing import axes_of, label_axes
from rebasin_fast._terminal.legible import legible
from rebasin_fast._terminal.tables import table
from rebasin_fast._untrusted.schema import (
    MEASURED,
    WHOLE,
    ArrayOf,
    Count,
    Fields,
    Kind,
    ListOf,
    MapOf,
    Number,
    Optional,
    Text,
)
from rebasin_fast.errors import RebasinError
from rebasin_fast.evaluation.merge.matchings import MATCHING, METHODS, account_of, arrays_of, matching_from
from rebasin_fast.evaluation.merge.repairs import REPAIRS
from rebasin_fast.evaluation.result import Result
from rebasin_fast.merging.same_names import is_interpolated
from rebasin_fast.specs.spec import PermutationSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rebasin_fast.evaluation.merge.matchings import AnyMatching
    from rebasin_fast.typing import Array


@dataclass(frozen=True)
class Candidate:
    """One way of merging, and what was measured of it.

    Attributes
    ----------
    matching : str
        "identity", "weights", "activations" or "both"; "model 0", "model 1", … for the models themselves.
    repair : str
        "none", "reset" (BatchNorm statistics) or "repair" (REPAIR).
    t : float or None
        Place between two models; None for the average of more, and for the models themselves.
    values : dict[str, float]
        Metric -> value on the samples that measure; empty where there was no data.
    """

    matching: str
    repair: str
    t: float | None
    values: dict[str, float] = field(default_factory=dict)

    @property
    def is_end(self) -> bool:
        """Whether it is one of the models, not a merge."""
        return self.matching.startswith("model ")


CANDIDATE = Fields(
    {
        "matching": Text(),
        "repair": Text(REPAIRS),
        "t": Optional(Number(least=0.0, most=1.0)),
        "values": MapOf(MEASURED),
    }
)


@dataclass(frozen=True)
class Merged(Result):
    """One model made of several by :func:`rebasin_fast.merge`.

    Attributes
    ----------
    params : dict[str, array]
        The merged model, in the names, order of units, dtypes and devices of the first; a model as any other, for
        :func:`rebasin_fast.save_params` and ``load_state_dict``.
    table : list of Candidate
        The candidates, best first, so that ``table[0]`` is this model; then the models themselves.
    matching : Matching or ManyMatching
        That of ``table[0]``; a ``Matching`` for two models. Its ``stats`` are not in a file.
    spec : PermutationSpec
    metric : str or None
        The metric by which candidates were ordered; None without data.
    notes : list of str
        How the data was divided, and what could not be tried or decided.
    """

    params: dict[str, Array] = field(repr=False)
    table: list[Candidate]
    matching: AnyMatching
    spec: PermutationSpec = field(repr=False)
    metric: str | None
    notes: list[str]
    _title: ClassVar[str] = "merged model"
    _schema: ClassVar[Mapping[str, Kind]] = {
        "params": MapOf(ArrayOf()),
        "table": ListOf(CANDIDATE),
        "matching": MATCHING,
        "permutations": MapOf(ArrayOf(WHOLE)),
        "models": Count(least=2, most=100_000),
        "spec": Text(),
        "metric": Optional(Text()),
        "notes": ListOf(Text()),
    }

    @property
    def best(self) -> Candidate:
        """The candidate that this model is."""
        return self.table[0]

    @_arguments.checked()
    def plot(self, ax: Axes | None = None, *, metric: str | None = None) -> Axes:
        """Draw one metric of all candidates, that of the choice by default, as bars; returns the axes.

        Raises
        ------
        MissingDependencyError
            matplotlib is not installed.
        ValueError
            Nothing was measured, or no such metric was.
        """
        shown = self.metric if metric is None else metric
        measured = [one for one in self.table if shown in one.values]
        if shown is None or not measured:
            raise ValueError(f"nothing to draw: the metrics are {sorted(self.best.values)}, got {shown!r}")
        axes = axes_of(ax)
        axes.barh([_label(one) for one in measured], [one.values[shown] for one in measured])
        axes.invert_yaxis()
        return label_axes(axes, x=shown, y="")

    def to_dict(self) -> dict[str, Any]:
        """Everything but arrays, as JSON values."""
        return {
            "table": [asdict(one) for one in self.table],
            "metric": self.metric,
            "notes": list(self.notes),
            "matching": account_of(self.matching),
        }

    def columns(self) -> Mapping[str, list[Any]]:
        """Name -> column of the table, one row a candidate; None where a candidate lacks a metric."""
        return self._columns()

    def __str__(self) -> str:
        """The table and the notes as lines of text."""
        columns = self._columns()
        header = [legible(name) for name in columns]
        rows = [[_shown(value) for value in row] for row in zip(*columns.values(), strict=True)]
        lines = [table(rows, header, align="l" * 3 + "r" * (len(header) - 3))]
        return "\n".join([*lines, *(f"Note: {legible(note)}" for note in self.notes)])

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        columns = self._columns()
        head = "".join(f"<th>{escape(legible(name))}</th>" for name in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(legible(_shown(value)))}</td>" for value in row) + "</tr>"
            for row in zip(*columns.values(), strict=True)
        )
        notes = "".join(f"<p>{escape(legible(note))}</p>" for note in self.notes)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"

    def _columns(self) -> Mapping[str, Any]:
        metrics = dict.fromkeys(name for one in self.table for name in one.values)
        return {
            "matching": [one.matching for one in self.table],
            "repair": [one.repair for one in self.table],
            "t": [one.t for one in self.table],
            **{name: [one.values.get(name) for one in self.table] for name in metrics},
        }

    def _stored(self) -> dict[str, Any]:
        return {
            "params": dict(self.params),
            "table": [asdict(one) for one in self.table],
            "matching": account_of(self.matching),
            "permutations": arrays_of(self.matching),
            "models": 2 if not hasattr(self.matching, "permutations") else len(self.matching.permutations),
            "spec": self.spec.to_json(),
            "metric": self.metric,
            "notes": list(self.notes),
        }

    @classmethod
    def _restored(cls, values: dict[str, Any]) -> dict[str, Any]:
        spec = PermutationSpec.from_json(values.pop("spec"))
        permutations, models = values.pop("permutations", {}), values.pop("models")
        candidates = [Candidate(**row) for row in values["table"]]
        known = {*METHODS, *(f"model {number}" for number in range(models))}
        strange = next((one.matching for one in candidates if one.matching not in known), None)
        if strange is not None or not candidates or candidates[0].is_end:
            raise ValueError(f"its table names {strange!r} or no candidate first")
        if values["metric"] is not None and values["metric"] not in candidates[0].values:
            raise ValueError(f"it was chosen by {values['metric']!r}, which was not measured")
        _check_params(spec, values["params"], permutations)
        matching = matching_from(spec, values["matching"], permutations, models)
        return {**values, "table": candidates, "spec": spec, "matching": matching}


def _check_params(
    spec: PermutationSpec, params: Mapping[str, Array], permutations: Mapping[str, Array]
) -> None:
    """ValueError unless the parameters are such as the spec moves, and the permutations of their sizes."""
    try:
        sizes = spec.sizes(params)
    except RebasinError as error:
        raise ValueError(f"its parameters do not fit its spec: {error}") from None
    for name, entries in spec.axes_to_perm.items():
        moves = name in params and any(entry is not None for entry in entries)
        if moves and not is_interpolated(params[name]):
            raise ValueError(
                f"parameter {name!r} is of {params[name].dtype}, and a merged one is of floating point"
            )
    for place, index in permutations.items():
        name = place.partition("/")[2]
        if name in sizes and index.shape[-1:] != (sizes[name],):
            raise ValueError(
                f"the permutation {name!r} is of shape {index.shape}, and there are {sizes[name]} units"
            )


def _label(one: Candidate) -> str:
    return one.matching if one.is_end else f"{one.matching}, {one.repair}, t = {_shown(one.t)}"


def _shown(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.4g}"
