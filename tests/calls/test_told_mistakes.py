"""Mistakes that were accepted in silence, or failed from inside: each is refused, with a message that says why."""

import math

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import rebasin_fast as rf
from calls.shared import BATCHES, COST, INPUTS, PAIR, SPEC, A, B, P, loss, matching, model, new_file
from rebasin_fast import analysis
from rebasin_fast.continual import RebasinLearner
from rebasin_fast.evaluation import Evaluator
from rebasin_fast.files import save_permutation

CHAIN = {"convolutions": ["c1", "c2"], "classifier": ["fc"]}


def straight_through(**options):
    return rf.straight_through_matching(SPEC, model(), A, B, BATCHES, loss, **{"epochs": 1, **options})


def sinkhorn(**options):
    return rf.sinkhorn_matching(SPEC, None, A, B, **{"steps": 1, **options})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rf.specs.gpt2(-1), "layers is a whole number, 1 or more; got -1"),
        (lambda: rf.specs.vit(2, -3), "heads is a whole number, 1 or more; got -3"),
        (lambda: rf.specs.cifar_resnet(20, width=-16), "width is a whole number, 2 or more; got -16"),
        (lambda: rf.specs.cifar_resnet(20, width=7), "width is a multiple of 2; got 7"),
        (lambda: rf.specs.cnn(**CHAIN, positions=-4), "positions is a whole number, 1 or more; got -4"),
        (lambda: rf.specs.cnn(**CHAIN, spatial=4), "spatial is 1, 2 or 3"),
        (lambda: rf.specs.cnn(**CHAIN, bias=["c3"]), "bias names 'c3', which is none of the layers"),
        (lambda: rf.specs.cnn(**CHAIN, transposed=["fc"]), "transposed names 'fc', which is none of the conv"),
        (lambda: rf.specs.cnn(["a", "a"], ["b"]), "'a' occurs twice"),
        (lambda: rf.specs.cnn(["a"], ["a"]), "'a' occurs twice"),
        (lambda: rf.specs.mlp(["a", "a", "b"]), "'a' occurs twice"),
        (lambda: rf.specs.mlp(["a", "b"], norms=["a"]), "two layers have the parameter 'a.weight'"),
        (lambda: rf.specs.recurrent("lstm", heads=["fc", "fc"]), "'fc' occurs twice"),
        (lambda: rf.specs.mlp(["a", "b"], layout="tensorflow"), "layout is 'torch' or .*; got 'tensorflow'"),
        (lambda: rf.specs.cnn(**CHAIN, layout="tensorflow"), "layout is 'torch' or .*; got 'tensorflow'"),
        (lambda: rf.specs.vit(layout="tensorflow"), "layout is 'torchvision' or .*; got 'tensorflow'"),
        (lambda: rf.specs.resnet([1], block="x", shortcuts=[None]), "block is 'basic' or 'bottleneck'; got 'x'"),
        (lambda: rf.specs.resnet([], shortcuts=[]), "blocks is a sequence of whole numbers, 1 or more; got 0"),
        (lambda: rf.specs.resnet([1, -2], shortcuts=[None] * 2), "blocks is .*; got -2"),
        (lambda: rf.specs.resnet([1, 1], shortcuts=[None]), "shortcuts has 1 entries, and blocks 2 stages"),
        (lambda: rf.PermutationSpec({"w": ("P", None)}, sizes={"P": True}), r"sizes\['P'\] .* got True"),
        (lambda: rf.specs.for_params({0: np.ones((2, 2))}), "0, which is no name of a parameter"),
        (lambda: rf.solve_assignment(COST, maximize="abc"), "maximize is True or False, got 'abc'"),
        (lambda: rf.weight_matching(SPEC, A, B, restarts=True), "restarts is a number of runs.*got True"),
        (lambda: straight_through(epochs=math.inf), "epochs is a whole number, 1 or more; got inf"),
        (lambda: straight_through(patience=math.nan), "patience is a whole number, 1 or more or None; got nan"),
        (lambda: straight_through(evaluate_every=math.nan), "evaluate_every is a whole number.*got nan"),
        (lambda: straight_through(learning_rate=math.nan), "learning_rate is a number, finite or None; got nan"),
        (lambda: sinkhorn(steps=math.inf), "steps is a whole number, 1 or more or None; got inf"),
        (lambda: sinkhorn(steps=math.nan), "steps is a whole number, 1 or more or None; got nan"),
        (lambda: rf.frank_wolfe_matching(SPEC, A, B, threads=-5), "threads is a whole number.*got -5"),
        (lambda: rf.weight_matching(SPEC, A, B, threads=10**30), "threads is a number of threads.*got 10000"),
        (lambda: rf.merge_many(SPEC, [A, B], max_iter=-9), "max_iter is a whole number, 0 or more; got -9"),
        (lambda: matching().agreement({"P0": [0, 0, 1, 2]}), "'P0' is not one"),
        (lambda: matching().agreement({"P0": [0.0, 1.0, 2.0, 3.0]}), "'P0' must be an array of integers"),
        (lambda: analysis.permutation_agreement({"P": [0, 0]}, {"P": [0, 1]}), "'P' is not one"),
        (lambda: rf.save_params(new_file("npz"), A, metadata={"a": 1}), "metadata is a mapping of texts to texts"),
        (lambda: save_permutation(new_file("npz"), P, metadata={"a": 1}), "metadata is a mapping of texts to"),
        (lambda: rf.save_params("a\0.npz", A), "the name of no file"),
        (lambda: rf.save_params("x" * 300 + ".npz", A), "File name too long"),
        (lambda: rf.load_params("x" * 300 + ".npz"), "File name too long"),
        (lambda: SPEC.renamed({"fc1.weight": "fc1.bias"}), "two parameters would be 'fc1.bias'"),
        (lambda: rf.ManyMatching.load("m.npz", weights=[1.0]), "pass models= too"),
        (lambda: rf.apply_permutation(SPEC, P, sparse(A)), "make it dense first"),
        (lambda: rf.LossCurve.from_dict({"ts": [0.0]}), "fields are those of to_dict"),
    ],
)  # fmt: skip
def test_mistakes_are_told(call, words):
    with pytest.raises((TypeError, ValueError, OSError), match=words):
        call()


def test_numbers_of_numpy_are_numbers():
    assert rf.PermutationSpec({"w": ("P", None)}, sizes={"P": np.int64(3)}).declared_sizes == {"P": 3}
    assert rf.axis.Fixed(np.int64(3)) == rf.axis.Fixed(3)
    assert rf.specs.mlp(np.int64(2)) == rf.specs.mlp(2)
    assert rf.interpolate(A, B, np.float32(0.5)).keys() == A.keys()
    assert straight_through(epochs=np.int64(1)).steps == 1


def meta(params):
    return {name: torch.empty(array.shape, device="meta") for name, array in params.items()}


def sparse(params):
    return {name: torch.from_numpy(array).to_sparse() for name, array in params.items()}


@pytest.mark.parametrize("change", [meta, sparse])
@pytest.mark.parametrize(
    "call",
    [
        lambda params: rf.weight_matching(SPEC, params, B),
        lambda params: dict(rf.interpolate(A, params, 0.5)),
        lambda params: rf.save_params(new_file("npz"), params),
        lambda params: rf.solve_assignment(params["fc1.weight"]),
        lambda params: rf.merge_many(SPEC, [A, params]),
        lambda params: straight_through_of(params),
    ],
)
def test_tensors_without_numbers_are_told(change, call):
    with pytest.raises(rf.ParamsError, match=r"meta device|dense"):
        call(change(A))


def straight_through_of(params):
    return rf.straight_through_matching(SPEC, model(), params, B, BATCHES, loss, epochs=1)


@pytest.mark.parametrize(
    "duals", [np.ones(4, complex), np.array(["a"] * 4), torch.ones(4, dtype=torch.complex64)]
)
def test_duals_that_are_no_numbers_are_told(duals):
    start = rf.Assignment(np.arange(4), duals, np.zeros(4), 0.0, 0.0)
    with pytest.raises(TypeError, match="row_duals of a warm start"):
        rf.solve_assignment(COST, warm_start=start)


def test_progress_takes_flags_of_every_kind(capsys):
    for progress in (0, False, None, np.False_):
        rf.weight_matching(SPEC, **PAIR, progress=progress)
    assert capsys.readouterr().err == ""
    with pytest.raises(TypeError, match="progress is a function, True or False; got str"):
        rf.weight_matching(SPEC, **PAIR, progress="yes")
    with pytest.raises(TypeError, match="progress is a function"):
        rf.reset_batch_norm(model(norm=True), [INPUTS]) or rf.repair(
            model(), model(), model(), [INPUTS], progress="yes"
        )


WIDE = [(torch.zeros(5, 7), torch.tensor([0, 1, 1, 0, 1]))]


@pytest.mark.parametrize(
    "call",
    [
        lambda: rf.straight_through_matching(SPEC, model(), A, B, WIDE, loss, epochs=1),
        lambda: rf.sinkhorn_matching(SPEC, model(), A, B, WIDE, loss, objective="midpoint", epochs=1),
        lambda: rf.activation_matching(SPEC, model(), model(), WIDE),
        lambda: rf.repair(model(), model(), model(), WIDE),
        lambda: rf.reset_batch_norm(model(norm=True), WIDE),
        lambda: analysis.connect(model(), A, B, WIDE, loss),
        lambda: analysis.taylor_barrier(model(), A, B, WIDE, loss),
        lambda: analysis.input_alignment(model(), A, WIDE),
        lambda: Evaluator(model(), WIDE)(A),
        lambda: RebasinLearner(model(), SPEC, loss=loss).learn(WIDE),
    ],
)
def test_batches_of_another_width_are_told_with_the_model(call):
    words = r"batch\w* .*inputs of shape \(5, 7\)\) does not fit the model \(Sequential\)"
    with pytest.raises(rf.DataError, match=words):
        call()
