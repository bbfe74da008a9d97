"""Verification: messages about wrong specs, and models left unchanged."""

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.networks import KNOWN


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.out = nn.Linear(3, 4), nn.Linear(2, 4), nn.Linear(4, 2)

    def forward(self, x, *, y):
        hidden = torch.tanh(self.one(x) + self.two(y))
        return {"logits": self.out(hidden), "count": torch.tensor(3)}


SHARED = rf.PermutationSpec(
    {
        "one.weight": ("P", None),
        "one.bias": ("P",),
        "two.weight": ("P", None),
        "two.bias": ("P",),
        "out.weight": (None, "P"),
        "out.bias": (None,),
    }
)


def inputs():
    return {"x": torch.randn(5, 3), "y": torch.randn(5, 2)}


def test_keyword_inputs_and_outputs_of_any_structure():
    SHARED.verify(TwoInputs(), inputs())
    wrong = rf.PermutationSpec(SHARED.axes_to_perm | {"two.weight": (None, None)})
    with pytest.raises(rf.SpecError, match="'P' changes the function"):
        wrong.verify(TwoInputs(), inputs())


def test_the_permutation_at_fault_is_named_with_its_places():
    known = KNOWN["mlp"]
    axes = known.spec().axes_to_perm
    wrong = rf.PermutationSpec(axes | {"2.bias": (None,)})
    with pytest.raises(rf.SpecError) as caught:
        wrong.verify(known.build(), known.inputs())
    message = str(caught.value)
    assert message.startswith("permutation 'P1' changes the function of the model: its outputs move by")
    assert "It moves 2.weight axis 0, 4.weight axis 1" in message
    assert "missing" in message
    assert "Also at fault" not in message


def test_all_permutations_at_fault_are_named():
    known = KNOWN["mlp"]
    axes = known.spec().axes_to_perm
    wrong = rf.PermutationSpec(axes | {"2.bias": (None,), "0.bias": (None,)})
    with pytest.raises(rf.SpecError, match=r"'P[01]' changes the function.*Also at fault: 'P[01]'"):
        wrong.verify(known.build(), known.inputs())


@pytest.mark.parametrize("hidden", [2, 3])
@pytest.mark.parametrize("seed", range(10))
def test_few_units_hide_nothing(hidden, seed):
    """A uniform draw of two units is the identity half of the time, and two draws are often equal."""
    model = nn.Sequential(
        nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 2)
    )
    example = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    axes = rf.specs.mlp(["0", "2", "4"]).axes_to_perm
    rf.PermutationSpec(axes).verify(model, example, rng=seed)
    for change in ({"0.bias": (None,)}, {"0.bias": ("P1",)}, {"2.weight": ("P0", "P1")}):
        with pytest.raises(rf.SpecError, match="changes the function"):
            rf.PermutationSpec(axes | change).verify(model, example, rng=seed)


def test_zero_biases_and_tiny_scales_hide_nothing():
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))
    with torch.no_grad():
        model[0].bias.zero_()
        model[1].weight.fill_(1e-6)
    builder = {
        "0.weight": ("P", None), "0.bias": ("P",), "1.weight": ("P",), "1.bias": ("P",), "1.running_mean": ("P",),
        "1.running_var": ("P",), "1.num_batches_tracked": (), "3.weight": (None, "P"), "3.bias": (None,),
    }  # fmt: skip
    rf.PermutationSpec(builder).verify(model, torch.randn(4, 3))
    for name, entries in builder.items():
        if "P" in entries:
            with pytest.raises(rf.SpecError):
                rf.PermutationSpec(builder | {name: (None,) * len(entries)}).verify(model, torch.randn(4, 3))


def test_the_model_is_left_as_it_was():
    known = KNOWN["resnet8-padded"]
    model = known.build().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    known.spec().verify(model, known.inputs())
    assert model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert tensor.dtype == before[name].dtype


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_any_dtype(dtype):
    known = KNOWN["mlp"]
    known.spec().verify(known.build().to(dtype), known.inputs().to(dtype))


def test_several_positional_inputs_and_integers():
    class Embedded(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.out = nn.Embedding(7, 5), nn.Linear(5, 2)

        def forward(self, ids, scale):
            return self.out(torch.tanh(self.table(ids)) * scale), ids

    axes = {"table.weight": (None, "P"), "out.weight": (None, "P"), "out.bias": (None,)}
    example = (torch.tensor([1, 2, 6]), torch.tensor(2.0))
    rf.PermutationSpec(axes).verify(Embedded(), example)
    with pytest.raises(rf.SpecError, match="'V' changes the function"):
        rf.PermutationSpec(axes | {"table.weight": ("V", "P")}).verify(Embedded(), example)


def test_models_that_load_only_states_of_their_version():
    class Versioned(nn.Linear):
        _version = 2

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
            if local_metadata.get("version") != 2:
                raise ValueError("of another version")
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    axes = {"0.weight": ("P", None), "0.bias": ("P",), "1.weight": (None, "P"), "1.bias": (None,)}
    rf.PermutationSpec(axes).verify(nn.Sequential(Versioned(3, 4), nn.Linear(4, 2)), torch.randn(5, 3))


def test_what_a_model_keeps_between_calls_is_computed_anew():
    class Remembering(nn.Module):
        """Looks its position biases up once in eval mode, as EfficientFormer and LeViT do."""

        def __init__(self):
            super().__init__()
            self.inner, self.bias, self.out = nn.Linear(3, 4), nn.Parameter(torch.randn(4)), nn.Linear(4, 2)
            self.kept = None

        def train(self, mode=True):
            if mode:
                self.kept = None
            return super().train(mode)

        def forward(self, x):
            if self.kept is None:
                self.kept = self.bias[torch.arange(4)]
            return self.out(torch.tanh(self.inner(x)) * self.kept)

    axes = {
        "inner.weight": ("P", None),
        "inner.bias": ("P",),
        "bias": ("P",),
        "out.weight": (None, "P"),
        "out.bias": (None,),
    }
    model = Remembering().eval()
    with torch.no_grad():
        model(torch.randn(2, 3))
    rf.PermutationSpec(axes).verify(model, torch.randn(5, 3))
    with pytest.raises(rf.SpecError, match="'P' changes the function"):
        rf.PermutationSpec(axes | {"bias": (None,)}).verify(model, torch.randn(5, 3))


def test_tied_parameters_move_together():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.again = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
            self.again.weight = self.first.weight

        def forward(self, x):
            return self.again(x)

    spec = rf.PermutationSpec({"first.weight": (None, "P"), "again.weight": (None, None)})
    with pytest.raises(
        rf.SpecError, match=r"'first\.weight' and 'again\.weight' are one tensor .* the same entries"
    ):
        spec.verify(Tied(), torch.randn(2, 4))


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda x: nn.functional.dropout(x, 0.5, training=True), "different outputs for the same inputs"),
        (lambda x: "text", "returns no tensor"),
        (lambda x: x / 0, "overflows to NaN or infinity"),
    ],
)
def test_models_that_prove_nothing(forward, message):
    class Odd(nn.Linear):
        def forward(self, x):
            return forward(super().forward(x))

    spec = rf.PermutationSpec({"weight": (None, None), "bias": (None,)})
    with pytest.raises(rf.SpecError, match=message):
        spec.verify(Odd(3, 50), torch.randn(2, 3))


def test_the_spec_must_name_every_entry_of_the_model():
    known = KNOWN["mlp"]
    axes = known.spec().axes_to_perm
    del axes["6.bias"]
    with pytest.raises(rf.SpecError, match=r"'6\.bias' is not in the spec"):
        rf.PermutationSpec(axes).verify(known.build(), known.inputs())


def test_another_seed_draws_other_trials():
    """Any seed accepts the right spec; rng may be what NumPy takes."""
    known = KNOWN["mlp"]
    for rng in (0, 1, np.random.default_rng(2), None):
        known.spec().verify(known.build(), known.inputs(), rng=rng)


@pytest.mark.parametrize(
    "call",
    [
        lambda params: rf.PermutationSpec({"weight": ("P", None)}).verify(params, torch.zeros(1, 2)),
        lambda params: rf.trace_spec(params, torch.zeros(1, 2)),
    ],
    ids=["verify", "trace_spec"],
)
def test_parameters_in_the_place_of_a_model(call):
    with pytest.raises(TypeError, match=r"model is a torch\.nn\.Module, got OrderedDict"):
        call(nn.Linear(2, 3).state_dict())
