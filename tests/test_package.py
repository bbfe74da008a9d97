"""The names that the package exports, and the modules that its import loads."""

import importlib
import subprocess
import sys

import pytest

import rebasin_fast as rf

PUBLIC = [
    "ManyMatching",
    "PermutationSpec",
    "Transform",
    "activation_matching",
    "apply_permutation",
    "apply_transform",
    "compose_permutations",
    "compose_transforms",
    "interpolate",
    "invert_permutation",
    "invert_transform",
    "linear_sum_assignment",
    "load_params",
    "loss_curve",
    "merge_many",
    "normalise",
    "repair",
    "reset_batch_norm",
    "save_params",
    "solve_assignment",
    "specs",
    "weight_matching",
]


def test_every_exported_name_exists_once():
    assert set(PUBLIC) <= set(rf.__all__)
    assert all(getattr(rf, name) is not None for name in rf.__all__)
    assert len(set(rf.__all__)) == len(rf.__all__)


@pytest.mark.parametrize("name", ["mlp", "vgg", "resnet", "for_params"])
def test_public_specs(name):
    assert callable(getattr(rf.specs, name))


@pytest.mark.parametrize(
    "name",
    [
        "axes_to_perm",
        "perm_to_axes",
        "sizes",
        "log10_symmetries",
        "validate",
        "verify",
        "to_json",
        "from_json",
    ],
)
def test_public_names_of_a_spec(name):
    assert hasattr(rf.PermutationSpec, name)


def test_errors_are_caught_by_their_builtin_kinds_and_by_the_root():
    for kind in (rf.SpecError, rf.ParamsError, rf.PermutationError, rf.FileFormatError):
        assert issubclass(kind, rf.RebasinError)
        assert issubclass(kind, ValueError)
    assert issubclass(rf.MissingDependencyError, ImportError)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("assignment.sparse", "solve_csr"),
        ("axis", "Product"),
        ("compat", "lap"),
        ("compat.git_re_basin", "weight_matching"),
        ("cuda", "is_available"),
        ("evaluation", "Evaluator"),
        ("matching.sinkhorn_operator", "soft_permutations"),
        ("permutation", "random_permutation"),
        ("permutation", "save_transform"),
        ("plots", "plot_loss_curves"),
        ("report", "write_report"),
        ("specs.recognised", "RecognisedSpec"),
        ("tracing", "register_rule"),
    ],
)
def test_documented_import_paths(module, name):
    found = importlib.import_module(f"rebasin_fast.{module}")
    assert hasattr(found, name) or importlib.import_module(f"rebasin_fast.{module}.{name}")


OPTIONAL = [
    "torch",
    "safetensors",
    "matplotlib",
    "sklearn",
    "click",
    "cupy",
    "jax",
    "PIL",
    "jinja2",
    "rich",
    "tqdm",
    "threadpoolctl",
    "scipy.optimize",
]


def test_importing_takes_nothing_optional_along():
    program = f"import sys, rebasin_fast; print([m for m in {OPTIONAL!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    assert found.stderr == ""


def test_the_help_page_needs_neither_pages_nor_tables_nor_bars():
    program = (
        "import sys; from rebasin_fast.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('jinja2', 'rich', 'PIL', 'tqdm', 'matplotlib', 'torch') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"
