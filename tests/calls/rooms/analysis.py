"""Analyses, and incremental learning."""

from functools import lru_cache

import numpy as np

from calls.judgement import Call
from calls.shared import BATCHES, INPUTS, PAIR, SPEC, A, B, C, P, evaluate, loss, model, new_file, saved
from rebasin_fast import analysis
from rebasin_fast.continual import Episode, RebasinLearner

SHORT = {"steps": 1, "rng": 0}


@lru_cache
def results():
    """A result of each class of an analysis."""
    net = model()
    return {
        type(result).__name__: result
        for result in (
            analysis.permutation_agreement(P, P),
            analysis.distance_reduction(SPEC, A, B, P),
            analysis.input_alignment(net, A, [INPUTS]),
            analysis.loss_plane(evaluate, A, B, C, points=3),
            analysis.loss_simplex(evaluate, [A, B, C], points_per_edge=3),
            analysis.connect(net, A, B, BATCHES, steps=1),
            analysis.mutual_barriers(evaluate, {"a": A, "b": B}, ts=3),
            analysis.singular_alignment(SPEC, A, B),
            analysis.taylor_barrier(net, A, B, BATCHES, loss, ts=3),
            learner().learn(BATCHES),
        )
    }


def learner(**options):
    return RebasinLearner(model(), SPEC, loss=loss, **options)


def of(name):
    return lambda: results()[name]


def method(name, method_name, **arguments):
    return Call(
        getattr(type(results()[name]), method_name),
        lambda: arguments,
        instance=of(name),
        documented=(KeyError,),
    )


METRIC = {"metric": "loss", "higher_is_better": None}
CALLS = [
    Call(
        analysis.connect,
        lambda: {"model": model(), **PAIR, "batches": BATCHES, "loss": loss, "kind": "bezier", "bends": 1, **SHORT},
    ),
    Call(
        analysis.connect,
        lambda: {
            "model": model(), **PAIR, "batches": BATCHES, "epochs": 1, "learning_rate": 0.1, "momentum": 0.9,
            "weight_decay": 0.0,
        },
    ),
    Call(
        analysis.connect,
        lambda: {
            "model": model(), **PAIR, "batches": BATCHES, "steps": 1, "optimizer": None, "schedule": None,
            "checkpoint": None, "checkpoint_every": None, "progress": None,
        },
    ),
    Call(analysis.distance_reduction, lambda: {"spec": SPEC, **PAIR, "permutation": P}),
    Call(
        analysis.input_alignment,
        lambda: {
            "model": model(), "params": A, "batches": [INPUTS], "vectors": None, "layers": ["fc1.weight"],
            "progress": None,
        },
    ),
    Call(
        analysis.loss_plane,
        lambda: {
            "evaluate": evaluate, **PAIR, "params_c": C, "points": 3, "margin": 0.1, "allow_nonfinite": False,
            "progress": None,
        },
    ),
    Call(
        analysis.loss_simplex,
        lambda: {
            "evaluate": evaluate, "models": [A, B, C], "points_per_edge": 3, "progress": None, "allow_nonfinite": False
        },
    ),
    Call(
        analysis.mutual_barriers, lambda: {"evaluate": evaluate, "models": [A, B], "ts": 3, "progress": None}
    ),
    Call(analysis.permutation_agreement, lambda: {"first": P, "second": P, "spec": None}),
    Call(
        analysis.singular_alignment,
        lambda: {"spec": SPEC, **PAIR, "permutation": None, "threshold": 0.3, "progress": None},
    ),
    Call(
        analysis.taylor_barrier,
        lambda: {
            "model": model(), **PAIR, "batches": BATCHES, "loss": loss, "order": 2, "t": 0.5, "ts": 3,
            "batch_norm": "running", "progress": None,
        },
        {"ts": {"list", "list of a number"}},  # the ends and t are measured too
    ),
    method("Agreement", "plot", ax=None, label=None, style=0),
    method("DistanceReduction", "plot", ax=None),
    method("InputAlignment", "plot", ax=None, layer=None),
    method("LossPlane", "plot", ax=None, metric=None, labels=("A", "B", "C"), lines=((0, 1),), paths=None),
    Call(analysis.LossPlane.plot, lambda: {"top": None, "levels": 5}, {"top": {"-1"}}, of("LossPlane")),
    method("LossPlane", "project", params=A),
    Call(analysis.LossPlane.along, lambda: {"path": results()["ModeCurve"], "ts": 3}, instance=of("LossPlane")),
    method("LossSimplex", "plot", ax=None, metric=None),
    method("LossSimplex", "barrier", **METRIC),
    method("LossSimplex", "edge_barriers", **METRIC),
    method("LossSimplex", "excess", **METRIC),
    method("LossSimplex", "curve", first=0, second=1),
    method("ModeCurve", "plot", ax=None, window=None),
    method("ModeCurve", "at", t=0.5),
    method("MutualBarriers", "plot", ax=None, definition="mean", metric=None),
    method("MutualBarriers", "barriers", definition="mean", **METRIC),
    method("MutualBarriers", "curve", first="a", second="b"),
    method("SingularAlignment", "plot", ax=None, show="ratios", layer=None, label=None, style=0),
    method("SingularAlignment", "at", threshold=0.3),
    method("TaylorBarrier", "plot", ax=None),
    Call(
        analysis.TaylorBarrier.estimated_barrier, lambda: {"t": None, "order": None}, {"t": {"-1"}}, of("TaylorBarrier")
    ),
    method("TaylorBarrier", "estimated_losses", ts=np.array([0.5]), order=None),
    method("TaylorBarrier", "expansions", ts=np.array([0.5]), order=None),
    method("Episode", "plot", ax=None),
    Call(analysis.ModeCurve.load, lambda: {"path": saved(results()["ModeCurve"])}),
    Call(analysis.ModeCurve.save, lambda: {"path": new_file("npz"), "overwrite": False}, instance=of("ModeCurve")),
    Call(Episode.save, lambda: {"path": new_file("npz"), "overwrite": False}, instance=of("Episode")),
    Call(
        RebasinLearner,
        lambda: {
            "model": model(), "spec": None, "loss": loss, "alpha": 0.1, "beta": 1.0, "learning_rate": 0.05,
            "momentum": 0.0, "optimizer": None, "relaxation": "sinkhorn", "permutation_learning_rate": 0.01,
            "permutation_every": 1, "tau": 0.1, "iterations": 20, "noise": 0.1, "penalty": "distance",
            "fisher_batches": 16, "epochs": 1, "trained": False, "rng": 0,
        },
    ),
    Call(
        RebasinLearner.learn,
        lambda: {"batches": BATCHES, "loss": loss, "init": None, "progress": None},
        instance=lambda: learner(trained=True, iterations=2),
    ),
    Call(RebasinLearner.remember, lambda: {"batches": BATCHES, "loss": loss}, instance=learner),
    Call(RebasinLearner.save, lambda: {"path": new_file("npz")}, instance=learner),
    Call(RebasinLearner.restore, lambda: {"path": saved(learner())}, instance=learner),
]  # fmt: skip
