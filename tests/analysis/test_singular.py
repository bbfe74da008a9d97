import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rebasin_fast as rf
from helpers.networks import KNOWN
from rebasin_fast.analysis import SingularAlignment, singular_alignment
from rebasin_fast.permutation import random_permutation

W = rf.PermutationSpec({"w": ("P", None)})


def slow_ratio(a, b, threshold):
    """The definition, with a loop over layers and pairs of singular vectors; zero values have no direction."""
    total = pairs = 0.0
    for name in a:
        (u, s, v), (u2, s2, v2) = (
            np.linalg.svd(
                np.asarray(w[name], dtype=np.float64).reshape(len(w[name]), -1), full_matrices=False
            )
            for w in (a, b)
        )
        kept = [i for i in range(len(s)) if s[i] >= threshold * s[0] and s[i] > 1e-12 * s[0]]
        kept2 = [j for j in range(len(s2)) if s2[j] >= threshold * s2[0] and s2[j] > 1e-12 * s2[0]]
        for i in kept:
            for j in kept2:
                total += float(u[:, i] @ u2[:, j]) * float(v[i] @ v2[j])
        pairs += min(len(kept), len(kept2))
    return total / pairs


def planted(name, seed=0):
    spec, a = KNOWN[name].spec(), KNOWN[name].arrays(seed)
    order = random_permutation(spec, spec.sizes(a), np.random.default_rng(seed))
    inverse = rf.invert_permutation(order, spec)
    return spec, a, rf.apply_permutation(spec, order, a), inverse


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", ["mlp", "resnet20-padded", pytest.param("resnet18", marks=pytest.mark.slow)])
def test_a_planted_permutation_aligns_all_singular_vectors(name, threshold):
    spec, a, b, inverse = planted(name)
    matched = singular_alignment(spec, a, b, inverse, threshold=threshold)
    np.testing.assert_allclose(matched.ratios, 1.0, atol=1e-9)
    assert matched.ratio == pytest.approx(1.0, abs=1e-9)
    assert singular_alignment(spec, a, b, threshold=threshold).ratio < 0.8
    for layer in matched.layers:  # a permutation leaves singular values
        np.testing.assert_allclose(matched.values_a[layer], matched.values_b[layer], rtol=1e-6)
        np.testing.assert_allclose(matched.values_average[layer], matched.values_a[layer], rtol=1e-6)


def test_the_layers_are_the_weights_of_two_and_more_axes():
    spec, a = KNOWN["resnet20-padded"].spec(), KNOWN["resnet20-padded"].arrays()
    found = singular_alignment(spec, a, KNOWN["resnet20-padded"].arrays(1))
    assert found.layers == [name for name in spec.axes_to_perm if a[name].ndim >= 2]
    assert any(a[name].ndim == 4 for name in found.layers)
    for layer in found.layers:
        assert len(found.values_average[layer]) == min(len(a[layer]), a[layer][0].size)


@given(
    rows=st.integers(1, 7),
    columns=st.integers(1, 7),
    rank=st.integers(1, 7),
    threshold=st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0]),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=80, deadline=None)
def test_the_slow_definition(rows, columns, rank, threshold, seed):
    rng = np.random.default_rng(seed)
    a = {
        "w": rng.standard_normal((rows, rank)) @ rng.standard_normal((rank, columns)),
        "c": rng.standard_normal((rows, 2, 3)),
    }
    b = {name: rng.standard_normal(array.shape) for name, array in a.items()}
    spec = rf.PermutationSpec({"w": ("P", None), "c": ("P", None, None)})
    order = {"P": rng.permutation(rows)}
    found = singular_alignment(spec, a, b, order, threshold=threshold)
    moved = rf.apply_permutation(spec, order, b)
    assert found.ratio == pytest.approx(slow_ratio(a, moved, threshold), abs=1e-9)
    for layer, ratio in zip(found.layers, found.ratios, strict=True):
        assert ratio == pytest.approx(
            slow_ratio({layer: a[layer]}, {layer: moved[layer]}, threshold), abs=1e-9
        )
    assert np.abs(found.ratios).max() <= 1 + 1e-9


def test_another_threshold_needs_no_other_decomposition():
    spec, a, b = KNOWN["mlp"].spec(), KNOWN["mlp"].arrays(), KNOWN["mlp"].arrays(1)
    found = singular_alignment(spec, a, b, threshold=0.0)
    for threshold in (0.0, 0.2, 0.3, 0.7, 1.0):
        again = singular_alignment(spec, a, b, threshold=threshold)
        moved = found.at(threshold)
        np.testing.assert_array_equal(moved.ratios, again.ratios)
        np.testing.assert_array_equal(moved.counts_a, again.counts_a)
        assert (moved.ratio, moved.threshold) == (again.ratio, threshold)


def test_independent_matrices_are_not_aligned():
    rng = np.random.default_rng(0)
    a, b = ({"w": rng.standard_normal((60, 80))} for _ in "ab")
    for threshold in (0.0, 0.3):
        assert abs(singular_alignment(W, a, b, threshold=threshold).ratio) < 0.05


def test_orthogonal_directions_have_ratio_zero_and_opposite_ones_minus_one():
    first, second = np.zeros((4, 4)), np.zeros((4, 4))
    first[0, 0] = first[1, 1] = second[2, 2] = second[3, 3] = 1.0
    assert singular_alignment(W, {"w": first}, {"w": second}, threshold=0.0).ratio == 0.0
    assert singular_alignment(W, {"w": first}, {"w": -first}, threshold=0.0).ratio == pytest.approx(-1.0)


def test_the_vectors_of_zero_do_not_count():
    rng = np.random.default_rng(0)
    low = rng.standard_normal((9, 3)) @ rng.standard_normal((3, 8))
    order = rng.permutation(9)
    found = singular_alignment(W, {"w": low}, {"w": low[np.argsort(order)]}, {"P": order}, threshold=0.0)
    assert found.counts_a.tolist() == found.counts_b.tolist() == [3]
    assert found.ratio == pytest.approx(1.0, abs=1e-9)


def test_a_zero_matrix_has_no_ratio_and_leaves_the_others():
    spec = rf.PermutationSpec({"v": ("P", None), "w": ("P", None)})
    one = {"v": np.zeros((3, 2)), "w": np.eye(3)}
    found = singular_alignment(spec, one, one)
    assert np.isnan(found.ratios[0])
    assert found.ratio == pytest.approx(1.0)
    assert np.isnan(singular_alignment(W, {"w": np.zeros((2, 2))}, {"w": np.eye(2)}).ratio)


def test_equal_singular_values_at_the_threshold_count_together():
    rng = np.random.default_rng(0)
    orthogonal = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    order = rng.permutation(30)
    found = singular_alignment(
        W, {"w": orthogonal}, {"w": orthogonal[np.argsort(order)]}, {"P": order}, threshold=1.0
    )
    assert found.counts_a.tolist() == found.counts_b.tolist() == [30]
    assert found.ratio == pytest.approx(1.0, abs=1e-9)


def test_the_lesser_number_of_vectors_normalises():
    a, b = {"w": np.diag([1.0, 1.0, 1.0])}, {"w": np.diag([1.0, 0.2, 0.1])}
    found = singular_alignment(W, a, b, threshold=0.3)
    assert (found.counts_a.tolist(), found.counts_b.tolist()) == ([3], [1])
    assert found.ratio == pytest.approx(1.0)


def test_kernels_with_outputs_last_are_the_same_matrix():
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((5, 4, 3, 3)) for _ in "ab")
    torch_like = singular_alignment(rf.PermutationSpec({"w": ("P", None, None, None)}), {"w": a}, {"w": b})
    flax_like = singular_alignment(
        rf.PermutationSpec({"Conv_0/kernel": (None, None, None, "P")}),
        {"Conv_0/kernel": a.transpose(2, 3, 1, 0)},
        {"Conv_0/kernel": b.transpose(2, 3, 1, 0)},
    )
    assert flax_like.ratio == pytest.approx(torch_like.ratio, abs=1e-12)
    np.testing.assert_allclose(flax_like.values_a["Conv_0/kernel"], torch_like.values_a["w"])


def test_tied_and_unmatched_weights_count_once_and_not_at_all():
    w = np.arange(6.0).reshape(2, 3)
    spec = rf.PermutationSpec(dict.fromkeys(("v", "w", "s"), ("P", None)), unmatched=["s"])
    found = singular_alignment(spec, {"v": w, "w": w, "s": w + 1}, {"v": w, "w": w, "s": w})
    assert found.layers == ["v"]


def test_torch_and_half_precision():
    torch = pytest.importorskip("torch")
    a = torch.randn(6, 5)
    found = singular_alignment(
        W, {"w": a.bfloat16()}, {"w": a.bfloat16()[[1, 0, 2, 3, 4, 5]]}, {"P": [1, 0, 2, 3, 4, 5]}
    )
    assert found.ratio == pytest.approx(1.0)


def test_mistakes():
    good = {"w": np.eye(3)}
    with pytest.raises(ValueError, match=r"in \[0, 1\]; got 30"):
        singular_alignment(W, good, good, threshold=30)
    with pytest.raises(rf.ParamsError, match="'w' of B has entries that are not finite"):
        singular_alignment(W, good, {"w": np.full((3, 3), np.nan)})
    with pytest.raises(rf.SpecError, match="no floating-point weight"):
        singular_alignment(rf.PermutationSpec({"b": ("P",)}), {"b": np.ones(3)}, {"b": np.ones(3)})
    with pytest.raises(rf.PermutationError, match="missing"):
        singular_alignment(W, good, good, {})
    with pytest.raises(TypeError, match=r"pass matching\.permutation"):
        singular_alignment(W, good, good, rf.weight_matching(W, good, good))
    with pytest.raises(ValueError, match="'ratios' or 'values'"):
        singular_alignment(W, good, good).plot(show="R")


def test_progress_counts_layers():
    seen = []
    spec, a = KNOWN["mlp"].spec(), KNOWN["mlp"].arrays()
    singular_alignment(spec, a, a, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_saved_and_loaded_and_drawn(tmp_path):
    spec, a, b = KNOWN["mlp"].spec(), KNOWN["mlp"].arrays(), KNOWN["mlp"].arrays(1)
    found = singular_alignment(spec, a, b)
    found.save(tmp_path / "found.npz")
    again = SingularAlignment.load(tmp_path / "found.npz").at(0.0)
    assert again.ratio == found.at(0.0).ratio
    pytest.importorskip("matplotlib")
    axes = found.plot(label="naive")
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), found.ratios)
    drawn = found.plot(show="values", layer=found.layers[1])
    np.testing.assert_array_equal(drawn.lines[2].get_ydata(), found.values_average[found.layers[1]])
    with pytest.raises(KeyError, match="there is no layer 'x'"):
        found.plot(show="values", layer="x")


def test_as_a_table():
    pytest.importorskip("pandas")
    spec, a = KNOWN["mlp"].spec(), KNOWN["mlp"].arrays()
    table = singular_alignment(spec, a, a).to_pandas()
    assert list(table.columns) == ["layer", "ratio", "count_a", "count_b"]
    assert len(table) == 4
