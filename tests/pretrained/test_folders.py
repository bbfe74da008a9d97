"""Commands on folders of one small Llama: companions, shards, names of the Hub, configurations that do not fit."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from helpers.models.installed import require_models

require_models()

import huggingface_hub  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

import rebasin_fast as rf  # noqa: E402
from helpers.models.language import GPT2  # noqa: E402
from rebasin_fast.cli import main  # noqa: E402

pytestmark = pytest.mark.models

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
COMPANIONS = ("config.json", "generation_config.json", *TOKENIZER)


def batches_of_tokens():
    tokens = torch.arange(24).reshape(2, 12) % 61
    return [(tokens[:, :-1], tokens[:, 1:])]


def same(folder, other):
    found, expected = rf.load_params(folder), rf.load_params(other)
    return set(found) == set(expected) and all(np.array_equal(found[key], expected[key]) for key in expected)


@pytest.fixture(scope="module")
def merged(small_llama, command):
    printed = command("merge", small_llama / "a", small_llama / "b", "-o", small_llama / "m", "-q")
    return small_llama / "m", printed


@pytest.fixture
def changed(small_llama, tmp_path):
    """A copy of folder a with other entries in its configuration."""

    def change(name="changed", **entries):
        folder = tmp_path / name
        shutil.copytree(small_llama / "a", folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps({**config, **entries}), encoding="utf-8")
        return folder

    return change


@pytest.mark.slow
def test_a_merge_is_the_midpoint_after_matching_and_loads(merged, small_llama):
    folder, printed = merged
    assert "proven" in printed
    a, b = rf.load_pretrained(small_llama / "a"), rf.load_pretrained(small_llama / "b")
    matching = rf.weight_matching(a.spec, a.params, b.params)
    expected = rf.interpolate(a.params, rf.apply_permutation(a.spec, matching.permutation, b.params), 0.5)
    a.save(
        small_llama / "by_hand", expected, made_of=(small_llama / "a", small_llama / "b"), method="midpoint"
    )
    assert same(folder, small_llama / "by_hand")
    _, info = transformers.LlamaForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]


@pytest.mark.slow
def test_companions_travel_and_the_card_is_written(merged, small_llama):
    folder, _ = merged
    for name in COMPANIONS:
        assert (folder / name).read_bytes() == (small_llama / "a" / name).read_bytes(), name
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert 'base_model: ["a", "b"]' in card
    assert 'base_model_relation: "merge"' in card
    assert "The card of a" not in card
    assert str(small_llama) not in card


def test_a_card_replaces_one_that_is_there_only_with_force(small_llama, tmp_path):
    card = tmp_path / "out" / "README.md"
    card.parent.mkdir()
    card.write_text("mine", encoding="utf-8")
    arguments = [
        "merge",
        str(small_llama / "a"),
        str(small_llama / "b"),
        "--no-match",
        "-q",
        "-o",
        str(card.parent),
    ]
    beside = CliRunner().invoke(main, arguments)
    assert beside.exit_code == 0, beside.output
    assert card.read_text(encoding="utf-8") == "mine"
    done = CliRunner().invoke(main, [*arguments, "--force"])
    assert done.exit_code == 0, done.output
    assert "rebasin-fast" in card.read_text(encoding="utf-8")


@pytest.mark.slow
def test_spec_shows_that_of_the_class(small_llama, command):
    printed = command("spec", small_llama / "a", "--json").splitlines()
    assert "proven" in printed[0]
    account = json.loads(printed[-1])
    assert len(account["permutations"]) == len(rf.load_pretrained(small_llama / "a").spec.perm_to_axes)
    assert not account["unmatched"]


@pytest.mark.slow
def test_curve_builds_the_class_itself(small_llama, command):
    printed = command(
        "curve", small_llama / "a", small_llama / "b", "--data", f"{__name__}:batches_of_tokens", "--match",
        "--points", 3, "--json", "-q",
    )  # fmt: skip
    curves = json.loads(printed.splitlines()[-1])
    model = transformers.LlamaForCausalLM.from_pretrained(small_llama / "a").eval()
    ((tokens, targets),) = batches_of_tokens()
    with torch.no_grad():
        expected = torch.nn.functional.cross_entropy(model(tokens).logits.movedim(-1, 1), targets)
    losses = {name: curves[name]["values"]["loss"] for name in ("as they are", "matched")}
    assert losses["as they are"][0] == pytest.approx(float(expected), rel=1e-4)
    assert losses["matched"][2] == pytest.approx(losses["as they are"][2], rel=1e-4)


def test_curve_of_a_file_asks_for_the_model(small_llama):
    file = str(small_llama / "a" / "model.safetensors")
    done = CliRunner().invoke(main, ["curve", file, file, "--data", f"{__name__}:batches_of_tokens"])
    assert done.exit_code == 2
    assert "--model module:factory" in done.output


@pytest.mark.slow
def test_a_set_of_shards_stays_one_model(small_llama, tmp_path, command):
    model = transformers.LlamaForCausalLM.from_pretrained(small_llama / "b")
    model.save_pretrained(tmp_path / "b", max_shard_size="10KB")
    assert len(list((tmp_path / "b").glob("*.safetensors"))) > 1
    command("match", small_llama / "a", tmp_path / "b", "-o", tmp_path / "c", "-q")
    command("match", small_llama / "a", small_llama / "b", "-o", tmp_path / "whole", "-q")
    assert same(tmp_path / "c", tmp_path / "whole")
    _, info = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "c", output_loading_info=True)
    assert not info["missing_keys"]


@pytest.fixture
def cache(small_llama, tmp_path, monkeypatch):
    """A cache of the Hub that has ``someone/tiny`` (folder a): links to blobs, as huggingface_hub lays it out."""
    revision, repository = (
        "0123456789abcdef0123456789abcdef01234567",
        tmp_path / "hub" / "models--someone--tiny",
    )
    snapshot, blobs = repository / "snapshots" / revision, repository / "blobs"
    for folder in (snapshot, blobs, repository / "refs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision, encoding="utf-8")
    for number, file in enumerate(sorted((small_llama / "a").iterdir())):
        shutil.copyfile(file, blobs / str(number))
        (snapshot / file.name).symlink_to(blobs / str(number))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    return revision


@pytest.mark.slow
def test_a_name_of_the_hub_is_found_in_the_cache(cache, small_llama, tmp_path, command):
    command("match", "someone/tiny", small_llama / "b", "-o", tmp_path / "c", "-q")
    command("match", small_llama / "a", small_llama / "b", "-o", tmp_path / "by_path", "-q")
    assert same(tmp_path / "c", tmp_path / "by_path")
    card = (tmp_path / "c" / "README.md").read_text(encoding="utf-8")
    assert "someone/tiny" in card
    command("merge", f"someone/tiny@{cache}", small_llama / "b", "-o", tmp_path / "m", "--no-match", "-q")
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert f"- someone/tiny, revision {cache}" in card
    assert (tmp_path / "m" / "tokenizer.json").read_text(encoding="utf-8") == '{"of": "a"}'
    assert rf.load_pretrained("someone/tiny").build is not None


def test_a_name_that_is_not_in_the_cache_is_not_fetched(cache):
    with pytest.raises(FileNotFoundError, match="hf download no-such-owner/no-such-model"):
        rf.load_pretrained("no-such-owner/no-such-model")
    with pytest.raises(FileNotFoundError, match="has no folder 'unet'"):
        rf.load_pretrained("someone/tiny/unet")


@pytest.mark.slow
def test_names_that_the_hub_publishes_for_gpt2(tmp_path, command):
    """Without the prefix of the class, with tables that it no longer has."""
    for name in ("a", "b"):
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**GPT2, "n_layer": 1}))
        model.save_pretrained(tmp_path / name)
        state = {
            key.removeprefix("transformer."): array for key, array in rf.load_params(tmp_path / name).items()
        }
        state["h.0.attn.bias"] = np.tril(np.ones((1, 1, 16, 16), np.float32))
        rf.save_params(
            tmp_path / name / "model.safetensors", state, metadata={"format": "pt"}, overwrite=True
        )
    printed = command("match", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "c", "-q")
    assert "traced from GPT2LMHeadModel" in printed
    assert list(rf.load_params(tmp_path / "c")) == list(rf.load_params(tmp_path / "b"))
    _, info = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "c", output_loading_info=True)
    assert not info["missing_keys"]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2")
    transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**GPT2, "n_layer": 1})).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "entries",
    [
        {"n_inner": 97},
        {"architectures": ["NoSuchModel"]},
        {"model_type": "no-such"},
        {"activation_function": "no-such"},
    ],
)
def test_a_configuration_that_does_not_fit_leads_to_recognition(entries, gpt2, tmp_path, command):
    config = json.loads((gpt2 / "config.json").read_text(encoding="utf-8"))
    for name in ("a", "b"):
        shutil.copytree(gpt2, tmp_path / name)
        (tmp_path / name / "config.json").write_text(json.dumps({**config, **entries}), encoding="utf-8")
    printed = command("match", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "c", "-q")
    assert "Without it the spec is recognised by names and shapes" in printed
    assert "traced from" not in printed


def test_a_configuration_that_does_not_fit_is_an_error_of_load_pretrained(changed):
    with pytest.raises(rf.FileFormatError, match=r"does not fit the weights.*--spec FILE"):
        rf.load_pretrained(changed(intermediate_size=21))


def test_code_of_the_folder_is_refused(changed, tmp_path):
    folder = changed(auto_map={"AutoModel": "modeling.Mine"})
    with pytest.raises(rf.FileFormatError, match="code of its own"):
        rf.load_pretrained(folder)
    done = CliRunner().invoke(main, ["match", str(folder), str(folder), "-o", str(tmp_path / "c")])
    assert done.exit_code == 1
    assert "code of its own" in done.output


@pytest.mark.parametrize(
    ("field", "value"), [("hidden_size", 2**30), ("hidden_size", 6 * 2**14), ("num_hidden_layers", 10**6)]
)
def test_a_configuration_larger_than_the_weights_is_refused(field, value, changed):
    with pytest.raises(rf.FileFormatError, match=r"hostile|too few|larger than the weights"):
        rf.load_pretrained(changed(**{field: value}))


@pytest.mark.parametrize("nonsense", [None, 3, 2.5, ["a"], {}, b"a\0b", "a\0b"])
def test_paths_that_are_none_are_refused_by_name(nonsense, small_llama):
    with pytest.raises((TypeError, ValueError, OSError), match="path"):
        rf.load_pretrained(nonsense)
    model = rf.load_pretrained(small_llama / "a")
    with pytest.raises((TypeError, ValueError, OSError), match="path"):
        model.save(nonsense, model.params)


@pytest.mark.parametrize(
    ("argument", "nonsense"),
    [
        ("params", 3),
        ("params", None),
        ("made_of", 3),
        ("made_of", [None]),
        ("method", 3),
        ("overwrite", "yes"),
    ],
)
def test_senseless_arguments_of_save_are_refused_by_name(argument, nonsense, small_llama, tmp_path):
    model = rf.load_pretrained(small_llama / "a")
    with pytest.raises((TypeError, ValueError), match=argument):
        model.save(tmp_path / "out", **{"params": model.params, argument: nonsense})
    assert not (tmp_path / "out").exists()
