"""Interpolation and evaluation: curves, evaluators, calibration, statistics, REPAIR."""

from functools import cache

import numpy as np

import rebasin_fast as rf
from calls.judgement import Call
from calls.nonsense import NONSENSE
from calls.shared import BATCHES, CURVE, INPUTS, PAIR, SPEC, A, B, evaluate, loss, model, new_file, saved
from rebasin_fast import evaluation

SCORES, CLASSES = np.log([[0.8, 0.2]] * 10), np.array([0] * 8 + [1] * 2)
CALIBRATED = {"batches": BATCHES, "calibration_batches": BATCHES}
READ_LATER = {
    kind for kind in NONSENSE if any(word in kind for word in ("list", "set", "generator", "array", "tensor"))
}
ON_THE_LINE = {"-1", "10**30"}


@cache
def merged():
    return rf.merge([A, B], spec=SPEC, model=model(), batches=BATCHES, method="identity", repair="none")


CALLS = [
    Call(
        rf.interpolate,
        lambda: {**PAIR, "t": 0.5, "method": "lerp", "allow_nonfinite": False},
        {"t": ON_THE_LINE},
    ),
    Call(
        rf.loss_curve,
        lambda: {"evaluate": evaluate, **PAIR, "ts": 3, "path": None, "method": "lerp"},
        {"evaluate": {"function"}},
    ),
    Call(
        rf.loss_curve,
        lambda: {"evaluate": evaluate, **PAIR, "ts": 3, "calibrate": None, "progress": None, "allow_nonfinite": False},
    ),
    Call(
        rf.LossCurve, lambda: {"ts": np.array([0.0, 1.0]), "values": {"loss": np.array([1.0, 2.0])}}
    ),
    Call(
        rf.LossCurve.barrier,
        lambda: {"definition": "mean", "metric": "loss", "higher_is_better": None},
        instance=lambda: CURVE,
        documented=(KeyError,),
    ),
    Call(
        rf.LossCurve.plot,
        lambda: {"ax": None, "metric": None, "label": None, "style": 0},
        instance=lambda: CURVE,
        documented=(KeyError,),
    ),
    Call(rf.LossCurve.from_dict, lambda: {"fields": CURVE.to_dict()}),
    Call(rf.LossCurve.save, lambda: {"path": new_file("npz"), "overwrite": False}, instance=lambda: CURVE),
    Call(rf.LossCurve.load, lambda: {"path": saved(CURVE)}),
    Call(
        rf.repair,
        lambda: {
            "model": model(), "model_a": model(), "model_b": model(), "batches": [INPUTS], "t": 0.5, "layers": None,
            "passes": 1, "progress": None,
        },
    ),
    Call(rf.reset_batch_norm, lambda: {"model": model(norm=True), "batches": [INPUTS]}),
    Call(
        evaluation.Evaluator,
        lambda: {"model": model(), **CALIBRATED, "loss": loss, "batch_norm_batches": None},
        dict.fromkeys(("batches", "calibration_batches", "batch_norm_batches"), READ_LATER),
    ),
    Call(
        evaluation.Evaluator.__call__, lambda: {"params": A}, instance=lambda: evaluation.Evaluator(model(), BATCHES)
    ),
    Call(
        evaluation.Evaluator.calibrated,
        lambda: {"params": A},
        instance=lambda: evaluation.Evaluator(model(), **CALIBRATED),
    ),
    Call(evaluation.load_into, lambda: {"model": model(), "params": B}),
    Call(evaluation.fit_temperature, lambda: {"scores": SCORES, "classes": CLASSES}),
    Call(evaluation.expected_calibration_error, lambda: {"scores": SCORES, "classes": CLASSES, "bins": 15}),
    Call(
        rf.merge,
        lambda: {
            "models": [A, B], "spec": SPEC, "model": model(), "batches": BATCHES, "labels": None, "loss": None,
            "metric": None, "method": "activations", "t": 0.5, "weights": None, "repair": "none", "rng": 0,
            "strict": True, "checkpoint": None, "progress": None,
        },
        {"t": ON_THE_LINE, "model": {"function"}, "batches": {*READ_LATER, "function"}},
    ),
    Call(rf.Merged.save, lambda: {"path": new_file("npz"), "overwrite": False}, instance=merged),
    Call(rf.Merged.load, lambda: {"path": saved(merged())}),
    Call(rf.Merged.plot, lambda: {"ax": None, "metric": "loss"}, instance=merged),
]  # fmt: skip
