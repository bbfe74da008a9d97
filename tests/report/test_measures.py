"""The numbers behind the page, against slow references."""

import itertools
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

import rebasin_fast as rf
from helpers.strategies import spec_cases
from rebasin_fast.permutation import random_permutation
from rebasin_fast.report import similarity
from rebasin_fast.report.charts import cosine_range
from rebasin_fast.report.findings import gather
from rebasin_fast.report.measures import LayerDistance, layer_of, shortened
from rebasin_fast.report.pictures import NEGATIVE, POSITIVE, heat_map
from rebasin_fast.report.text import cosine as cosine_text
from rebasin_fast.report.text import shared_prefix
from reference import coordinates


def gathered(spec, a, b, permutation):
    """The findings about a permutation that nobody searched."""
    matching = rf.weight_matching(spec, a, b, init=permutation, max_iter=0)
    return gather(spec, a, b, matching, ("A", "B"))


@given(case=spec_cases())
def test_distances_and_cosines_are_those_of_the_slow_reference(case):
    spec, a, b = case.spec, case.params(0), case.params(1)
    if set(spec.axes_to_perm) == set(spec.unmatched):
        return
    permutation = random_permutation(spec, case.sizes, np.random.default_rng(2))
    found = gathered(spec, a, b, permutation)
    moved = coordinates.apply(spec, permutation, b, case.sizes)
    for layer in found.measures.layers:
        names = [n for n in a if layer_of(n) == layer.first and n not in spec.unmatched]
        assert layer.before == pytest.approx(sum(((a[n] - b[n]) ** 2).sum() for n in names))
        assert layer.after == pytest.approx(sum(((a[n] - moved[n]) ** 2).sum() for n in names), abs=1e-9)
    for name in spec.permutations:
        agreement = found.measures.agreements[name]
        keys = (*spec.parents[name], name)
        for values, other in ((agreement.cosines_before(), b), (agreement.cosines_after(), moved)):
            vectors_a, vectors_b = unit_vectors(spec, case, a, keys), unit_vectors(spec, case, other, keys)
            for unit in np.ndindex(values.shape):
                assert values[unit] == pytest.approx(cosine(vectors_a[unit], vectors_b[unit]), abs=1e-9)


@given(case=spec_cases())
def test_pictures_are_all_cosines_in_both_orders(case):
    spec, a, b = case.spec, case.params(0), case.params(1)
    if set(spec.axes_to_perm) == set(spec.unmatched):
        return
    permutation = random_permutation(spec, case.sizes, np.random.default_rng(2))
    moved = coordinates.apply(spec, permutation, b, case.sizes)
    for drawn in gathered(spec, a, b, permutation).drawn:
        vectors_a, vectors_b = (unit_vectors(spec, case, p, drawn.names) for p in (a, moved))
        units = list(np.ndindex(tuple(case.sizes[name] for name in drawn.names)))
        expected = np.array([[cosine(vectors_a[i], vectors_b[j]) for j in units] for i in units])
        np.testing.assert_allclose(drawn.map.after, expected, atol=1e-5)
        own = [units.index(source_of(unit, drawn.names, permutation, spec)) for unit in units]
        np.testing.assert_allclose(drawn.map.before[:, own], expected, atol=1e-5)
        assert drawn.map.mean == pytest.approx(expected.mean(), abs=1e-5)


def unit_vectors(spec, case, params, keys):
    """For each unit, everything that it owns, in an order that does not depend on the unit: by place."""
    vectors = {unit: [] for unit in np.ndindex(tuple(case.sizes[name] for name in keys))}
    for name, entries in spec.axes_to_perm.items():
        if name in spec.unmatched:
            continue
        entries, shape = coordinates.merged(entries, params[name].shape)
        array = params[name].reshape(shape)
        for axis, (entry, length) in enumerate(zip(entries, shape, strict=True)):
            for position, label in enumerate(coordinates.labels(entry, length, case.sizes)):
                slot = {p: unit for p, _, unit in label}
                if keys[-1] in slot:
                    place = [(str(p), str(where), 0 if p in keys else unit) for p, where, unit in label]
                    row = np.take(array, position, axis).ravel()
                    vectors[tuple(slot[p] for p in keys)].append((name, axis, place, row))
    return {
        unit: np.concatenate([row for *_, row in sorted(rows, key=lambda found: found[:3])])
        if rows
        else np.zeros(1)
        for unit, rows in vectors.items()
    }


def source_of(unit, names, permutation, spec):
    slot = dict(zip(names, unit, strict=True))
    return tuple(
        int(permutation[name][(*(slot[parent] for parent in spec.parents[name]), slot[name])])
        for name in names
    )


def cosine(first, second):
    norms = np.sqrt((first @ first) * (second @ second))
    return first @ second / norms if norms else 0.0


def test_a_planted_permutation_brings_every_unit_onto_the_diagonal():
    rng = np.random.default_rng(0)
    spec = rf.PermutationSpec({"w": ("P", None)})
    a = {"w": rng.standard_normal((40, 60))}
    b = rf.apply_permutation(spec, {"P": rng.permutation(40)}, a)
    found = gathered(spec, a, b, rf.weight_matching(spec, a, b).permutation)
    assert found.measures.distances()[1] == 0.0
    np.testing.assert_allclose(found.measures.agreements["P"].cosines_after(), 1.0)
    np.testing.assert_allclose(np.diag(found.drawn[0].map.after), 1.0, rtol=1e-5)
    assert np.abs(np.diag(found.drawn[0].map.before)).mean() < 0.5


def test_pictures_are_centred_where_norms_outweigh_the_rest():
    """Norm weights about 1 make all cosines about 1; drawn as they are, the picture has one colour."""
    rng = np.random.default_rng(0)
    spec = rf.PermutationSpec({"w": ("P", None), "norm": ("P", None)})
    a = {"w": 0.1 * rng.standard_normal((40, 8)), "norm": 1.0 + 0.01 * rng.standard_normal((40, 6))}
    b = rf.apply_permutation(spec, {"P": rng.permutation(40)}, a)
    drawn = gathered(spec, a, b, rf.weight_matching(spec, a, b).permutation).drawn[0].map
    assert drawn.after.min() > 0.9
    before, after = drawn.centred()
    for centred in (before, after):
        np.testing.assert_allclose(centred.mean(axis=0), 0.0, atol=1e-6)
        np.testing.assert_allclose(centred.mean(axis=1), 0.0, atol=1e-6)
    others = after[~np.eye(40, dtype=bool)]
    assert np.diag(after).mean() > 2.0 * np.abs(others).mean()
    shades = {heat_map(values, float(np.abs(after).max())) for values in (before, after)}
    assert len(shades) == 2


def test_equal_units_leave_nothing_to_draw():
    spec = rf.PermutationSpec({"w": ("P", None)})
    a = {"w": np.ones((5, 3)) / 3}
    for centred in gathered(spec, a, a, None).drawn[0].map.centred():
        assert not centred.any()


def test_large_pictures_are_means_over_blocks(monkeypatch):
    monkeypatch.setattr(similarity, "SIDE", 5)
    rng = np.random.default_rng(0)
    spec = rf.PermutationSpec({"w": ("P", None), "v": ("P",)})
    a, b = ({"w": rng.standard_normal((23, 7)), "v": rng.standard_normal(23)} for _ in range(2))
    permutation = {"P": rng.permutation(23)}
    found = gathered(spec, a, b, permutation).drawn[0].map
    rows_a, rows_b = (np.column_stack([p["w"], p["v"]]) for p in (a, b))
    rows_a, rows_b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (rows_a, rows_b))
    edges = np.linspace(0, 23, 6).astype(int)
    for picture, order in ((found.before, np.arange(23)), (found.after, permutation["P"])):
        cosines = rows_a @ rows_b[order].T
        means = [
            [cosines[i:k, j:m].mean() for j, m in itertools.pairwise(edges)]
            for i, k in itertools.pairwise(edges)
        ]
        np.testing.assert_allclose(picture, means, atol=1e-6)
    assert found.units_per_cell == 23 / 5
    assert found.deviation is None


def test_permutations_that_are_too_large_are_named_instead(monkeypatch):
    monkeypatch.setattr("rebasin_fast.report.findings.LARGEST", 8)
    spec = rf.PermutationSpec({"w": ("P", "Q")})
    a = {"w": np.random.default_rng(0).standard_normal((9, 8))}
    found = gathered(spec, a, a, None)
    assert found.too_large == ["P"]
    assert [drawn.names for drawn in found.drawn] == [("Q",)]


def test_relative_distances_of_equal_orthogonal_and_opposite():
    for before, relative in ((0.0, 0.0), (2.0, 1.0), (4.0, np.sqrt(2.0))):
        assert LayerDistance("x", "x", before, before, 2.0).relative() == pytest.approx((relative, relative))
    assert LayerDistance("x", "x").relative() == (0.0, 0.0)


def test_runs_of_layers_add_up_and_lose_none():
    layers = [LayerDistance(str(i), str(i), i, 2 * i, 3 * i) for i in range(23)]
    rows = shortened(layers, 5)
    assert [(row.first, row.last, row.layers) for row in rows] == [
        ("0", "4", 5), ("5", "9", 5), ("10", "14", 5), ("15", "19", 5), ("20", "22", 3),
    ]  # fmt: skip
    assert sum(row.before for row in rows) == sum(range(23))
    assert shortened(layers, 23) == layers


def test_no_minus_before_a_zero():
    assert [cosine_text(v) for v in (-0.0004, 0.0, -0.0006, 0.1234)] == ["0.000", "0.000", "-0.001", "0.123"]


def test_layers_and_prefixes_are_cut_at_dots_and_slashes():
    assert [layer_of(n) for n in ("a.b.weight", "Dense_0/kernel", "w")] == ["a.b", "Dense_0", "w"]
    assert shared_prefix(["module.conv1.", "module.conv2."]) == "module."
    assert shared_prefix(["conv1.", "fc."]) == ""
    assert shared_prefix([]) == ""


def test_a_heat_map_is_a_png_of_its_values():
    values = np.array([[-1.0, 0.0, 2.0], [0.5, -0.5, 0.0]])
    data = b64decode(heat_map(values, 1.0).removeprefix("data:image/png;base64,"))
    pixels = np.asarray(Image.open(BytesIO(data), formats=["PNG"]).convert("RGBA"))
    np.testing.assert_array_equal(pixels[..., 3], np.rint(255 * np.abs(values).clip(0, 1)))
    for sign, colour in ((1, POSITIVE), (-1, NEGATIVE)):
        assert (pixels[np.sign(values) == sign, :3] == colour).all()


def test_the_range_of_cosines_holds_zero_and_stays_within_one():
    assert cosine_range(np.array([0.21, 0.4])) == (0.0, 0.4)
    assert cosine_range(np.array([-0.01]), np.array([1.0 + 1e-9])) == (-0.1, 1.0)
    assert cosine_range(np.array([])) == (0.0, 0.1)
