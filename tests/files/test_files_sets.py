"""Sets of files, and folders as Hugging Face and diffusers lay them out."""

import contextlib
import errno
import json
import os

import numpy as np
import pytest
import safetensors.numpy
import torch

import rebasin_fast as rf
from rebasin_fast.errors import FileFormatError
from rebasin_fast.files import OutputExistsError, UnwritableOutputError, check_output


@pytest.fixture(params=["safetensors", "bin"])
def sharded(tmp_path, request):
    folder = tmp_path / "hub"
    folder.mkdir()
    rng = np.random.default_rng(0)
    params = {f"layer.{i}.weight": rng.random((4, 3)).astype(np.float32) for i in range(4)}
    stem = "model" if request.param == "safetensors" else "pytorch_model"
    shards = [f"{stem}-0000{i + 1}-of-00002.{request.param}" for i in range(2)]
    weight_map = {name: shards[i // 2] for i, name in enumerate(params)}
    for shard in shards:
        part = {name: params[name] for name in params if weight_map[name] == shard}
        if request.param == "safetensors":
            safetensors.numpy.save_file(part, folder / shard, metadata={"format": "pt"})
        else:
            torch.save({name: torch.from_numpy(array) for name, array in part.items()}, folder / shard)
    index = {"metadata": {"total_size": 192, "made": "by test"}, "weight_map": weight_map}
    (folder / f"{stem}.{request.param}.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text('{"hidden": 4}')
    (folder / "notes").mkdir()
    return folder, params


def equal(found, expected) -> bool:
    return set(found) == set(expected) and all(np.array_equal(found[n], expected[n]) for n in expected)


def test_a_set_is_read_by_folder_and_by_index_and_written_alike(tmp_path, sharded):
    folder, params = sharded
    found = rf.load_params(folder)
    assert equal(found, params)
    index = next(folder.glob("*.index.json"))
    assert equal(rf.load_params(index), params)
    moved = {name: np.asarray(array)[::-1] for name, array in found.items()}
    out = tmp_path / "out"
    check_output(out, like=found)
    rf.save_params(out, moved, like=folder)
    assert sorted(os.listdir(out)) == sorted(p.name for p in folder.iterdir() if p.is_file())
    assert equal(rf.load_params(out), moved)
    new = json.loads((out / index.name).read_text())
    assert new == json.loads(index.read_text())
    assert sorted(os.listdir(tmp_path)) == ["hub", "out"]
    with pytest.raises(OutputExistsError, match="--force"):
        rf.save_params(out, moved, like=found)
    (out / "mine.txt").write_text("keep")
    rf.save_params(out, params, like=found, overwrite=True)
    assert equal(rf.load_params(out), params)
    assert (out / "mine.txt").read_text() == "keep"
    assert sorted(os.listdir(tmp_path)) == ["hub", "out"]


def test_a_set_becomes_one_file_and_a_part_of_it_a_set(tmp_path, sharded):
    folder, params = sharded
    found = rf.load_params(folder)
    rf.save_params(tmp_path / "one.safetensors", found)
    assert equal(rf.load_params(tmp_path / "one.safetensors"), params)
    fewer = dict(list(params.items())[:2]) | {"new": np.ones(2, np.float32)}
    rf.save_params(tmp_path / "fewer-v1.5", fewer, like=found)
    assert equal(rf.load_params(tmp_path / "fewer-v1.5"), fewer)


def test_an_index_path_writes_the_set_beside_it(tmp_path, sharded):
    folder, params = sharded
    found = rf.load_params(folder)
    out = tmp_path / "beside"
    out.mkdir()
    rf.save_params(out / found.source.path.name, found)
    assert equal(rf.load_params(out), params)


def test_tied_parameters_across_the_files_of_a_set(tmp_path):
    table = torch.randn(4, 2)
    torch.save({"a": table, "b": table, "c": torch.ones(2)}, tmp_path / "one.bin")
    index = {"weight_map": {"a": "one.bin", "b": "one.bin", "c": "one.bin"}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    params = rf.load_params(tmp_path)
    assert params.ties == {"b": "a"}
    rf.save_params(tmp_path / "out", params)
    assert rf.load_params(tmp_path / "out").ties == {"b": "a"}


@pytest.mark.parametrize(
    "shard",
    ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "C:\\x", "..\\x", 7, None, "a\0b"],
)
def test_an_index_that_reaches_elsewhere_is_refused(tmp_path, shard):
    rf.save_params(tmp_path / "secret.safetensors", {"w": np.ones(2)})
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": shard}}))
    with pytest.raises(FileFormatError, match="index that reaches elsewhere is refused"):
        rf.load_params(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as an index"),
        ("[]", "has no weight_map"),
        ('{"weight_map": {}}', "has no weight_map"),
        ('{"weight_map": {"w": "missing.safetensors"}}', "not beside it"),
        ('{"weight_map": {"w": "a.safetensors", "w": "a.safetensors"}}', "occurs twice"),
        ('{"weight_map": {"other": "a.safetensors"}}', "does not hold it"),
        ('{"weight_map": {"w": "a.safetensors", "v": "b.npz"}}', "several formats"),
        ("[" * 100_000, "cannot be read as an index"),
    ],
)
def test_damaged_indexes(tmp_path, text, words):
    rf.save_params(tmp_path / "a.safetensors", {"w": np.ones(2)})
    rf.save_params(tmp_path / "b.npz", {"v": np.ones(2)})
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(FileFormatError, match=words):
        rf.load_params(tmp_path)


def test_folders(tmp_path):
    with pytest.raises(FileFormatError, match="holds no weights"):
        rf.load_params(tmp_path)
    for part in ("unet", "vae"):
        (tmp_path / part).mkdir()
        rf.save_params(
            tmp_path / part / "diffusion_pytorch_model.safetensors", {part: np.ones(2, np.float16)}
        )
        (tmp_path / part / "config.json").write_text("{}")
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(FileFormatError, match=r"several networks \(unet, vae\).*Give one of them: .*unet"):
        rf.load_params(tmp_path)
    params = rf.load_params(tmp_path / "unet")
    assert list(params) == ["unet"]
    rf.save_params(tmp_path / "new", params)
    assert sorted(os.listdir(tmp_path / "new")) == ["config.json", "diffusion_pytorch_model.safetensors"]
    rf.save_params(tmp_path / "vae" / "second.safetensors", {"x": np.ones(2)})
    assert list(rf.load_params(tmp_path / "vae")) == ["vae"]
    with pytest.raises(OutputExistsError, match="holds other weights"):
        rf.save_params(tmp_path / "vae", params, overwrite=True)
    (tmp_path / "several").mkdir()
    for name in "ab":
        rf.save_params(tmp_path / "several" / f"{name}.npz", {"x": np.ones(2)})
    with pytest.raises(FileFormatError, match=r"several files of weights \(a.npz, b.npz\)"):
        rf.load_params(tmp_path / "several")
    (tmp_path / "parts").mkdir()
    for i in (1, 2):
        rf.save_params(tmp_path / "parts" / f"model-0000{i}-of-00002.safetensors", {"x": np.ones(2)})
    with pytest.raises(FileFormatError, match=r"without its \.index\.json"):
        rf.load_params(tmp_path / "parts")


@pytest.mark.parametrize(
    ("at", "error", "raised", "message"),
    [
        (2, KeyboardInterrupt(), KeyboardInterrupt, None),
        (1, OSError(errno.ENOSPC, "No space left on device"), UnwritableOutputError, "no space is left"),
    ],
    ids=["interrupt", "full disk"],
)
def test_a_folder_that_fails_leaves_nothing(tmp_path, monkeypatch, sharded, at, error, raised, message):
    folder, _ = sharded
    params = rf.load_params(folder)
    calls = []

    def fail(_):
        calls.append(1)
        if len(calls) == at:
            raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(raised, match=message):
        rf.save_params(tmp_path / "out", params)
    assert os.listdir(tmp_path) == ["hub"]


def test_a_folder_that_another_run_made_meanwhile_is_kept(tmp_path, monkeypatch, sharded):
    folder, _ = sharded
    params = rf.load_params(folder)
    index = next(folder.glob("*.index.json")).name
    true_fsync = os.fsync

    def meanwhile(descriptor):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / index).write_text("the other's")
        true_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(OutputExistsError):
        rf.save_params(tmp_path / "out", params)
    assert (tmp_path / "out" / index).read_text() == "the other's"
    assert sorted(os.listdir(tmp_path)) == ["hub", "out"]


@pytest.mark.parametrize("cut_at", range(1, 6))
def test_an_overwritten_set_that_is_cut_short_is_the_old_one_or_the_new(
    tmp_path, monkeypatch, sharded, cut_at
):
    folder, params = sharded
    out = tmp_path / "out"
    rf.save_params(out, params, like=folder)
    moved = {name: array + 1 for name, array in params.items()}
    true_replace, calls = os.replace, []

    def cut(source, target):
        calls.append(target)
        if len(calls) == cut_at:
            raise KeyboardInterrupt
        true_replace(source, target)

    monkeypatch.setattr(os, "replace", cut)
    with contextlib.suppress(KeyboardInterrupt):
        rf.save_params(out, moved, like=folder, overwrite=True)
    monkeypatch.undo()
    found = rf.load_params(out)
    complete = len(calls) < cut_at
    for name, array in params.items():
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(array + 1 if complete else array))
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]
    rf.save_params(out, moved, like=folder, overwrite=True)
    again = rf.load_params(out)
    assert all(np.array_equal(np.asarray(again[name]), np.asarray(array)) for name, array in moved.items())
    weights = [name for name in os.listdir(out) if name.endswith((".safetensors", ".bin"))]
    assert len(weights) == len(
        set(json.loads(next(out.glob("*.index.json")).read_text())["weight_map"].values())
    )


def test_single_file_stable_diffusion(tmp_path):
    names = [
        "model.diffusion_model.input_blocks.0.0.weight",
        "first_stage_model.encoder.conv_in.weight",
        "cond_stage_model.transformer.text_model.embeddings.position_ids",
        "betas",
    ]
    state = {name: torch.arange(6, dtype=torch.float16).reshape(2, 3) for name in names[:2]}
    state |= {names[2]: torch.arange(77)[None], names[3]: torch.ones(4)}
    torch.save({"global_step": 470000, "state_dict": state}, tmp_path / "sd.ckpt")
    params = rf.load_params(tmp_path / "sd.ckpt")
    assert list(params) == names
    rf.save_params(tmp_path / "sd.safetensors", params)
    assert rf.load_params(tmp_path / "sd.safetensors").dtype(names[0]) == "float16"
    rf.save_params(tmp_path / "out.ckpt", params)
    assert torch.load(tmp_path / "out.ckpt", weights_only=True)["global_step"] == 470000
