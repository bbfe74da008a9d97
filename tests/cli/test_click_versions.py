"""The command line starts under the lowest click that is declared, whose classes take no type arguments."""

import subprocess
import sys

PROGRAM = """
import click

def unsubscriptable(cls, item):
    raise TypeError(f"type {cls.__name__!r} is not subscriptable")

click.ParamType.__class_getitem__ = classmethod(unsubscriptable)
from rebasin_fast.cli import main
main(["match", "--help"])
"""


def test_options_are_built_without_subscripting_classes_of_click():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "--memory-limit" in done.stdout
