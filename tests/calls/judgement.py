"""The judgement of the answer of a public function that was called with one argument wrong."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import rebasin_fast as rf


@dataclass(frozen=True)
class Call:
    """A public function with arguments that are right, and the kinds of nonsense that make sense in a place."""

    function: Callable[..., Any]
    arguments: Callable[[], dict[str, Any]]
    sensible: dict[str, set[str]] = field(default_factory=dict)
    instance: Callable[[], Any] | None = None  # of a method: its object
    documented: tuple[type[Exception], ...] = ()  # other errors that its docstring names

    @property
    def name(self) -> str:
        return self.function.__qualname__

    def __call__(self, **arguments: Any) -> Any:
        return self.function(*(() if self.instance is None else (self.instance(),)), **arguments)

    def may_pass(self, argument: str) -> set[str]:
        """The kinds that make sense, by the annotation of the argument and by this call's own list."""
        signature = inspect.signature(self.function)
        parameter = signature.parameters[argument]
        parts = split_union(str(parameter.annotation))
        optional = {"None"} if parameter.default is None else set()
        return optional.union(self.sensible.get(argument, ()), *(SENSIBLE.get(part, set()) for part in parts))

    def takes_functions(self, argument: str) -> bool:
        """Whether the argument may be a function of the user, whose errors are the user's own."""
        parts = split_union(str(inspect.signature(self.function).parameters[argument].annotation))
        return bool(
            {"Callable", "Loss", "ProgressCallback", "Batches", "Schedule", "Rule"}.intersection(parts)
        )


PATHS = {"text"}
TEXTS = {"text", "empty text", "NUL", "long text"}
NAMES = {"list", "array of text"}
# What an annotation lets pass.
SENSIBLE: dict[str, set[str]] = {
    "None": {"None"}, "bool": {"True", "0"}, "int": {"0"}, "float": {"0", "1.5", "0-d array"}, "str": TEXTS,
    "os.PathLike[str]": PATHS, "PathLike[str]": PATHS, "PathLike": PATHS, "Sequence[str]": NAMES,
    "Collection[str]": NAMES, "Iterable[str]": NAMES, "Sequence[str | None]": NAMES, "Mapping[str, str]": {"dict"},
    "Rng": {"None", "0", "10**30"},
    "Mapping[str, int]": {"dict", "dict of numbers"}, "Schedule": {"0", "1.5", "0-d array"},
    "Entry": {"None", *TEXTS}, "Sequence[Entry]": NAMES, "Sequence[int]": {"list of a number"},
    "Sequence[Shortcut]": {"mixed list", "array of text", "list of a number"}, "TapNames": {"dict"},
    "Sequence[tuple[int, int]]": {"list"}, "ArrayLike": {"-1", "0", "1.5", "10**30", "list", "list of a number",
    "0-d array", "empty array", "3-d array"}, "Order": {"list"}, "Sequence[Start]": {"list"},
    "tuple[str, str]": {"array of text"},
    "Mapping[str, ParamsPath | NDArray[np.float64]]": {"dict"}, "Mapping[str, Sequence[str | None]]": {"dict"},
}  # fmt: skip
# Other words by which messages may name an argument.
ALSO = {
    "spec": ("PermutationSpec",), "ps": ("PermutationSpec",), "params_a": ("parameters of A",),
    "params_b": ("parameters of B",), "params_c": ("parameters of C",), "params": ("the parameters",),
    "cost": ("matrix",), "init": ("permutation",),
    "models": ("model 0", "model 1"), "inputs": ("input",), "example_inputs": ("input",),
}  # fmt: skip


def split_union(annotation: str) -> list[str]:
    """The alternatives of ``A | B``; functions of any signature are one."""
    parts, depth = [""], 0
    for letter in annotation:
        depth += (letter in "[(") - (letter in ")]")
        if letter == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return ["Callable" if "Callable[" in part else part.strip() for part in parts]


def wrong_answer(call: Call, argument: str, kind: str, nonsense: Any) -> str | None:
    """The fault of an answer: accepted, from inside, or without the name of the argument; None if it is right."""
    arguments = {**call.arguments(), argument: nonsense}
    try:
        call(**arguments)
    except rf.RebasinError:
        return None
    except (TypeError, ValueError) as error:
        names = (argument, *ALSO.get(argument, ()))
        if any(name.replace("_", " ") in str(error).replace("_", " ") for name in names):
            return None
        return f"{type(error).__name__}: {str(error)[:120]}"
    except call.documented:
        return None
    except Exception as error:
        return f"{type(error).__name__} from inside: {str(error)[:120]}"
    return None if kind in call.may_pass(argument) else "accepted"
