"""Commands and options that errors advise: each exists, and does what it is advised for."""

from __future__ import annotations

import ast
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

import rebasin_fast as rf
from rebasin_fast.cli import main
from rebasin_fast.errors import FileFormatError

ROOT = Path(__file__).parents[1]
SOURCE = Path(rf.__file__).parent
# What stands for the placeholders of messages that advise to install something.
FILLED = {
    "library": ["transformers", "diffusers"],
    "oldest": ["2.6"],
    "extra": ["plot", "demo"],
    "self.known.needs": ["torch"],
    "known.package": ["gguf", "onnx", "msgpack"],
}


@functools.cache
def messages() -> tuple[tuple[str, str], ...]:
    """(file, text) of every literal text of the package but docstrings, placeholders as ``{source}``."""
    return tuple(each for path in sorted(SOURCE.rglob("*.py")) for each in messages_of(path))


def messages_of(path: Path) -> Iterator[tuple[str, str]]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    documents = {
        id(node.body[0].value)
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inner = {id(value) for node in nodes if isinstance(node, ast.JoinedStr) for value in node.values}
    for node in nodes:
        if id(node) in documents or id(node) in inner:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield str(path.relative_to(SOURCE)), node.value
        elif isinstance(node, ast.JoinedStr):
            parts = [
                value.value if isinstance(value, ast.Constant) else "{" + ast.unparse(value.value) + "}"
                for value in node.values
            ]
            yield str(path.relative_to(SOURCE)), "".join(map(str, parts))


def installs() -> list[str]:
    """The arguments of every ``pip install`` that a message advises."""
    found = []
    for _, text in messages():
        for advice in re.findall(r"pip install ((?:[^()\s,]|\s(?=[-'\"\[.])|\s(?=cmake|[a-z_]+$))+)", text):
            filled = [advice]
            for name, values in FILLED.items():
                filled = [form.replace("{" + name + "}", value) for form in filled for value in values]
            found += filled
    return sorted(set(found))


def declared() -> dict[str, set[str]]:
    """Extras of the package and the names of the packages that they need."""
    tomllib = pytest.importorskip("tomllib")
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        extra: {re.split(r"[\[<>=]", requirement)[0] for requirement in listed}
        for extra, listed in table["optional-dependencies"].items()
    }


def test_pip_takes_each_advice_and_the_package_declares_it() -> None:
    pip = pytest.importorskip("pip._internal.commands")
    requirements = pytest.importorskip("packaging.requirements")
    found = set()
    for advice in installs():
        options, arguments = pip.create_command("install").parser.parse_args(shlex.split(advice))
        assert arguments, advice
        found |= set(arguments)
        if arguments == ["."]:
            assert options.ignore_dependencies, advice
            assert options.force_reinstall, advice
            continue
        for wanted in map(
            requirements.Requirement, arguments
        ):  # a placeholder that FILLED lacks is no requirement
            if wanted.name == "rebasin-fast":
                assert wanted.extras, advice
                assert wanted.extras <= set(declared()), advice
            else:
                assert wanted.name in set().union(*declared().values()), advice
    assert {f"rebasin-fast[{extra}]" for extra in ("torch", "plot", "demo")} <= found
    assert {"torch>=2.6", "h5py", "gguf"} <= found


def test_a_package_that_is_advised_is_the_one_that_is_missing() -> None:
    extras = declared()
    assert {"torch", "safetensors"} <= extras["torch"]
    assert "matplotlib" in extras["plot"]
    assert {"scikit-learn", "matplotlib"} <= extras["demo"]


def options_of(command: click.Command) -> set[str]:
    found = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    if isinstance(command, click.Group):
        return found.union(*map(options_of, command.commands.values()))
    return found


def test_options_that_messages_name_exist() -> None:
    known = options_of(main) | {"--help"}
    others = {"--upgrade", "--force-reinstall", "--no-deps", "--revision"}  # of pip, and of hf download
    named = {
        (path, option)
        for path, text in messages()
        if not path.startswith("report/style")
        for option in re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*", text)
    }
    assert len(named) > 20
    assert {(path, option) for path, option in named if option not in known | others} == set()


def test_commands_that_messages_name_exist() -> None:
    commands = main.commands if isinstance(main, click.Group) else {}
    named = {
        word
        for path, text in messages()
        for word in re.findall(r"rebasin-fast ([a-z]+)\b", text)
        if not path.startswith("cli/info")
    }
    assert named - {"is"} <= set(commands)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


GPT = {
    "transformer.wte.weight": (40, 16), "transformer.wpe.weight": (10, 16),
    "transformer.h.0.ln_1.weight": (16,), "transformer.h.0.ln_1.bias": (16,),
    "transformer.h.0.attn.c_attn.weight": (16, 48), "transformer.h.0.attn.c_attn.bias": (48,),
    "transformer.h.0.attn.c_proj.weight": (16, 16), "transformer.h.0.attn.c_proj.bias": (16,),
    "transformer.h.0.ln_2.weight": (16,), "transformer.h.0.ln_2.bias": (16,),
    "transformer.h.0.mlp.c_fc.weight": (16, 64), "transformer.h.0.mlp.c_fc.bias": (64,),
    "transformer.h.0.mlp.c_proj.weight": (64, 16), "transformer.h.0.mlp.c_proj.bias": (16,),
    "transformer.ln_f.weight": (16,), "transformer.ln_f.bias": (16,), "lm_head.weight": (40, 16),
}  # fmt: skip
NORMED = {
    "fc1.weight": (9, 4), "fc1.bias": (9,), "norm.weight": (9,), "norm.bias": (9,), "fc2.weight": (3, 9),
    "fc2.bias": (3,),
}  # fmt: skip
UNKNOWN = {"u.weight": (5, 3), "v.weight": (7, 5), "w.weight": (4, 9)}
OPTIONS = {
    "--layers A,B,…": ({"encoder.weight": (6, 6), "decoder.weight": (6, 6)}, "encoder,decoder"),
    "--heads N": (GPT, "4"),
    "--norm-groups N": (NORMED, "1"),
    "--spec FILE": (UNKNOWN, "spec.json"),
}


@pytest.mark.parametrize("advised", OPTIONS)
def test_an_option_given_as_advised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, advised: str) -> None:
    monkeypatch.chdir(tmp_path)
    shapes, value = OPTIONS[advised]
    rng = np.random.default_rng(0)
    rf.save_params("a.npz", {name: rng.standard_normal(shape) for name, shape in shapes.items()})
    spec = rf.PermutationSpec({"u.weight": ("P", None), "v.weight": (None, "P"), "w.weight": (None, None)})
    Path("spec.json").write_text(spec.to_json(), encoding="utf-8")
    refused = run("spec", "a.npz")
    assert refused.exit_code != 0
    assert advised in refused.output
    taken = run("spec", "a.npz", advised.split()[0], value)
    assert taken.exit_code == 0, taken.output
    assert "encoder → decoder" in taken.output or advised != "--layers A,B,…"


def pointer_repository(folder: Path) -> tuple[Path, bytes]:
    """A clone whose file of weights is the pointer that Git LFS leaves, and the bytes that it stands for."""
    environment = {
        **os.environ, "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    }  # fmt: skip

    def git(where: Path, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=where, env=environment, check=True, capture_output=True)

    work, bare, clone = folder / "work", folder / "bare.git", folder / "clone"
    git(folder, "init", "--bare", str(bare))
    git(folder, "init", str(work))
    git(work, "lfs", "install", "--local")
    git(work, "lfs", "track", "*.npz")
    rf.save_params(work / "a.npz", {"w": np.arange(3.0)})
    content = (work / "a.npz").read_bytes()
    git(work, "add", ".gitattributes", "a.npz")
    git(work, "commit", "-m", "weights")
    git(work, "push", bare.as_uri(), "HEAD:refs/heads/main")
    git(folder, "clone", "--branch", "main", bare.as_uri(), str(clone))
    git(clone, "lfs", "install", "--local", "--skip-smudge")
    return clone, content


def has_lfs() -> bool:
    return (
        shutil.which("git") is not None
        and subprocess.run(["git", "lfs", "version"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not has_lfs(), reason="git or git-lfs is not installed")
def test_weights_fetched_from_git_lfs_as_advised(tmp_path: Path) -> None:
    clone, content = pointer_repository(tmp_path)
    with pytest.raises(FileFormatError, match="with git-lfs installed: git lfs pull") as refused:
        rf.load_params(clone / "a.npz")
    command = str(refused.value).split("installed: ")[1]
    subprocess.run(
        shlex.split(command),
        cwd=clone,
        env={**os.environ, "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
    )
    assert (clone / "a.npz").read_bytes() == content
    assert np.array_equal(rf.load_params(clone / "a.npz")["w"], np.arange(3.0))


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_that_is_cut_short_fetched_again(tmp_path: Path, suffix: str, share: float) -> None:
    if suffix == ".pt":
        pytest.importorskip("torch")
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    rf.save_params(whole, {"w": np.arange(5000.0)})
    cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    with pytest.raises(FileFormatError, match=r"(?i)fetch (it|or write it) again"):
        dict(rf.load_params(cut))
    shutil.copy(whole, cut)
    assert np.array_equal(np.asarray(rf.load_params(cut)["w"]), np.arange(5000.0))


def test_parameters_renamed_as_advised() -> None:
    from rebasin_fast.specs import renaming

    rng = np.random.default_rng(0)
    spec = rf.specs.mlp(["fc1", "fc2"])
    shapes = {"fc1.weight": (8, 4), "fc1.bias": (8,), "fc2.weight": (3, 8), "fc2.bias": (3,)}
    a = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    params_b = {f"module.{name}": array for name, array in a.items()}
    with pytest.raises(rf.ParamsError, match=r"RenamedParams\(params_b, names_like\(…\)\)"):
        rf.weight_matching(spec, a, params_b)
    names = renaming.names_like(renaming.shapes_of(params_b), renaming.shapes_of(a))
    assert names is not None
    renamed = renaming.RenamedParams(params_b, names)
    assert rf.weight_matching(spec, a, renamed).converged


@pytest.mark.slow
def test_threads_of_openblas_set_before_python_starts(tmp_path: Path) -> None:
    """The advice where threadpoolctl is missing."""
    program = (
        "import sys; sys.modules['threadpoolctl'] = None\n"
        "import numpy as np, rebasin_fast as rf\n"
        "spec = rf.specs.mlp(['a', 'b'])\n"
        "m = {f'{k}.weight': np.eye(4) for k in 'ab'} | {f'{k}.bias': np.ones(4) for k in 'ab'}\n"
        "try:\n    rf.weight_matching(spec, m, m, threads=2)\n"
        "except rf.MissingDependencyError as e:\n    assert 'OPENBLAS_NUM_THREADS' in str(e), e\n"
        "else:\n    raise SystemExit('not refused')\n"
        "print(rf.weight_matching(spec, m, m).converged)\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr
