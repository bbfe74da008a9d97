"""The straight-through estimator: its loop against a plain reference, checkpoints, and the promises of the result."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.matchings import same
from helpers.networks import KNOWN, mlp
from rebasin_fast.matching import SinkhornOptions, StraightThroughOptions
from reference import general

cross_entropy = nn.functional.cross_entropy


def batches(count=6, size=16, features=6, classes=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    teacher = torch.randn(features, classes, generator=rng)
    inputs = torch.randn(count, size, features, generator=rng)
    return [(x, (x @ teacher).argmax(1)) for x in inputs]


def trained(widths, seed, steps=60):
    torch.manual_seed(seed)
    model, data = mlp(widths), batches()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(steps):
        optimizer.zero_grad()
        x, y = data[step % len(data)]
        cross_entropy(model(x), y).backward()
        optimizer.step()
    return {name: value.detach() for name, value in model.state_dict().items()}


WIDTHS = [6, 10, 9, 3]
SPEC = rf.specs.mlp(["0", "2", "4"])
A, B = trained(WIDTHS, 0), trained(WIDTHS, 1)


def match(spec=SPEC, model=None, a=A, b=B, data=None, loss=cross_entropy, **options):
    model = mlp(WIDTHS) if model is None else model
    return rf.straight_through_matching(
        spec, model, a, b, batches() if data is None else data, loss, **options
    )


def midpoint_loss(model, a, b, data):
    model.load_state_dict({name: (a[name] + b[name]) / 2 for name in a})
    with torch.no_grad():
        return float(np.mean([float(cross_entropy(model(x), y)) for x, y in data]))


def test_the_loop_is_the_published_one():
    """With one permutation the order of visits does not matter, so a plain loop must agree to the last step."""
    widths, spec, rate = [6, 12, 3], rf.specs.mlp(["0", "2"]), 2.0
    a, b = trained(widths, 0, 5), trained(widths, 1, 5)
    copy = {name: value.double().numpy() for name, value in a.items()}
    speed = dict.fromkeys(copy, 0.0)
    permutation, losses, seen = {"P0": np.arange(12)}, [], set()
    theirs = {name: value.double().numpy() for name, value in b.items()}
    for x, y in batches() * 3:
        found = general.weight_matching(spec, copy, theirs, order=[["P0"]] * 100, init=permutation)
        permutation = found.permutation
        seen.add(tuple(permutation["P0"]))
        moved = rf.apply_permutation(spec, permutation, b)
        model = mlp(widths)
        model.load_state_dict({name: (a[name] + moved[name]) / 2 for name in a})
        loss = cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.item())
        for name, parameter in model.named_parameters():
            speed[name] = 0.9 * speed[name] + 0.5 * parameter.grad.double().numpy()
            copy[name] = copy[name] - rate * speed[name]
    assert len(seen) > 2
    found = match(spec, mlp(widths), a, b, epochs=3, learning_rate=rate, evaluate_every=1)
    assert found.losses == pytest.approx(losses, rel=1e-4)
    assert found.steps == len(losses)
    assert found.sweeps == len(found.history) == 3


def test_the_best_permutation_is_kept_by_value():
    data = batches()
    for rate in (0.05, 5.0):  # the second is so high that the last permutation is far from the best
        found = match(learning_rate=rate, epochs=5, evaluate_every=2)
        assert found.loss == min(loss for _, loss in found.evaluations) <= found.first_loss
        assert (found.best_step, found.loss) in found.evaluations
        moved = rf.apply_permutation(SPEC, found.permutation, B)
        assert midpoint_loss(mlp(WIDTHS), A, moved, data[:4]) == pytest.approx(found.loss, rel=1e-5)
        reached = general.objective(SPEC, found.permutation, *(
            {name: value.double().numpy() for name, value in side.items()} for side in (A, B)
        ), SPEC.sizes(A))  # fmt: skip
        assert found.objective == pytest.approx(reached, rel=1e-6)
    assert found.evaluations[-1][1] > found.loss
    assert found.best_step < found.steps


def test_it_starts_from_weight_matching():
    found = match(learning_rate=1e-12, rng=5)
    seed = int(np.random.default_rng(5).integers(1, 2**62))
    identity = {p: np.arange(n) for p, n in SPEC.sizes(A).items()}
    start = rf.weight_matching(SPEC, A, B, rng=np.random.default_rng([seed, 0]), init=identity)
    assert same(found, start)
    assert len(found.evaluations) == 1
    assert found.loss == found.first_loss


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("stop_at", [4, 6, 9])
def test_a_run_continues_from_its_checkpoint(tmp_path, suffix, stop_at):
    options = {
        "epochs": 3,
        "evaluate_every": 2,
        "optimizer": lambda tensors: torch.optim.Adam(tensors, lr=0.3),
        "schedule": lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5),
    }
    whole = match(**options)
    options |= {"checkpoint": tmp_path / f"run{suffix}", "checkpoint_every": 1}

    def interrupt(event):
        if (event.sweep - 1) * 6 + event.visit == stop_at + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        match(progress=interrupt, **options)
    events = []
    continued = match(progress=events.append, **options)
    assert len(events) == 18 - stop_at
    assert same(continued, whole)
    assert continued.losses == whole.losses
    assert continued.evaluations == whole.evaluations
    assert continued.history == whole.history
    assert same(match(**options), whole)  # nothing left to do


def test_checkpoints_that_do_not_fit(tmp_path):
    path = tmp_path / "run.npz"
    match(checkpoint=path)
    other = rf.PermutationSpec(SPEC.axes_to_perm, unmatched=["0.bias"])
    with pytest.raises(rf.FileFormatError, match="another spec"):
        match(other, checkpoint=path)
    rf.save_params(tmp_path / "params.npz", A)
    with pytest.raises(rf.FileFormatError, match="no checkpoint"):
        match(checkpoint=tmp_path / "params.npz")
    wider = [trained([6, 11, 9, 3], seed) for seed in (0, 1)]
    with pytest.raises(rf.FileFormatError, match="other models"):
        match(SPEC, mlp([6, 11, 9, 3]), *wider, checkpoint=path)
    with pytest.raises(rf.FileFormatError, match="other models"):
        match(b=trained(WIDTHS, 2), checkpoint=path)
    whole = {name: np.array(array) for name, array in rf.load_params(path).items()}
    for name in ("copy/0.bias", "current/P0", "best/P1"):
        rf.save_params(path, {**whole, name: whole[name][:-1]}, overwrite=True)
        with pytest.raises(rf.FileFormatError, match="damaged"):
            match(checkpoint=path)


def test_options_stand_in_for_keywords():
    options = StraightThroughOptions(epochs=3, learning_rate=2.0, evaluate_every=1, patience=4)
    found = match(options=options)
    plain = match(epochs=3, learning_rate=2.0, evaluate_every=1, patience=4)
    assert (found.losses, found.evaluations) == (plain.losses, plain.evaluations)
    assert match(options=options, epochs=1).losses == plain.losses[:6]
    assert match(options=options, strict=False).losses == plain.losses
    with pytest.raises(ValueError, match="kept_batches is a whole number, 1 or more"):
        match(options=StraightThroughOptions(kept_batches=0))
    with pytest.raises(TypeError, match="StraightThroughOptions, got SinkhornOptions"):
        match(options=SinkhornOptions())


def test_evaluate_patience_and_stop():
    asked = []

    def evaluate(params):
        asked.append(params)
        return {"loss": float(len(asked))}

    found = match(evaluate=evaluate, patience=2, learning_rate=5.0, evaluate_every=1, epochs=10)
    assert found.converged
    assert found.loss == found.first_loss == 1.0
    assert len(asked) == len(found.evaluations) == 3
    torch.testing.assert_close(asked[0]["0.weight"].shape, A["0.weight"].shape)
    stopped = match(stop=lambda event: event.visit == 4)
    assert (stopped.steps, stopped.converged) == (4, False)
    assert match(evaluate=lambda params: 2.5).loss == 2.5


def test_progress_tells_every_step():
    events = []
    found = match(epochs=2, progress=events.append)
    assert [event.objective for event in events] == found.losses
    assert [(event.sweep, event.visit, event.visits) for event in events] == [
        (epoch, step, 6) for epoch in (1, 2) for step in range(1, 7)
    ]
    match(data=lambda: iter(batches()), progress=events.append)
    fields = json.loads(json.dumps(found.to_dict()))
    assert fields["steps"] == 12
    assert fields["stats"]["visits"] > 0


def test_batch_norm_layers_use_the_batch_and_keep_their_statistics():
    known = KNOWN["resnet8-padded"]
    model, spec = known.build(), known.spec()
    model.train()
    model.bn1.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = [(known.inputs(8), torch.arange(8) % 3)] * 3
    a, b = known.arrays(0), known.arrays(1)
    found = match(spec, model, a, b, data, learning_rate=1.0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert not model.bn1.training
    other = {name: value * 3 if name.endswith("running_var") else value for name, value in a.items()}
    assert match(spec, model, other, b, data, learning_rate=1.0).losses == found.losses


def test_inputs_of_several_arguments_and_tied_parameters():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 5)
            self.second = nn.Linear(5, 4, bias=False)
            self.again = nn.Linear(5, 4, bias=False)
            self.again.weight = self.second.weight

        def forward(self, x, scale):
            hidden = torch.relu(self.first(x))
            return self.second(hidden) + scale * self.again(hidden)

    torch.manual_seed(0)
    a, b = Tied().state_dict(), Tied().state_dict()
    spec = rf.PermutationSpec({
        "first.weight": ("P", None), "first.bias": ("P",), "second.weight": (None, "P"), "again.weight": (None, "P"),
    })  # fmt: skip
    x, y = torch.randn(8, 4), torch.arange(8) % 4
    positional = match(spec, Tied(), a, b, [((x, 0.5), y)] * 4, learning_rate=1.0)
    named = match(spec, Tied(), a, b, [({"x": x, "scale": 0.5}, y)] * 4, learning_rate=1.0)
    assert positional.losses == named.losses


def test_mistakes_are_named():
    for option in ("epochs", "max_iter", "evaluate_every", "kept_batches", "patience"):
        with pytest.raises(ValueError, match=f"{option} is a whole number, 1 or more"):
            match(**{option: 0})
    with pytest.raises(ValueError, match="checkpoint_every needs a file"):
        match(checkpoint_every=3)
    with pytest.raises(ValueError, match=r"\.safetensors or \.npz"):
        match(checkpoint="run.pt")
    with pytest.raises(ValueError, match="it is empty"):
        match(data=iter([]))
    with pytest.raises(ValueError, match="epoch 2: pass a list"):
        match(data=iter(batches()), epochs=2)
    with pytest.raises(rf.DataError, match="a pair of inputs and targets"):
        match(data=[torch.zeros(2, 6)])
    with pytest.raises(TypeError, match=r"model is a torch\.nn\.Module"):
        match(model=A)
    with pytest.raises(ValueError, match="lower the learning rate"):
        match(loss=lambda outputs, targets: cross_entropy(outputs, targets) * float("nan"))
    with pytest.raises(rf.ParamsError, match=r"parameters of A: '0\.weight' has shape"):
        match(model=mlp([6, 11, 9, 3]))
    with pytest.raises(rf.ParamsError, match="unknown to the model"):
        match(model=mlp([6, 9, 3]))
    with pytest.raises(rf.ParamsError, match="is missing"):
        match(model=mlp([6, 10, 9, 9, 3]))
    with pytest.raises(rf.PermutationError, match="'P1' is missing"):
        match(init={"P0": np.arange(10)})
