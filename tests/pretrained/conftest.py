"""Folders of small random models of transformers, written as the library writes them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner


@pytest.fixture(scope="session")
def command():
    """Run a command that succeeds; its output."""
    from rebasin_fast.cli import main

    def run(*arguments):
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.output
        return done.output

    return run


@pytest.fixture(scope="session")
def small_llama(tmp_path_factory):
    """Two folders of Llama with the files of a tokenizer and a card of their own."""
    import transformers

    from helpers.models.language import LLAMA

    folder = tmp_path_factory.mktemp("llama")
    for name in ("a", "b"):
        transformers.LlamaForCausalLM(
            transformers.LlamaConfig(**{**LLAMA, "num_hidden_layers": 1})
        ).save_pretrained(folder / name)
        for companion in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            (folder / name / companion).write_text(f'{{"of": "{name}"}}', encoding="utf-8")
        (folder / name / "README.md").write_text(f"The card of {name}.", encoding="utf-8")
    return folder
