"""Assignments, and the names of lap that are made of them."""

import numpy as np

import rebasin_fast as rf
from calls.judgement import Call
from calls.shared import COST
from rebasin_fast.compat import lap

# An empty matrix has an empty assignment, and a matrix of any shape one.
MATRIX = {"list", "empty array"}
BATCH = {*MATRIX, "3-d array"}
BATCH_OF_LAP = {"cost_limit": {"-1", "inf", "10**30"}}
CC, II, KK = COST.ravel(), np.arange(0, 17, 4), np.tile(np.arange(4), 4)

CALLS = [
    Call(
        rf.solve_assignment,
        lambda: {"cost": COST, "maximize": False, "cost_limit": 0.5, "partial": False},
        {"cost": BATCH, "cost_limit": {"-1", "inf", "10**30", "nan"}},
    ),
    Call(rf.solve_assignment, lambda: {"cost": COST, "warm_start": None, "threads": 1}, {"cost": BATCH}),
    Call(
        rf.k_best_assignments,
        lambda: {"cost": COST, "k": 2, "maximize": False, "threads": 1, "within": 1.0},
        {"cost": BATCH, "within": {"inf", "10**30"}},
    ),
    Call(
        rf.bottleneck_assignment, lambda: {"cost": COST, "maximize": False, "threads": 1}, {"cost": BATCH}
    ),
    *(
        Call(
            function,
            lambda: {"cost": COST, "extend_cost": False, "cost_limit": 1.0, "return_cost": True},
            {"cost": MATRIX, **BATCH_OF_LAP},
        )
        for function in (lap.lapjv, lap.lapjvx, lap.lapjvxa, lap.lapjvh, lap.lapjvr)
    ),
    Call(lap.lapjvc, lambda: {"cost": COST, "return_cost": True}, {"cost": {*MATRIX, "array of nan"}}),
    *(
        Call(function, lambda: {"cost": COST, "precision": "float64", "output": "indices"}, {"cost": MATRIX})
        for function in (lap.lapjvh, lap.lapjvr)
    ),
    *(
        Call(
            function,
            lambda: {"cost": COST, "extend_cost": False, "return_cost": True, "prefer_float32": True},
            {"cost": MATRIX},
        )
        for function in (lap.lapjvs, lap.lapjvsa)
    ),
    Call(lap.lapjvs, lambda: {"cost": COST, "jvx_like": True}, {"cost": MATRIX}),
    *(
        Call(
            function,
            lambda: {"costs": COST[None], "extend_cost": False, "cost_limit": 1.0, "return_cost": True, "n_threads": 1},
            {"costs": BATCH, **BATCH_OF_LAP},
        )
        for function in (lap.lapjvx_batch, lap.lapjvxa_batch, lap.lapjvh_batch, lap.lapjvr_batch)
    ),
    *(
        Call(function, lambda: {"costs": COST[None], "precision": "float64", "output": "indices"}, {"costs": BATCH})
        for function in (lap.lapjvh_batch, lap.lapjvr_batch)
    ),
    *(
        Call(
            function,
            lambda: {
                "costs": COST[None], "extend_cost": False, "return_cost": True, "n_threads": 1, "prefer_float32": True
            },
            {"costs": BATCH},
        )
        for function in (lap.lapjvs_batch, lap.lapjvsa_batch)
    ),
    Call(
        lap.lapmod,
        lambda: {"n": 4, "cc": CC, "ii": II, "kk": KK, "fast": True, "return_cost": True, "fp_version": lap.FP_2},
    ),
    Call(
        lap.lapmod_batch,
        lambda: {
            "problems": [(4, CC, II, KK)], "fast": True, "return_cost": True, "fp_version": lap.FP_2, "n_threads": 1
        },
        {"problems": {"list"}},
    ),
]  # fmt: skip
