"""`Evaluator`: losses and accuracies worked out by hand, batches of every form, and refusals."""

from __future__ import annotations

from typing import Any

import pytest

import rebasin_fast as rf

torch = pytest.importorskip("torch")

from rebasin_fast.evaluation import Evaluator  # noqa: E402

INPUTS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
CLASSES = torch.tensor([0, 1, 1])


class Sum(torch.nn.Module):
    """Takes one argument, or two by position or name."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = torch.nn.Linear(2, 2, bias=False)

    def forward(self, x: Any, more: Any = 0.0) -> Any:
        return self.scores(x + more)


IDENTITY = {"scores.weight": torch.eye(2)}


@pytest.mark.parametrize(
    "batches",
    [
        [(INPUTS, CLASSES)],
        [(INPUTS[:2], CLASSES[:2]), [INPUTS[2:], CLASSES[2:]]],
        lambda: iter([(INPUTS, CLASSES)]),
        [({"x": INPUTS, "more": torch.zeros(1)}, CLASSES)],
        [((INPUTS, torch.zeros(1)), CLASSES)],
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(INPUTS, CLASSES), batch_size=2),
    ],
    ids=["list", "two unequal batches", "callable", "mapping", "tuple", "DataLoader"],
)
def test_means_over_samples_whatever_the_batches(batches: Any) -> None:
    evaluate = Evaluator(Sum(), batches)
    scores = torch.nn.functional.cross_entropy(INPUTS, CLASSES).item()
    for _ in range(2):  # an iterator that is used up would give nothing the second time
        found = evaluate(IDENTITY)
        assert found["loss"] == pytest.approx(scores, rel=1e-6)
        assert found["accuracy"] == pytest.approx(2 / 3)  # of a tie argmax takes the first


def test_a_loss_of_other_outputs_has_no_accuracy() -> None:
    class Named(Sum):
        def forward(self, x: Any, more: Any = 0.0) -> Any:
            return {"logits": super().forward(x, more)}

    evaluate = Evaluator(
        Named(), [(INPUTS, CLASSES)], loss=lambda out, y: torch.nn.functional.cross_entropy(out["logits"], y)
    )
    assert list(evaluate(IDENTITY)) == ["loss"]


def test_training_mode_is_put_back() -> None:
    model = Sum().train()
    Evaluator(model, [(INPUTS, CLASSES)])(IDENTITY)
    assert model.training


def test_statistics_are_measured_again_from_a_list() -> None:
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2))
    params = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate = Evaluator(model, [(INPUTS, CLASSES)], batch_norm_batches=[INPUTS + 5.0])
    evaluate(params)
    assert torch.allclose(model[0].running_mean, (INPUTS + 5.0).mean(0))


def test_what_is_refused() -> None:
    with pytest.raises(TypeError, match=r"model is a torch\.nn\.Module, got tuple"):
        Evaluator((Sum(), INPUTS), [])
    with pytest.raises(rf.DataError, match="no batches"):
        Evaluator(Sum(), [])(IDENTITY)
    with pytest.raises(rf.DataError, match=r"pair .* got Tensor"):
        Evaluator(Sum(), [INPUTS])(IDENTITY)
    with pytest.raises(rf.ParamsError, match=r"'scores.weight' is missing"):
        Evaluator(Sum(), [(INPUTS, CLASSES)])({})
