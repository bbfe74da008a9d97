"""Views whose conjugation or negation torch puts off: a file holds their storage and a bit."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import rebasin_fast as rf
from rebasin_fast.cli import main
from rebasin_fast.errors import FileFormatError


def views() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    complex_numbers = torch.randn(3, 4, dtype=torch.complex64)
    wide = torch.randn(2, 5, dtype=torch.complex128)
    return {
        "conjugate": complex_numbers.conj(),
        "transposed": wide.conj().t(),
        "imaginary": torch.randn(3, 4, dtype=torch.complex64).conj().imag,
        "both": torch._neg_view(wide.conj()),
        "negative": torch._neg_view(torch.randn(4, 3)),
        "parameter": torch.nn.Parameter(torch._neg_view(torch.randn(4, 3))),
        "bfloat16": torch._neg_view(torch.randn(4, 3).bfloat16()),
        "float8": torch._neg_view(torch.randn(4, 3)).to(torch.float8_e4m3fn),
        "integers": torch._neg_view(torch.arange(5)),
        "plain": complex_numbers,
    }


@pytest.mark.parametrize("library", ["torch", "numpy"])
@pytest.mark.parametrize("zipped", [True, False])
def test_the_bits_are_resolved_on_reading(tmp_path, zipped, library):
    saved = views()
    torch.save(saved, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    if library == "numpy":
        pytest.importorskip("ml_dtypes")
    read = rf.load_params(tmp_path / "a.pt", library=library)
    for name, tensor in saved.items():
        expected = tensor.detach().resolve_conj().resolve_neg()
        wide = torch.complex128 if expected.is_complex() else torch.float64
        found = read[name].to(wide).numpy() if library == "torch" else read[name].astype(str(wide)[6:])
        assert np.array_equal(found, expected.to(wide).numpy()), name
    assert read.ties == {}


@pytest.mark.parametrize("extension", ["pt", "safetensors", "npz"])
def test_two_readings_of_one_memory_are_not_tied(tmp_path, extension):
    weight = torch.randn(4, 3)
    params = {"w": weight, "minus": torch._neg_view(weight)}
    rf.save_params(tmp_path / f"a.{extension}", params)
    again = rf.load_params(tmp_path / f"a.{extension}", library="numpy")
    assert np.array_equal(again["minus"], -weight.numpy())
    assert np.array_equal(again["w"], weight.numpy())


def test_merging_a_file_with_itself_gives_it_back(tmp_path):
    torch.manual_seed(0)
    sizes = {"fc1.weight": (8, 4), "fc1.bias": (8,), "fc2.weight": (3, 8), "fc2.bias": (3,)}
    state = {name: torch._neg_view(torch.randn(shape)) for name, shape in sizes.items()}
    torch.save(state, tmp_path / "a.pt")
    done = CliRunner().invoke(
        main, ["merge", str(tmp_path / "a.pt"), str(tmp_path / "a.pt"), "-o", str(tmp_path / "m.pt")]
    )
    assert done.exit_code == 0, done.output
    merged = torch.load(tmp_path / "m.pt", weights_only=True)
    for name, tensor in state.items():
        assert torch.equal(merged[name], tensor.resolve_neg())


def test_matching_reads_views_in_memory_alike():
    torch.manual_seed(0)
    spec = rf.specs.mlp(["a", "b"])
    plain = {
        "a.weight": torch.randn(8, 4),
        "a.bias": torch.randn(8),
        "b.weight": torch.randn(3, 8),
        "b.bias": torch.randn(3),
    }
    lazy = {name: torch._neg_view(-tensor) for name, tensor in plain.items()}
    other = {name: torch.randn_like(tensor) for name, tensor in plain.items()}
    assert rf.weight_matching(spec, lazy, other).objective == rf.weight_matching(spec, plain, other).objective


def test_unknown_notes_of_a_tensor_are_refused(tmp_path):
    from rebasin_fast.files.torch.container import Storage, View
    from rebasin_fast.files.torch.objects import tensor
    from rebasin_fast.files.torch.pickle_reader import Call, Global

    class File:
        size = 64

    def described(notes):
        view = View(Storage("F32", 16, 0), 0)
        return Call(Global("torch._utils", "_rebuild_tensor_v2"), (view, 0, (4,), (1,), False, None, notes))

    assert tensor(described({"neg": True}), File(), "here").negative
    for notes in ({"zero": True}, {"neg": "yes"}, {"conj": True}):
        with pytest.raises(FileFormatError):
            tensor(described(notes), File(), "here")
