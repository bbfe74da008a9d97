"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import rebasin_fast

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(rebasin_fast.__path__, "rebasin_fast.")
    if not module.name.endswith(("__main__", "._core"))
)


@pytest.mark.parametrize("name", ["rebasin_fast", *MODULES])
@pytest.mark.slow
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with np.printoptions(legacy=False):
        result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_public_functions_have_examples():
    finder = doctest.DocTestFinder(recurse=False)
    for name in rebasin_fast.__all__:
        thing = getattr(rebasin_fast, name)
        if callable(thing) and not isinstance(thing, type) and name not in WITHOUT_EXAMPLE:
            examples = [example for test in finder.find(thing, name) for example in test.examples]
            assert examples, f"{name} has no example"


# A function of the compiled core, whose values differ from build to build.
WITHOUT_EXAMPLE = ("build_config",)
