"""Rules of merging, and LoRA adapters."""

import os
import tempfile
from functools import lru_cache

import numpy as np

from calls.judgement import Call
from calls.shared import FOLDER, A, B, C
from rebasin_fast import merging
from rebasin_fast.merging.lora.adapter import Adapter, Product

# Numbers of either sign, gradients, and mappings of patterns to them.
SETTINGS = {"-1", "0", "1.5", "10**30", "dict of numbers", "list of a number", "0-d array"}
ADAPTER = Adapter(None, {"fc1.weight": Product(np.ones((4, 1)), np.ones((1, 3)), 1.0)})


@lru_cache
def saved_adapter():
    path = os.path.join(tempfile.mkdtemp(dir=FOLDER), "adapter")
    merging.save_adapter(path, ADAPTER)
    return path


def new_folder():
    return os.path.join(tempfile.mkdtemp(dir=FOLDER), "adapter")


CALLS = [
    Call(
        merging.combine,
        lambda: {
            "models": [B, C], "rule": "dare_ties", "base": A, "weights": 1.0, "density": 0.5, "t": None,
            "normalize": None, "rescale": None, "lambda_": 1.0, "max_iter": None, "tol": None, "rng": 0,
            "dtype": None, "out_dtype": None, "allow_nonfinite": False,
        },
        {"weights": SETTINGS, "lambda_": SETTINGS, "density": {"0", "dict of numbers"}},
    ),
    Call(merging.load_adapter, lambda: {"path": saved_adapter()}),
    Call(merging.save_adapter, lambda: {"path": new_folder(), "adapter": ADAPTER, "overwrite": False}),
    Call(merging.merged_adapters, lambda: {"adapters": [ADAPTER, ADAPTER], "weights": None, "rank": None}),
    Call(
        merging.applied_adapter,
        lambda: {"params": A, "adapter": ADAPTER, "weight": 1.0},
        {"params": {"dict"}, "weight": {"-1"}},
    ),
]  # fmt: skip
