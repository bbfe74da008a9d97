"""Names that no file of weights needs; a file that names one is refused, though nothing of it would be executed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...errors import FileFormatError
from .pickle_reader import Global

# fmt: off
_NEVER_IN_WEIGHTS = {
    "os", "posix", "nt", "subprocess", "sys", "importlib", "runpy", "shutil", "socket", "pty", "ctypes",
    "codeop", "pickle", "_pickle", "webbrowser", "asyncio", "multiprocessing", "pdb", "bdb", "timeit",
    "pydoc", "urllib", "requests", "commands", "pip", "cProfile", "marshal",
}
# fmt: on
_NEVER_ANYWHERE = frozenset({"open", "eval", "exec", "system", "popen", "__import__"})
# fmt: off
_HARMLESS_BUILTINS = {
    "set", "frozenset", "dict", "list", "tuple", "int", "float", "complex", "bool", "str", "bytes",
    "bytearray", "slice", "range", "object", "type", "print", "len", "sum", "min", "max", "abs", "round",
    "getattr",
}
# fmt: on


def refuse_hostile(names: Iterable[Global], path: Path) -> None:
    """FileFormatError for a name that runs programs, opens files or imports."""
    for name in names:
        root = name.module.partition(".")[0]
        builtin = root in ("builtins", "__builtin__") and name.name not in _HARMLESS_BUILTINS
        if builtin or root in _NEVER_IN_WEIGHTS or name.name in _NEVER_ANYWHERE:
            raise FileFormatError(
                f"{path} contains a call of {name}, which no file of weights needs: it is hostile or no checkpoint. "
                "Nothing of it was executed. Do not open it with anything else; get the weights as .safetensors."
            )
