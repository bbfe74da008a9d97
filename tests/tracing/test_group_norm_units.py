"""Group norms are respected where concatenations cut across their groups; moving units freely changes the function."""

from __future__ import annotations

import numpy as np
import pytest

import rebasin_fast as rf
from helpers.models.installed import require_models
from rebasin_fast.permutation import identity_permutation, random_permutation
from rebasin_fast.permutation.trial import TOLERANCE, Trial
from rebasin_fast.specs.layout import blocks_of

require_models()

import torch  # noqa: E402

from helpers.models.diffusion import SMALL_UNET, unet  # noqa: E402

pytestmark = pytest.mark.models
CLEARLY = 1e5 * TOLERANCE
INNER = "down_blocks.1.resnets.0.conv1.weight"  # its outputs stand in one norm of 8 groups of 4
SKIPPED = "conv_in.weight"  # in norms of 8 groups of 2, and beside 32 others in norms of 8 groups of 6


@pytest.fixture(scope="module")
def spec() -> rf.PermutationSpec:
    return rf.trace_spec(*unet(SMALL_UNET, 8), verify=False)


@pytest.fixture(scope="module")
def trial() -> Trial:
    return Trial(*unet(SMALL_UNET, 8), np.random.default_rng(0))


@pytest.mark.parametrize("parameter", [INNER, SKIPPED])
def test_traced_permutations_of_units_preserve_the_function(
    spec: rf.PermutationSpec, trial: Trial, parameter: str
) -> None:
    sizes = spec.sizes(trial.params)
    drawn = random_permutation(spec, sizes, np.random.default_rng(1))
    for name in rf.PermutationSpec({"outputs": spec.axes_to_perm[parameter][:1]}).permutations:
        moved = {**identity_permutation(spec, sizes), name: drawn[name]}
        assert trial.change_under(spec, moved) <= TOLERANCE


@pytest.mark.parametrize("parameter", [INNER, SKIPPED])
def test_a_free_permutation_of_the_same_units_changes_the_function(
    spec: rf.PermutationSpec, trial: Trial, parameter: str
) -> None:
    units = trial.params[parameter].shape[0]
    assert change_under_order(spec, trial, parameter, np.random.default_rng(1).permutation(units)) > CLEARLY


def test_whole_groups_do_not_move_where_a_concatenation_cuts_across_them(
    spec: rf.PermutationSpec, trial: Trial
) -> None:
    channels, groups = SMALL_UNET["block_out_channels"][0], SMALL_UNET["norm_num_groups"]
    by_group = np.arange(channels).reshape(groups, -1)
    assert change_under_order(spec, trial, SKIPPED, np.roll(by_group, 1, axis=0).ravel()) > CLEARLY


def change_under_order(spec: rf.PermutationSpec, trial: Trial, parameter: str, order: np.ndarray) -> float:
    """How far outputs move when the outputs of ``parameter`` take ``order`` wherever the spec knows them."""
    sizes = spec.sizes(trial.params)
    places = {
        block.dims: block.positions.ravel() for block in blocks_of(spec.axes_to_perm[parameter][0], sizes)
    }
    moved = dict(trial.params)
    for name, entries in spec.axes_to_perm.items():
        for axis, entry in enumerate(entries):
            there = {block.dims: block.positions.ravel() for block in blocks_of(entry, sizes)}
            if places.keys() <= there.keys():
                slots = np.empty(order.size, dtype=np.int64)
                for dims, units in places.items():
                    slots[units] = there[dims]
                index = np.arange(moved[name].shape[axis])
                index[slots] = slots[order]
                moved[name] = moved[name].index_select(axis, torch.as_tensor(index))
    return trial.change_with(moved)
