"""The methods that match, and the methods of their results."""

import rebasin_fast as rf
from calls.judgement import Call
from calls.shared import (
    BATCHES,
    INPUTS,
    PAIR,
    SPEC,
    A,
    B,
    P,
    loss,
    many,
    matching,
    model,
    new_file,
    saved,
    symmetric_matching,
)
from rebasin_fast.matching import SinkhornOptions, StraightThroughOptions

TRAINED = {"epochs": 1, "learning_rate": 0.1, "patience": 1, "evaluate_every": 1, "rng": 0, "kept_batches": 1}
CHECKED_LATER = {"-1"}  # ranges are those of the method that takes the options
QUIET = {"progress": None, "strict": True}

CALLS = [
    Call(
        rf.weight_matching,
        lambda: {"spec": SPEC, **PAIR, "rng": 0, "max_iter": 5, "restarts": 1, "threads": 1},
        {"params_b": {"list"}},
    ),
    Call(
        rf.weight_matching, lambda: {"spec": SPEC, **PAIR, "init": P, "order": None, "memory_limit": 10**8}
    ),
    Call(rf.weight_matching, lambda: {"spec": SPEC, **PAIR, **QUIET, "visiting": "auto", "effort": "low"}),
    Call(rf.weight_matching, lambda: {"spec": SPEC, **PAIR, "device": None, "checkpoint": None}),
    Call(rf.weight_matching, lambda: {"spec": SPEC, **PAIR, "products": "float32"}),
    Call(
        rf.merge_many,
        lambda: {"spec": SPEC, "models": [A, B], "rng": 0, "max_iter": 3, "threads": 1, **QUIET},
    ),
    Call(
        rf.merge_many,
        lambda: {"spec": SPEC, "models": [A, B], "max_iter": 2, "method": "merge_many", "start": "growing"},
    ),
    Call(
        rf.merge_many,
        lambda: {"spec": SPEC, "models": [A, B], "max_iter": 2, "weights": [1, 1], "init": None, "effort": "low"},
    ),
    Call(
        rf.merge_many,
        lambda: {
            "spec": SPEC, "models": [A, B], "max_iter": 2, "memory_limit": 10**8, "checkpoint": None,
            "allow_nonfinite": False,
        },
    ),
    Call(
        rf.frank_wolfe_matching,
        lambda: {"spec": SPEC, **PAIR, "rng": 0, "max_iter": 3, "threads": 1, **QUIET},
    ),
    Call(
        rf.frank_wolfe_matching,
        lambda: {"spec": SPEC, **PAIR, "max_iter": 3, "starts": ["identity"], "tolerance": 1e-6, "init": None},
    ),
    Call(
        rf.activation_matching,
        lambda: {
            "spec": SPEC, "model_a": model(), "model_b": model(), "batches": [INPUTS], "similarity": "correlation",
            "taps": None, "activation_weight": 0.5, "symmetries": "permutations", **QUIET,
        },
    ),
    Call(
        rf.straight_through_matching,
        lambda: {"spec": SPEC, "model": model(), **PAIR, "batches": BATCHES, "loss": loss, **TRAINED},
    ),
    Call(
        rf.straight_through_matching,
        lambda: {
            "spec": SPEC, "model": model(), **PAIR, "batches": BATCHES, "loss": loss, "epochs": 1, **QUIET,
            "momentum": 0.9, "optimizer": None, "schedule": None, "max_iter": 2, "init": None, "evaluate": None,
        },
    ),
    Call(
        rf.straight_through_matching,
        lambda: {
            "spec": SPEC, "model": model(), **PAIR, "batches": BATCHES, "loss": loss, "epochs": 1,
            "symmetries": "all", "move_both": False, "gradient": "straight-through",
        },
    ),
    Call(rf.weight_matching, lambda: {"spec": SPEC, **PAIR, "symmetries": "permutations"}),
    Call(
        rf.SymmetricMatching.endpoints,
        lambda: {"params_a": A, "params_b": B},
        {"params_a": {"dict"}, "params_b": {"dict"}},
        instance=symmetric_matching,
    ),
    Call(rf.SymmetricMatching.apply, lambda: {"params_b": B}, {"params_b": {"dict"}}, instance=symmetric_matching),
    Call(
        rf.straight_through_matching,
        lambda: {
            "spec": SPEC, "model": model(), **PAIR, "batches": BATCHES, "loss": loss, "epochs": 1, "stop": None,
            "checkpoint": None, "checkpoint_every": None, "threads": 1, "options": None,
        },
    ),
    Call(
        rf.sinkhorn_matching,
        lambda: {"spec": SPEC, "model": None, **PAIR, "steps": 2, "learning_rate": 0.1, "rng": 0, **QUIET},
        {"model": {"None"}},
    ),
    Call(
        rf.sinkhorn_matching,
        lambda: {"spec": SPEC, "model": None, **PAIR, "steps": 2, "tau": 1.0, "iterations": 5, "noise": 0.1},
    ),
    Call(
        rf.sinkhorn_matching,
        lambda: {
            "spec": SPEC, "model": None, **PAIR, "steps": 2, "objective": "l2", "optimizer": None, "schedule": None,
            "init": None, "direction": "b_to_a", "stop": None, "options": None,
        },
    ),
    Call(
        rf.sinkhorn_matching,
        lambda: {
            "spec": SPEC, "model": model(), **PAIR, "objective": "midpoint", "batches": BATCHES, "loss": loss, **TRAINED
        },
    ),
    Call(
        SinkhornOptions,
        lambda: {"objective": "l2", "steps": 2, "epochs": 1, "tau": 1.0, "iterations": 5},
        {"tau": CHECKED_LATER},
    ),
    Call(
        SinkhornOptions,
        lambda: {"learning_rate": 0.1, "optimizer": None, "schedule": None, "noise": 0.0, "direction": "b_to_a"},
        {"learning_rate": CHECKED_LATER, "noise": CHECKED_LATER},
    ),
    Call(SinkhornOptions, lambda: {"evaluate_every": 1, "kept_batches": 1, "patience": None}),
    Call(StraightThroughOptions, lambda: {"symmetries": "all", "move_both": False, "gradient": "group"}),
    Call(
        StraightThroughOptions,
        lambda: {"epochs": 1, "learning_rate": 0.1, "optimizer": None, "schedule": None},
        {"learning_rate": CHECKED_LATER},
    ),
    Call(
        StraightThroughOptions,
        lambda: {"momentum": 0.9, "max_iter": 2, "evaluate_every": 1, "kept_batches": 1},
        {"momentum": CHECKED_LATER},
    ),
    Call(
        StraightThroughOptions,
        lambda: {"patience": None, "checkpoint_every": 1, "checkpoint": None, "strict": True, "threads": 1},
    ),
    Call(rf.Matching.agreement, lambda: {"other": matching()}, instance=matching),
    Call(rf.ManyMatching.between, lambda: {"onto": 0, "moved": 1}, {"onto": {"-1"}, "moved": {"-1"}}, many),
    Call(rf.ManyMatching.save, lambda: {"path": new_file("npz"), "overwrite": False}, instance=many),
    Call(rf.ManyMatching.load, lambda: {"path": saved(many()), "models": None, "weights": None}),
]  # fmt: skip
