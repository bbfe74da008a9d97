"""Each entry of each ready spec, got wrong in turn: validation or verification must refuse every mutant."""

import numpy as np
import pytest
import torch

import rebasin_fast as rf
from helpers.mutations import mutations, some_mutations
from helpers.networks import KNOWN
from rebasin_fast.permutation.trial_permutations import generators, trials
from rebasin_fast.permutation.verify import TOLERANCE, Trial

# Every alternative to every entry of these; one to every entry of the others, whose layers are the same.
THOROUGH = ("mlp", "mlp-without-biases", "resnet8-padded", "vgg16-cifar", "vgg16-imagenet")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def is_refused(mutant, trial):
    """As `verify` decides, on a trial that many mutants share."""
    try:
        mutant.validate(trial.params)
    except rf.SpecError:
        return True
    sizes = mutant.sizes(trial.params)
    drawn = generators(mutant, sizes, np.random.default_rng(0))
    return any(trial.change_under(mutant, chosen) > TOLERANCE for chosen in trials(mutant, sizes, drawn))


@pytest.mark.parametrize("name", KNOWN)
def test_every_mutant_is_refused(name):
    known = KNOWN[name]
    trial = Trial(known.build(), known.inputs(batch=2), np.random.default_rng(0))
    spec = known.spec()
    mutants = list((mutations if name in THOROUGH else some_mutations)(spec, trial.params))
    assert len(mutants) >= sum(
        entry is not None for entries in spec.axes_to_perm.values() for entry in entries
    )
    assert not is_refused(spec, trial)
    assert [what for what, mutant in mutants if not is_refused(mutant, trial)] == []
