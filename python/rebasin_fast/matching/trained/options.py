"""Options of matchings that are trained by gradient steps, as frozen dataclasses beside the keywords."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import Any, TypeVar

from rebasin_fast import _arguments

MOST_RATE = 1e6  # beyond any that trains

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options that all methods trained by gradient steps take; names and meanings are those of their keywords."""

    epochs: int = 1
    learning_rate: float | None = 0.1
    optimizer: Callable[[list[Any]], Any] | None = None
    schedule: Callable[[Any], Any] | None = None
    evaluate_every: int = 10
    kept_batches: int = 4
    patience: int | None = None

    def __post_init__(self) -> None:
        """TypeError or ValueError, with the name, for an option of another kind."""
        _arguments.check_fields(
            self,
            epochs=1,
            evaluate_every=1,
            kept_batches=1,
            patience=1,
            steps=1,
            iterations=1,
            checkpoint_every=1,
        )

    def check_positive(self, *names: str) -> None:
        """ValueError unless the counts of all methods, and those of ``names``, are 1 or more, or None."""
        for name in ("epochs", "evaluate_every", "kept_batches"):
            _arguments.count(name, getattr(self, name))
        for name in ("patience", *names):
            _arguments.optional_count(name, getattr(self, name))
        _arguments.number("learning_rate", self.learning_rate, above=0.0, most=MOST_RATE)


def takes_options(kind: type[TrainingOptions]) -> Callable[[Method], Method]:
    """Let a method take ``options=``, of which every keyword that the caller gives replaces one.

    The method receives them in ``options`` and in the keywords of the same names alike.
    """
    names = frozenset(field.name for field in fields(kind))

    def decorate(method: Method) -> Method:
        @wraps(method)
        def call(*arguments: Any, options: TrainingOptions | None = None, **keywords: Any) -> Any:
            if options is not None and not isinstance(options, kind):
                raise TypeError(f"options is a {kind.__name__}, got {type(options).__qualname__}")
            given = {name: keywords.pop(name) for name in names & keywords.keys()}
            options = replace(options or kind(), **given)
            return method(*arguments, options=options, **vars(options), **keywords)

        return call  # type: ignore[return-value]

    return decorate
