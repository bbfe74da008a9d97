"""Pairs of random networks under the published specs, the same wherever NumPy draws them."""

from __future__ import annotations

import zlib

import numpy as np

import rebasin_fast.compat.git_re_basin as grb

# What the original was run on to record tests/compat/recorded_by_jax.json: spec, units of each permutation, seed.
CASES = {
    "mlp": (lambda: grb.mlp_permutation_spec(3), 16, 0),
    "vgg16": (grb.vgg16_permutation_spec, 12, 1),
    "resnet20": (grb.resnet20_permutation_spec, 8, 2),
    "resnet50": (grb.resnet50_permutation_spec, 6, 3),
}


def pair(case: str) -> tuple[grb.PermutationSpec, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A spec, and two models of which every permutation has about as many units; other axes have 3."""
    make, units, seed = CASES[case]
    spec, rng = make(), np.random.default_rng(seed)
    sizes = {p: units + zlib.crc32(p.encode()) % 4 for p in spec.perm_to_axes}
    models = []
    for _ in range(2):
        shapes = {k: [sizes.get(p, 3) for p in axes] for k, axes in spec.axes_to_perm.items()}
        models.append({k: rng.standard_normal(shape).astype(np.float32) for k, shape in shapes.items()})
    return spec, models[0], models[1]
