"""Match, align and merge neural networks by permuting their hidden units, exactly and fast."""

try:
    from rebasin_fast._core import build_config
except ImportError as error:  # pragma: no cover - a broken installation
    raise ImportError(
        f"the native core of rebasin_fast cannot be loaded ({error}); "
        "build it again, in the folder of the source: pip install --force-reinstall --no-deps ."
    ) from error

from rebasin_fast import axis, cuda, specs, tracing
from rebasin_fast.assignment import (
    Assignment,
    AssignmentBatch,
    BottleneckAssignment,
    KBestAssignments,
    bottleneck_assignment,
    k_best_assignments,
    linear_sum_assignment,
    solve_assignment,
)
from rebasin_fast.errors import (
    CostOverflowError,
    DataError,
    DeviceError,
    FileFormatError,
    InfeasibleError,
    MissingDependencyError,
    ParamsError,
    PermutationError,
    RebasinError,
    SpecError,
)
from rebasin_fast.evaluation.batch_norm import reset_batch_norm
from rebasin_fast.evaluation.curve import LossCurve, loss_curve
from rebasin_fast.evaluation.repair import repair
from rebasin_fast.files import load_params, save_params
from rebasin_fast.matching import (
    FrankWolfeMatching,
    ManyMatching,
    Matching,
    MatchingStats,
    Progress,
    SinkhornMatching,
    StraightThroughMatching,
    activation_matching,
    frank_wolfe_matching,
    merge_many,
    sinkhorn_matching,
    straight_through_matching,
    weight_matching,
)
from rebasin_fast.merging.interpolation import interpolate
from rebasin_fast.permutation import apply_permutation, compose_permutations, invert_permutation
from rebasin_fast.specs.spec import PermutationSpec
from rebasin_fast.tracing import TracedSpec, trace_spec

__version__: str = build_config()["version"]

__all__ = [
    "Assignment",
    "AssignmentBatch",
    "BottleneckAssignment",
    "CostOverflowError",
    "DataError",
    "DeviceError",
    "FileFormatError",
    "FrankWolfeMatching",
    "InfeasibleError",
    "KBestAssignments",
    "LossCurve",
    "ManyMatching",
    "Matching",
    "MatchingStats",
    "MissingDependencyError",
    "ParamsError",
    "PermutationError",
    "PermutationSpec",
    "Progress",
    "RebasinError",
    "SinkhornMatching",
    "SpecError",
    "StraightThroughMatching",
    "TracedSpec",
    "__version__",
    "activation_matching",
    "apply_permutation",
    "axis",
    "bottleneck_assignment",
    "build_config",
    "compose_permutations",
    "cuda",
    "frank_wolfe_matching",
    "interpolate",
    "invert_permutation",
    "k_best_assignments",
    "linear_sum_assignment",
    "load_params",
    "loss_curve",
    "merge_many",
    "repair",
    "reset_batch_norm",
    "save_params",
    "sinkhorn_matching",
    "solve_assignment",
    "specs",
    "straight_through_matching",
    "trace_spec",
    "tracing",
    "weight_matching",
]
