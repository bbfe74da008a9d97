"""One value of each kind that makes no sense in most places; made anew for each call."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def _complex_tensor():
    return torch.zeros(3, dtype=torch.complex64)


NONSENSE: dict[str, Callable[[], Any]] = {
    "None": lambda: None, "True": lambda: True, "-1": lambda: -1, "0": lambda: 0, "1.5": lambda: 1.5,
    "nan": lambda: math.nan, "inf": lambda: math.inf, "10**30": lambda: 10**30, "complex": lambda: 2j,
    "text": lambda: "abc", "empty text": lambda: "", "NUL": lambda: "a\0b", "long text": lambda: "x" * 300,
    "bytes": lambda: b"x", "list": list, "list of a number": lambda: [1], "mixed list": lambda: ["a", 3],
    "dict": dict, "integer keys": lambda: {1: 2}, "dict of numbers": lambda: {"a": 1},
    "dict of arrays under numbers": lambda: {1: np.ones(2)}, "object": object, "class": lambda: int,
    "function": lambda: len, "module": lambda: math, "set": lambda: {"a", 1},
    "generator": lambda: (item for item in ("a", 3)),
    "complex array": lambda: np.full((4, 4), 1j), "array of text": lambda: np.array(["a", "b"]),
    "array of objects": lambda: np.array([{}, None]), "0-d array": lambda: np.array(2.5),
    "empty array": lambda: np.zeros((0, 3)), "3-d array": lambda: np.ones((2, 3, 4)),
    "array of nan": lambda: np.full((3, 3), np.nan), "meta tensor": lambda: torch.zeros(4, 4, device="meta"),
    "sparse tensor": lambda: torch.eye(4).to_sparse(), "complex tensor": _complex_tensor,
    "boolean tensor": lambda: torch.zeros(4, dtype=torch.bool),
}  # fmt: skip
