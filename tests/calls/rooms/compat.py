"""Other programs' names, and pictures and pages."""

from functools import lru_cache

import numpy as np

from calls.judgement import Call
from calls.shared import CURVE, PAIR, SPEC, matching, model, new_file
from rebasin_fast import plots, report
from rebasin_fast.compat import git_re_basin, sinkhorn_losses, sinkhorn_rebasin

RNG = np.random.default_rng(0)
PS = git_re_basin.mlp_permutation_spec(1)
SHAPES = {"Dense_0/kernel": (3, 4), "Dense_0/bias": (4,), "Dense_1/kernel": (4, 2), "Dense_1/bias": (2,)}
A, B = ({name: RNG.standard_normal(shape) for name, shape in SHAPES.items()} for _ in "ab")
PERM = {"P_0": np.array([1, 0, 3, 2])}


@lru_cache
def figure():
    return plots.plot_loss_curves({"a": CURVE})


CALLS = [
    Call(git_re_basin.apply_permutation, lambda: {"ps": PS, "perm": PERM, "params": A}, {"params": {"dict"}}),
    Call(
        git_re_basin.get_permuted_param,
        lambda: {"ps": PS, "perm": PERM, "k": "Dense_0/bias", "params": A, "except_axis": None},
    ),
    Call(git_re_basin.mlp_permutation_spec, lambda: {"num_hidden_layers": 1}),
    Call(git_re_basin.permutation_spec_from_axes_to_perm, lambda: {"axes_to_perm": {"w": ("P", None)}}),
    Call(
        git_re_basin.weight_matching,
        lambda: {"rng": 0, "ps": PS, "params_a": A, "params_b": B, "max_iter": 3, "init_perm": None, "silent": True},
        {"rng": {"-1", "0", "10**30"}},
    ),
    Call(sinkhorn_rebasin.matching, lambda: {"alpha": np.eye(3)}, {"alpha": {"empty array"}}),
    Call(
        sinkhorn_rebasin.RebasinNet,
        lambda: {
            "model": model(), "input_shape": (1, 3), "l": 1.0, "tau": 1.0, "n_iter": 20, "operator": "implicit",
            "permutation_type": "mat_mul", "spec": None,
        },
        {"l": {"-1"}},
    ),
    *(
        Call(loss, lambda: {"modela": model()})
        for loss in (sinkhorn_losses.DistL1Loss, sinkhorn_losses.DistL2Loss, sinkhorn_losses.DistCosineLoss)
    ),
    *(
        Call(loss, lambda: {"modela": model(), "criterion": len}, {"criterion": {"function"}})
        for loss in (sinkhorn_losses.MidLoss, sinkhorn_losses.RndLoss)
    ),
    Call(
        plots.plot_loss_curves,
        lambda: {
            "curves": {"a": CURVE}, "path": None, "metrics": None, "title": None, "subtitle": None,
            "metric_labels": None, "ends": ("a", "b"), "overwrite": False,
        },
    ),
    Call(plots.check_figure, lambda: {"path": new_file("svg"), "overwrite": False, "extra": "plot"}),
    Call(plots.save_figure, lambda: {"figure": figure(), "path": new_file("svg"), "overwrite": False}),
    Call(
        report.write_report,
        lambda: {
            "path": new_file("html"), "spec": SPEC, **PAIR, "matching": matching(), "names": ("a", "b"),
            "overwrite": False,
        },
    ),
]  # fmt: skip
