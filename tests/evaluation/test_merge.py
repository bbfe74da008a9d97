"""One model of several: candidates are measured on samples of their own, the best comes back, and work goes on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.digit_networks import Net, accuracy, batches, trained
from rebasin_fast.evaluation.merge.data import divided


@pytest.fixture(scope="module")
def pair():
    return trained(0), trained(1)


@pytest.fixture(scope="module")
def merged(pair):
    return rf.merge(list(pair), batches=batches())  # the spec is traced


def mlp(seed, widths=(6, 24, 3)):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(widths[0], widths[1]), nn.ReLU(), nn.Linear(widths[1], widths[2]))


def labelled(count=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 6, generator=generator)
    return x, (x[:, :3]).argmax(1)


def test_the_best_of_the_table_is_far_better_than_the_average_as_it_is(pair, merged):
    a, b = pair
    naive = accuracy(rf.interpolate(a.state_dict(), b.state_dict(), 0.5))
    assert accuracy(merged.params) > naive + 0.3
    assert {one.matching for one in merged.table} == {
        "identity", "weights", "activations", "both", "model 0", "model 1",
    }  # fmt: skip
    assert {one.repair for one in merged.table} == {"none", "reset", "repair"}
    candidates = [one for one in merged.table if not one.is_end]
    assert len(candidates) == 12
    assert merged.best.values["accuracy"] == max(one.values["accuracy"] for one in candidates)


def test_the_parameters_are_those_of_the_candidate_that_was_measured(pair, merged):
    options = {"method": merged.best.matching, "repair": merged.best.repair, "spec": merged.spec}
    again = rf.merge(list(pair), batches=batches(), **options)
    assert again.best == merged.best
    assert all(torch.equal(again.params[name], tensor) for name, tensor in merged.params.items())
    assert list(merged.params) == list(pair[0].state_dict())


def test_the_models_and_their_statistics_are_unchanged(pair, merged):
    before = [{name: tensor.clone() for name, tensor in one.state_dict().items()} for one in pair]
    rf.merge(list(pair), batches=batches(), method="both", repair="repair", spec=merged.spec)
    for one, held in zip(pair, before, strict=True):
        assert all(torch.equal(held[name], tensor) for name, tensor in one.state_dict().items())


def test_no_sample_measures_the_statistics_that_it_gave():
    for pairs in (batches(), batches()[:2]):
        data = divided(pairs, None)
        rows = [{tuple(row.flatten().tolist()) for x, _ in part for row in x} for part in data.parts]
        assert all(rows)
        for x, y in ((0, 1), (0, 2), (1, 2)):
            same = rows[x] & rows[y]  # images of the data set that occur twice
            assert len(same) < 3
        assert sum(len(y) for part in data.parts for _, y in part) == sum(len(y) for _, y in pairs)


def test_numpy_parameters_come_back_in_their_dtypes(pair, merged):
    params = [{name: tensor.numpy() for name, tensor in one.state_dict().items()} for one in pair]
    params[0] = {n: v.astype(np.float16) if v.dtype == np.float32 else v for n, v in params[0].items()}
    options = {"method": "activations", "repair": "reset", "spec": merged.spec}
    found = rf.merge(params, model=Net, batches=batches(), **options)
    assert all(found.params[name].dtype == value.dtype for name, value in params[0].items())
    assert found.best.values["accuracy"] > 0.4


def test_files_and_labels():
    x, y = labelled()
    found = rf.merge(
        [mlp(0).state_dict(), mlp(1).state_dict()], model=mlp(2), batches=x.numpy(), labels=y.numpy()
    )
    assert isinstance(found.matching, rf.Matching)
    assert {one.repair for one in found.table} == {"none", "repair"}


def test_three_models_have_a_many_matching_and_no_repair():
    x, y = labelled()
    models = [mlp(seed) for seed in range(3)]
    found = rf.merge(models, batches=x, labels=y)
    assert isinstance(found.matching, rf.ManyMatching)
    assert {one.repair for one in found.table} == {"none"}
    assert any("REPAIR is for two models" in note for note in found.notes)
    with pytest.raises(rf.DataError, match="REPAIR is for two models"):
        rf.merge(models, batches=x, labels=y, repair="repair")


def test_a_planted_permutation_is_undone_by_every_matching():
    x, y = labelled()
    a = mlp(0)
    spec = rf.specs.mlp(["0", "2"])
    b = rf.apply_permutation(spec, {"P0": np.random.default_rng(0).permutation(24)}, a.state_dict())
    found = rf.merge([a.state_dict(), b], model=a, batches=x, labels=y, repair="none")
    of = {one.matching: one.values["loss"] for one in found.table}
    assert of["weights"] == of["activations"] == of["both"] == pytest.approx(of["model 0"], rel=1e-6)
    assert of["identity"] != pytest.approx(of["weights"], rel=1e-3)


def test_places_between_two_models():
    x, y = labelled()
    a, b = mlp(0), mlp(1)
    found = rf.merge([a, b], batches=x, labels=y, t="auto", repair="none")
    places = {one.t for one in found.table if not one.is_end}
    assert places == {0.3, 0.4, 0.5, 0.6, 0.7}
    weighted = rf.merge([a, b], batches=x, labels=y, weights=[1, 3], method="identity", repair="none")
    expected = rf.interpolate(a.state_dict(), b.state_dict(), 0.75)
    assert all(torch.equal(weighted.params[name], tensor) for name, tensor in expected.items())


def test_the_loss_chooses_where_it_is_asked_to():
    x, y = labelled()
    found = rf.merge([mlp(0), mlp(1)], batches=x, labels=y, metric="loss")
    losses = [one.values["loss"] for one in found.table if not one.is_end]
    assert found.metric == "loss"
    assert losses == sorted(losses)


def test_without_data_the_weights_decide_and_the_notes_name_stale_statistics(pair, merged):
    params = [one.state_dict() for one in pair]
    spec = merged.spec
    found = rf.merge(params, spec=spec)
    aligned = rf.apply_permutation(spec, rf.weight_matching(spec, *params).permutation, params[1])
    expected = rf.interpolate(params[0], aligned, 0.5)
    assert all(torch.equal(found.params[name], tensor) for name, tensor in expected.items())
    assert [(one.matching, one.values) for one in found.table] == [("weights", {})]
    assert any("statistics of 3 layers (norm1, norm2, norm3)" in note for note in found.notes)
    assert any("batches=" in note for note in found.notes)


def test_an_interrupted_merge_goes_on_from_its_file(pair, merged, tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    matched = []
    from rebasin_fast.evaluation.merge import matchings

    original = matchings.Matcher.__call__

    def counted(self, method, rng=0):
        matched.append(method)
        return original(self, method, rng)

    monkeypatch.setattr(matchings.Matcher, "__call__", counted)

    def stop(done, total):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rf.merge(list(pair), batches=batches(), spec=merged.spec, checkpoint=path, progress=stop)
    assert matched == ["identity", "weights"]
    found = rf.merge(list(pair), batches=batches(), spec=merged.spec, checkpoint=path)
    assert matched == ["identity", "weights", "activations", "both"]
    assert found.table == merged.table
    assert all(torch.equal(found.params[name], tensor) for name, tensor in merged.params.items())
    with pytest.raises(rf.FileFormatError, match="belongs to another merge"):
        rf.merge(list(pair), batches=batches()[:-1], spec=merged.spec, checkpoint=path)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_result_comes_back_from_its_file(merged, tmp_path, suffix):
    path = tmp_path / f"merged{suffix}"
    merged.save(path)
    again = rf.Merged.load(path)
    assert again.table == merged.table
    assert again.notes == merged.notes
    assert {n: v.tolist() for n, v in again.params.items()} == {
        n: v.tolist() for n, v in merged.params.items()
    }
    assert all(
        np.array_equal(again.matching.permutation[n], p) for n, p in merged.matching.permutation.items()
    )


def test_the_table_as_text_as_html_and_for_pandas(merged):
    assert str(merged).splitlines()[0].split()[:3] == ["matching", "repair", "t"]
    page = merged._repr_html_()
    assert page.count("<tr>") == len(merged.table) + 1
    frame = merged.to_pandas()
    assert list(frame["matching"]) == [one.matching for one in merged.table]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "both"}, "'both' runs the models on data: pass model= and batches="),
        ({"repair": "reset"}, "'reset' runs the models on data"),
        ({"labels": [1]}, "pass batches="),
        ({"batches": [torch.zeros(4, 6)], "model": mlp(0)}, "not a pair"),
        ({"batches": [], "model": mlp(0)}, "batches is empty"),
        ({"batches": labelled()[0], "labels": torch.zeros(3), "model": mlp(0)}, "one label a row"),
        ({"batches": [labelled(2)], "model": mlp(0)}, "cannot be divided"),
        ({"batches": [labelled()]}, "pass model="),
        ({"batches": [labelled()], "model": mlp(0), "repair": "reset"}, "no BatchNorm layer"),
        (
            {"batches": [labelled()], "model": mlp(0), "metric": "recall"},
            "was not measured; there are accuracy",
        ),
    ],
)
def test_mistakes_are_told(options, message):
    params = [mlp(0).state_dict(), mlp(1).state_dict()]
    with pytest.raises(rf.DataError, match=message):
        rf.merge(params, **options)


def test_contradictions():
    params = [mlp(seed).state_dict() for seed in range(3)]
    with pytest.raises(ValueError, match="two or more"):
        rf.merge(params[:1])
    with pytest.raises(ValueError, match="3 take weights="):
        rf.merge(params, t=0.3)
    with pytest.raises(ValueError, match="2 numbers, one a model"):
        rf.merge(params[:2], weights=[1.0])


class TwoInputs(nn.Module):
    """A sum of two branches, in a mapping."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.one, self.two, self.out = nn.Linear(6, 12), nn.Linear(4, 12), nn.Linear(12, 3)

    def forward(self, x, y):
        return {"logits": self.out(torch.relu(self.one(x) + self.two(y)))}


def of_logits(outputs, targets):
    return nn.functional.cross_entropy(outputs["logits"], targets)


def test_networks_of_several_inputs_whose_outputs_a_loss_takes():
    inputs, targets = labelled()
    batches_of_two = [((inputs, inputs[:, :4]), targets)]
    found = rf.merge([TwoInputs(1), TwoInputs(2)], batches=batches_of_two, loss=of_logits)
    assert {one.matching for one in found.table} >= {"identity", "weights", "activations", "both"}
    assert found.metric == "loss"
    with pytest.raises(rf.DataError, match=r"the network returns dict, .* pass loss="):
        rf.merge([TwoInputs(1), TwoInputs(2)], batches=batches_of_two)


def test_repair_is_left_out_where_no_layer_takes_it():
    class Recurrent(nn.Module):
        def __init__(self, seed):
            super().__init__()
            torch.manual_seed(seed)
            self.cells, self.out = nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 3)

        def forward(self, x):
            return self.out(self.cells(x[:, None])[0][:, -1])

    found = rf.merge([Recurrent(1), Recurrent(2)], batches=[labelled()])
    assert {one.repair for one in found.table} == {"none"}
    assert any("REPAIR was not tried: the model has no hidden" in note for note in found.notes)


def test_numbers_that_are_not_finite_are_told_before_anything_runs():
    whole, broken = mlp(1), mlp(2)
    with torch.no_grad():
        broken[0].weight[0, 0] = float("nan")
    with pytest.raises(rf.ParamsError, match=r"models\[1\]\['0.weight'\] holds NaN"):
        rf.merge([whole, broken], batches=[labelled()])
    inputs, targets = labelled()
    with pytest.raises(rf.DataError, match="batch 0 holds NaN"):
        rf.merge([whole, mlp(2)], batches=[(torch.full_like(inputs, float("inf")), targets)])
    with pytest.raises(rf.DataError, match=r"batch 0 \(inputs of shape .* does not fit the model"):
        rf.merge([whole, mlp(2)], batches=[(inputs[:, :5], targets)])
