"""Permutations, and files of parameters and of permutations."""

import numpy as np

import rebasin_fast as rf
from calls.judgement import Call
from calls.shared import SPEC, A, P, new_file, saved_params, saved_permutation, saved_transform
from rebasin_fast import files, permutation


def loaded():
    return rf.load_params(saved_params())


NUMBERS = {"P0": 4}
FORM = {"dtype": None, "max_shard_size": None}

CALLS = [
    Call(rf.apply_permutation, lambda: {"spec": SPEC, "permutation": P, "params": A}, {"params": {"dict"}}),
    Call(permutation.permuted_params, lambda: {"spec": SPEC, "permutation": P, "params": A}, {"params": {"dict"}}),
    Call(permutation.check_permutation, lambda: {"spec": SPEC, "permutation": P, "sizes": NUMBERS}),
    Call(permutation.identity_permutation, lambda: {"spec": SPEC, "sizes": NUMBERS}),
    Call(
        permutation.random_permutation,
        lambda: {"spec": SPEC, "sizes": NUMBERS, "rng": np.random.default_rng(0)},
    ),
    Call(rf.invert_permutation, lambda: {"permutation": P, "spec": SPEC}, {"permutation": {"dict"}}),
    Call(rf.compose_permutations, lambda: {"first": P, "second": P, "spec": SPEC}),
    Call(rf.apply_transform, lambda: {"spec": SPEC, "transform": rf.Transform(P), "params": A}, {"params": {"dict"}}),
    Call(
        permutation.transformed_params,
        lambda: {"spec": SPEC, "transform": rf.Transform(P), "params": A},
        {"params": {"dict"}},
    ),
    Call(permutation.check_transform, lambda: {"spec": SPEC, "transform": rf.Transform(P), "sizes": NUMBERS}),
    Call(permutation.identity_transform, lambda: {"spec": SPEC, "sizes": NUMBERS}),
    Call(
        permutation.random_transform,
        lambda: {"spec": SPEC, "sizes": NUMBERS, "rng": np.random.default_rng(0), "scale_range": (0.5, 2.0)},
    ),
    Call(rf.invert_transform, lambda: {"transform": rf.Transform(P), "spec": SPEC}),
    Call(rf.compose_transforms, lambda: {"first": rf.Transform(P), "second": rf.Transform(P), "spec": SPEC}),
    Call(rf.normalise, lambda: {"spec": SPEC, "params": A, "balance": True}, {"params": {"dict"}}),
    Call(
        permutation.save_transform,
        lambda: {
            "path": new_file("npz"), "spec": SPEC, "transform": rf.Transform(P), "metadata": None, "overwrite": True,
        },
    ),
    Call(permutation.load_transform, lambda: {"path": saved_transform()}),
    Call(files.holds_transform, lambda: {"path": saved_permutation()}),
    Call(
        rf.load_params,
        lambda: {"path": saved_params(), "entry": None, "library": "numpy", "memory_limit": None},
    ),
    Call(
        rf.save_params,
        lambda: {
            "path": new_file("npz"), "params": A, "like": None, "metadata": None, "card": None, **FORM,
            "overwrite": False,
        },
        {"params": {"dict of numbers"}},
    ),
    Call(
        files.save_permutation,
        lambda: {"path": new_file("npz"), "permutation": P, "metadata": None, "spec_json": None, "overwrite": True},
        {"permutation": {"dict"}},
    ),
    Call(files.load_permutation, lambda: {"path": saved_permutation()}),
    Call(files.check_output, lambda: {"path": new_file("npz"), "like": None, **FORM, "overwrite": False}),
    Call(files.output_files, lambda: {"path": new_file("npz"), "like": None, **FORM}),
    Call(files.check_permutation_output, lambda: {"path": new_file("npz"), "overwrite": False}),
    Call(files.check_writable, lambda: {"path": new_file("npz"), "overwrite": False, "needed_bytes": 1}),
    Call(files.spec_digest, lambda: {"spec_json": SPEC.to_json()}),
    Call(
        files.PermutationFile.check_spec,
        lambda: {"spec_json": SPEC.to_json()},
        instance=lambda: files.PermutationFile(P),
    ),
    Call(files.LoadedParams.shape, lambda: {"name": "fc1.bias"}, instance=loaded, documented=(KeyError,)),
    Call(files.LoadedParams.dtype, lambda: {"name": "fc1.bias"}, instance=loaded, documented=(KeyError,)),
    Call(files.LoadedParams.entry, lambda: {"name": "fc1.bias"}, instance=loaded, documented=(KeyError,)),
]  # fmt: skip
