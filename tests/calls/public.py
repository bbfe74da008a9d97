"""Every public function, method and constructor, and those that need no place among the calls, with the reason."""

import importlib
import inspect
from collections.abc import Iterator

MODULES = (
    "", "analysis", "axis", "compat.git_re_basin", "compat.lap", "compat.sinkhorn_losses", "compat.sinkhorn_rebasin",
    "continual", "cuda", "evaluation", "files", "matching", "merging", "permutation", "plots",
    "report", "specs", "tracing",
)  # fmt: skip

# A name, or the parameter of one: the reason why nonsense is not tried there.
EXCEPTIONS = {
    "linear_sum_assignment": "answers as SciPy's does, word for word: tests/assignment/test_scipy_contract.py",
    "Concat": "takes any number of pieces: test_pieces_of_a_concat",
    "Slice.continues_in": "compares two slices",
    "TracedSpec.__init__": "made by trace_spec; what it shares with PermutationSpec is tried there",
    "atomic_write": "a context manager of this package's writers",
    "LoadedParams.__init__": "made by load_params",
    "load_pretrained": "needs folders of transformers: tests/pretrained",
    "PretrainedModel.save": "needs folders of transformers: tests/pretrained",
    "RebasinNet.remove_nodes": "without effect",
    "RebasinNet.forward": "a torch module: torch's own errors",
    "RebasinNet.train": "a torch module: torch's own errors",
    "RebasinNet.to": "a torch module: torch's own errors",
    "RebasinNet.parameters": "a torch module: torch's own errors",
    "RebasinNet.zero_grad": "a torch module: torch's own errors",
    "RebasinNet.update_batchnorm": "a torch module: torch's own errors",
    "DistL1Loss.forward": "a torch module: torch's own errors",
    "DistL2Loss.forward": "a torch module: torch's own errors",
    "DistCosineLoss.forward": "a torch module: torch's own errors",
    "MidLoss.forward": "a torch module: torch's own errors",
    "RndLoss.forward": "a torch module: torch's own errors",
    "matching.kwargs": "maximize alone; others are a TypeError with their names",
    "Result.plot": "defined by each result",
    "TracedSpec.without_symmetries": "called by trace_spec with symmetries of the spec",
    "TracedSpec.validate": "that of PermutationSpec, with fewer names",
    "_Loss.set_model": "called by the constructor, where it is tried",
    "Call": "for those who write a rule of the tracer: its errors are the rule's",
    "Value": "for those who write a rule of the tracer: its errors are the rule's",
    "Group": "for those who write a rule of the tracer: its errors are the rule's",
    "SinkhornOptions.check": "called by sinkhorn_matching",
    "TrainingOptions.check_positive": "called by the methods that are trained",
    "PermutationSpec.symmetries": "made by trace_spec; each is checked against the axes (check_symmetries)",
    "PermutationSpec.with_symmetries.symmetries": "as the constructor's",
    "SymmetricStraightThroughMatching.endpoints": "that of SymmetricMatching",
    "PermutationSpec.axes_to_perm": "the published class, a named tuple",
    "PermutationSpec.perm_to_axes": "the published class, a named tuple",
}
# Results are made by this package, from values that it has checked, and read again from files that are checked whole.
RESULTS = (
    "Agreement", "Assignment", "AssignmentBatch", "BottleneckAssignment", "DistanceReduction", "Episode", "FrozenAxis",
    "FrankWolfeMatching", "InputAlignment", "KBestAssignments", "LossPlane", "LossSimplex", "ManyMatching", "Matching",
    "MatchingStats", "Merged", "ModeCurve", "MutualBarriers", "PermutationFile", "PretrainedModel", "Progress",
    "RankedAssignment",
    "SinkhornMatching", "SingularAlignment", "Source", "StraightThroughMatching", "SymmetricMatching",
    "SymmetricStraightThroughMatching", "TaylorBarrier", "Transform", "Normalised",
)  # fmt: skip


def public_functions() -> Iterator[object]:
    """Functions, methods and classes that can be called, each once; without exceptions, and modules of torch's."""
    seen = set()
    for name in MODULES:
        module = importlib.import_module(f"rebasin_fast.{name}".rstrip("."))
        for value in (getattr(module, public) for public in exported(module)):
            for function in (value, *methods_of(value)):
                if callable(function) and function not in seen:
                    seen.add(function)
                    yield function


def exported(module):
    own = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return getattr(
        module, "__all__", [name for name in own if getattr(own[name], "__module__", "") == module.__name__]
    )


def methods_of(value) -> Iterator[object]:
    if not inspect.isclass(value) or issubclass(value, BaseException):
        return
    for base in value.__mro__:
        for name, member in vars(base).items():
            function = getattr(member, "__func__", member)
            public = not name.startswith("_") or (name == "__call__" and base is value)
            if public and inspect.isfunction(function) and function.__module__.startswith("rebasin_fast"):
                yield function


def places_of(function) -> dict[str, str]:
    """The parameters of a function, each with its place: the key of :data:`EXCEPTIONS`."""
    if inspect.isclass(function) and (issubclass(function, BaseException) or function.__name__ in RESULTS):
        return {}
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # of the compiled core, without parameters
        return {}
    name = function.__qualname__
    return {p.name: f"{name}.{p.name}" for p in parameters if p.name not in ("self", "cls")}


def is_excepted(function, parameter: str) -> bool:
    name = function.__qualname__
    keys = (name, name.split(".")[0], f"{name}.{parameter}", f"{name}.__init__")
    return any(key in EXCEPTIONS for key in keys)
