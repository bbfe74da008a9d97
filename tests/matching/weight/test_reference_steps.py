"""The native descent takes the steps of two references: the published loop, and one for all kinds of entries."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rebasin_fast as rf
from helpers.networks import KNOWN
from helpers.strategies import spec_cases
from rebasin_fast.axis import Concat, Fixed, Joined, Product, Slice
from rebasin_fast.permutation import identity_permutation
from rebasin_fast.specs.layout import length_of
from reference import general
from reference.from_spec import reference_axes
from reference.weight_matching import weight_matching as published


def orders(spec, sweeps, seed=0):
    rng = np.random.default_rng(seed)
    return [[str(p) for p in rng.permutation(spec.permutations)] for _ in range(sweeps)]


def assert_same_permutation(found, expected):
    assert set(found) == set(expected)
    for name, index in expected.items():
        np.testing.assert_array_equal(found[name], index, err_msg=name)


@pytest.mark.parametrize("related", [False, True], ids=["unrelated", "related"])
@pytest.mark.parametrize("name", ["mlp", "resnet20-padded", "resnet18", "resnet50", "vgg16-imagenet-norm"])
def test_same_steps_as_the_published_loop(name, related):
    known = KNOWN[name]
    spec, a, b = known.spec(), known.arrays(1), known.arrays(2)
    if related:
        rng = np.random.default_rng(3)
        b = {
            key: w + np.float32(0.1) * rng.standard_normal(w.shape).astype(np.float32) for key, w in a.items()
        }
    sweeps = orders(spec, 30)
    for length in (1, 2, 30):
        reference = published(reference_axes(spec, a), a, b, order=sweeps[:length])
        found = rf.weight_matching(spec, a, b, order=sweeps[:length])
        assert_same_permutation(found.permutation, reference.permutation)
        assert found.history == pytest.approx(reference.history, rel=1e-12)
        assert found.objective == pytest.approx(reference.objective, rel=1e-12)
        assert (found.sweeps, found.converged) == (reference.sweeps, reference.converged)
    assert found.converged


@given(spec_cases(nested=False, largest=6), st.integers(0, 10**6), st.booleans())
def test_same_steps_as_the_slow_reference(case, seed, started):
    a, b = case.params(seed), case.params(seed + 1)
    sweeps = orders(case.spec, 8, seed)
    rng = np.random.default_rng(seed)
    init = {p: rng.permutation(n) for p, n in case.sizes.items()} if started else None
    reference = general.weight_matching(case.spec, a, b, order=sweeps, init=init)
    found = rf.weight_matching(case.spec, a, b, order=sweeps, init=init)
    assert found.objective == pytest.approx(reference.objective, rel=1e-9, abs=1e-9)
    assert found.history == pytest.approx(reference.history, rel=1e-9, abs=1e-9)
    assert found.converged == reference.converged
    reached = general.objective(case.spec, found.permutation, a, b, case.sizes)
    assert found.objective == pytest.approx(reached, rel=1e-12, abs=1e-12)


@given(spec_cases(largest=4), st.integers(0, 10**6))
def test_nested_permutations_never_lower_the_objective(case, seed):
    a, b = case.params(seed), case.params(seed + 1)
    found = rf.weight_matching(case.spec, a, b, rng=seed)
    assert all(
        later >= earlier for earlier, later in itertools.pairwise([found.first_objective, *found.history])
    )
    for name, index in identity_permutation(case.spec, case.sizes).items():
        assert found.permutation[name].shape == index.shape
    reached = general.objective(case.spec, found.permutation, a, b, case.sizes)
    assert found.objective == pytest.approx(reached, rel=1e-12, abs=1e-12)
    assert found.converged


def best_family_step(spec, root, a, b, sizes):
    """The highest objective over every choice of ``root`` and of all copies of what stands within it."""
    family = [root, *(p for p, outer in spec.parents.items() if root in outer)]
    identity = identity_permutation(spec, sizes)
    choices = []
    for p in family:
        copies = identity[p].reshape(-1, sizes[p]).shape[0]
        arrangements = list(itertools.permutations(range(sizes[p])))
        choices.append(
            [np.array(c).reshape(identity[p].shape) for c in itertools.product(arrangements, repeat=copies)]
        )
    return max(
        general.objective(spec, identity | dict(zip(family, choice, strict=True)), a, b, sizes)
        for choice in itertools.product(*choices)
    )


HEADS = {"H": 3, "d": 2, "e": 2}
NESTED = {
    "heads": {"q": (Product("H", "d"), None), "out": (None, Product("H", "d")), "router": ("H",)},
    "two-within-one": {
        "qk": (Concat(Product("H", "d"), Product("H", "e")), None),
        "v": (Product("H", "e"), "M"),
    },
    "grouped-convolution": {"w": (Product("H", "d"), Joined("e"), None), "bias": (Product("H", "d"),)},
    "repeated-within": {"out": (None, Product("H", Product(Fixed(2), "d"))), "v": (Product("H", "d"), "M")},
    "slices-within": {"w": (Product("H", Concat(Slice("d", 0, 1), Fixed(2), Slice("d", 1, 2))), None)},
    "pieces": {"w": (Concat(Fixed(2), Product("H", "d"), "M"), None), "router": ("H", None)},
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", NESTED)
def test_a_step_of_a_family_is_the_best_there_is(name, seed):
    axes = NESTED[name]
    used = {p for entries in axes.values() for e in entries for p in rf.axis.permutations_of(e)}
    spec = rf.PermutationSpec(axes, sizes={p: n for p, n in {**HEADS, "M": 3}.items() if p in used})
    assert any(spec.parents.values())
    sizes = {p: {**HEADS, "M": 3}[p] for p in spec.permutations}
    rng = np.random.default_rng(seed)
    lengths = {
        key: [length_of(e, sizes) if e is not None else 4 for e in entries] for key, entries in axes.items()
    }
    a, b = ({key: rng.standard_normal(shape) for key, shape in lengths.items()} for _ in "ab")
    for root in spec.permutations:
        found = rf.weight_matching(spec, a, b, order=[[root]])
        assert found.objective == pytest.approx(best_family_step(spec, root, a, b, sizes), rel=1e-12)
