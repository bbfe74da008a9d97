"""Match, align and merge neural networks by permuting their hidden units, exactly and fast."""

import rebasin_fast._terminal.startup  # noqa: F401  first of all: Ctrl-C while the modules of the command are imported

try:
    from rebasin_fast._core import build_config
except ImportError as error:  # pragma: no cover - a broken installation
    raise ImportError(
        f"the native core of rebasin_fast cannot be loaded ({error}); "
        "build it again, in the folder of the source: pip install --force-reinstall --no-deps ."
    ) from error

from rebasin_fast import axis, cuda, specs, tracing
from rebasin_fast._pretrained.model import PretrainedModel, load_pretrained
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
from rebasin_fast.evaluation.merge.method import merge
from rebasin_fast.evaluation.merge.result import Merged
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
    SymmetricMatching,
    SymmetricStraightThroughMatching,
    activation_matching,
    frank_wolfe_matching,
    merge_many,
    sinkhorn_matching,
    straight_through_matching,
    weight_matching,
)
from rebasin_fast.merging.interpolation import interpolate
from rebasin_fast.permutation import (
    Transform,
    apply_permutation,
    apply_transform,
    compose_permutations,
    compose_transforms,
    invert_permutation,
    invert_transform,
    normalise,
)
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
    "Merged",
    "MissingDependencyError",
    "ParamsError",
    "PermutationError",
    "PermutationSpec",
    "PretrainedModel",
    "Progress",
    "RebasinError",
    "SinkhornMatching",
    "SpecError",
    "StraightThroughMatching",
    "SymmetricMatching",
    "SymmetricStraightThroughMatching",
    "TracedSpec",
    "Transform",
    "__version__",
    "activation_matching",
    "apply_permutation",
    "apply_transform",
    "axis",
    "bottleneck_assignment",
    "build_config",
    "compose_permutations",
    "compose_transforms",
    "cuda",
    "frank_wolfe_matching",
    "interpolate",
    "invert_permutation",
    "invert_transform",
    "k_best_assignments",
    "linear_sum_assignment",
    "load_params",
    "load_pretrained",
    "loss_curve",
    "merge",
    "merge_many",
    "normalise",
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
