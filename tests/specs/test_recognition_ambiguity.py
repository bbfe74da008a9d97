"""Names prove no architecture: one reading is accepted, several are refused, and guesses are reported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import rebasin_fast as rf
from nightly.fuzz_recognition import outcome
from rebasin_fast.cli import main


def linears(**shapes: tuple[int, int]) -> dict[str, np.ndarray]:
    """Weight (out, in) and bias of each layer."""
    params = {}
    for name, (outputs, inputs) in shapes.items():
        params[f"{name}.weight"] = np.ones((outputs, inputs), np.float32)
        params[f"{name}.bias"] = np.ones(outputs, np.float32)
    return params


def test_an_autoencoder_has_two_readings_and_both_are_shown() -> None:
    params = linears(encoder=(16, 64), decoder=(64, 16))
    with pytest.raises(rf.SpecError, match="encoder → decoder, or decoder → encoder"):
        rf.specs.for_params(params)
    with pytest.raises(rf.SpecError, match="in more than one way"):
        rf.specs.for_params(dict(sorted(params.items())))
    spec = rf.specs.for_params(params, layers=["encoder", "decoder"])
    assert spec.perm_to_axes == {"P0": [("encoder.weight", 0), ("encoder.bias", 0), ("decoder.weight", 1)]}


def test_layers_of_one_width_in_words_are_refused() -> None:
    with pytest.raises(rf.SpecError, match="more than one way"):
        rf.specs.for_params(linears(stem=(8, 8), body=(8, 8), head=(8, 8)))


def test_shapes_tell_the_order_and_the_alphabet_does_not() -> None:
    params = linears(input=(12, 6), hidden=(9, 12), output=(3, 9))
    spec = rf.specs.for_params(dict(sorted(params.items())))
    assert spec.perm_to_axes["P0"] == [("input.weight", 0), ("input.bias", 0), ("hidden.weight", 1)]


def test_a_skip_connection_leaves_the_same_shapes() -> None:
    with pytest.raises(rf.SpecError, match="skip connection around body"):
        rf.specs.for_params(linears(stem=(8, 4), body=(8, 8), head=(2, 8)))
    assert len(rf.specs.for_params(linears(fc1=(8, 4), fc2=(8, 8), fc3=(2, 8))).permutations) == 2


@pytest.mark.parametrize(
    "params",
    [
        linears(fc_gate=(16, 8), fc_up=(16, 8), fc_down=(8, 16)),
        linears(shared=(8, 4), actor=(8, 8), critic=(1, 8)),
        {f"block.{name}": array for name, array in linears(**{"0.res": (8, 8), "1.res": (8, 8)}).items()},
    ],
)
def test_names_of_branches_are_no_chain(params: dict[str, np.ndarray]) -> None:
    with pytest.raises(rf.SpecError):
        rf.specs.for_params(params)


class Tagger(nn.Module):
    """Linear, LSTM, linear, in names whose alphabetical order is another."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.rnn, self.decoder = (
            nn.Linear(4, 6),
            nn.LSTM(6, 5, batch_first=True),
            nn.Linear(5, 3),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.rnn(self.encoder(x).tanh())[0])


def test_linear_layers_before_and_after_a_recurrent_one() -> None:
    model = Tagger()
    spec = rf.specs.for_params(model.state_dict())
    spec.verify(model, torch.randn(2, 3, 4))
    assert spec.permutations == ("in0", "rnn.l0")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"base.q.lora_A.weight": np.ones((4, 16)), "base.q.lora_B.weight": np.ones((16, 4))},
            "merge_and_unload",
        ),
        ({"lora_down.weight": np.ones((4, 16)), "lora_up.weight": np.ones((16, 4))}, "LoRA adapter"),
        ({"fc1.qweight": np.ones((4, 16), np.int32), "fc1.scales": np.ones((1, 16))}, "dequantise"),
        ({"fc1.weight": np.ones((8, 4), np.int8), "fc2.weight": np.ones((2, 8), np.int8)}, "dtype int8"),
        ({"fc1.weight_orig": np.ones((8, 4)), "fc1.weight_mask": np.ones((8, 4))}, "prune.remove"),
    ],
)
def test_what_is_no_network_as_it_stands_is_named(params: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(rf.SpecError, match=message):
        rf.specs.for_params(params)


def test_numbers_and_the_order_of_the_file_contradict_one_another() -> None:
    params = linears(fc2=(8, 8), fc3=(8, 8), fc1=(8, 8))
    with pytest.raises(rf.SpecError, match=r"fc1 → fc2 → fc3 by their numbers, or fc2 → fc3 → fc1"):
        rf.specs.for_params(params)
    assert rf.specs.for_params(dict(sorted(params.items()))).perm_to_axes["P0"][0] == ("fc1.weight", 0)


@pytest.mark.parametrize("block", range(6))
def test_shuffled_names_never_give_a_wrong_spec(block: int) -> None:
    found = [outcome(f"suite {block} {k}") for k in range(60)]
    assert [what for kind, what in found if kind == "wrong"] == []
    assert any(kind == "right" for kind, _ in found)


# --- what the command line says -----------------------------------------------------------------------------------

FACTORIES = """
import torch
from torch import nn

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 2)
    def forward(self, x):
        return self.fc3(self.fc2(self.fc1(x).relu()).relu())

class Skipping(Plain):
    def forward(self, x):
        h = self.fc1(x).relu()
        return self.fc3(self.fc2(h).relu() + h)

def data():
    return [(torch.randn(8, 6), torch.zeros(8, dtype=torch.long))]
"""


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "made_for_recognition.py").write_text(FACTORIES)
    rng = np.random.default_rng(0)
    for name in "ab":
        arrays = linears(fc1=(8, 6), fc2=(8, 8), fc3=(2, 8))
        rf.save_params(
            tmp_path / f"{name}.npz",
            {k: rng.standard_normal(v.shape).astype(np.float32) for k, v in arrays.items()},
        )
    return tmp_path


def test_commands_say_that_a_guess_is_not_proven(pair: Path) -> None:
    runner = CliRunner()
    matched = runner.invoke(main, ["match", "a.npz", "b.npz", "-o", "c.npz", "--report", "r.html"])
    assert "Note: the spec was recognised by names and shapes alone (mlp)" in matched.stderr
    assert "recognised as mlp (fc1 → fc2 → fc3), not proven" in matched.stdout
    assert "--trace" in matched.stdout
    assert "recognised as mlp" in (pair / "r.html").read_text()
    merged = runner.invoke(main, ["merge", "a.npz", "b.npz", "-o", "m.npz", "--json"])
    assert "not proven" in json.loads(merged.stdout)["alignments"][0]["spec"]
    together = ["merge", "a.npz", "b.npz", "-o", "m2.npz", "--method", "merge-many"]
    assert "not proven" in runner.invoke(main, together).stdout


def test_a_guess_is_proven_where_a_model_is_given_anyway(pair: Path) -> None:
    runner = CliRunner()
    common = ["a.npz", "b.npz", "--data", "made_for_recognition:data", "--points", "3", "--match"]
    proven = runner.invoke(main, ["curve", *common, "--model", "made_for_recognition:Plain"])
    assert proven.exit_code == 0, proven.output
    assert "proven on a model" in proven.stderr
    wrong = runner.invoke(main, ["curve", *common, "--model", "made_for_recognition:Skipping"])
    assert wrong.exit_code == 1
    assert "the model of --model is another one" in wrong.stderr


def test_a_configuration_beside_the_file_is_believed(tmp_path: Path) -> None:
    shapes = {
        "wte.weight": (11, 8), "wpe.weight": (5, 8), "ln_f.weight": (8,), "ln_f.bias": (8,),
        **{f"h.0.ln_{i}.{part}": (8,) for i in (1, 2) for part in ("weight", "bias")},
        "h.0.attn.c_attn.weight": (8, 24), "h.0.attn.c_attn.bias": (24,),
        "h.0.attn.c_proj.weight": (8, 8), "h.0.attn.c_proj.bias": (8,),
        "h.0.mlp.c_fc.weight": (8, 32), "h.0.mlp.c_fc.bias": (32,),
        "h.0.mlp.c_proj.weight": (32, 8), "h.0.mlp.c_proj.bias": (8,),
    }  # fmt: skip
    rf.save_params(
        tmp_path / "model.npz", {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    )
    runner = CliRunner()
    asked = runner.invoke(main, ["spec", str(tmp_path / "model.npz")])
    assert "--heads" in asked.stderr
    (tmp_path / "config.json").write_text(json.dumps({"n_head": 4, "n_embd": 8}))
    believed = runner.invoke(main, ["spec", str(tmp_path / "model.npz"), "--json"])
    assert json.loads(believed.stdout)["permutations"]["0.heads"]["size"] == 4
    contradicted = runner.invoke(main, ["spec", str(tmp_path / "model.npz"), "--heads", "8"])
    assert contradicted.exit_code == 1
    assert "config.json beside the parameters has 4" in contradicted.stderr


def test_a_refusal_counts_convolutions_of_every_rank() -> None:
    params = linears(pose=(2, 40), affinity=(1, 40))
    params["unit1.weight"] = np.ones((5, 3, 3, 3, 3), np.float32)
    params["unit2.weight"] = np.ones((5, 3, 3), np.float32)
    with pytest.raises(rf.SpecError, match=r"2 matrices, 2 convolutions"):
        rf.specs.for_params(params)
