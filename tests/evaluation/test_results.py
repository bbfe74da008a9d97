from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.evaluation.result import Result
from rebasin_fast.files import OutputExistsError


@dataclass(frozen=True)
class Everything(Result):
    numbers: np.ndarray
    named: dict
    nothing: dict
    words: list
    scalar: float
    _title: ClassVar[str] = "result of everything"

    def _columns(self):
        return {"number": self.numbers}


EVERYTHING = Everything(np.arange(3), {"a/b": np.ones((2, 2)), "c": np.zeros(0)}, {}, ["x", None], 0.5)
CURVE = rf.LossCurve(
    np.array([0.0, 0.5, 1.0]), {"loss": np.array([1.0, 5.0, 3.0]), "accuracy": np.array([0.9, 0.1, 0.8])}
)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_every_kind_of_field_comes_back(tmp_path, suffix):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / f"result{suffix}"
    EVERYTHING.save(path)
    found = Everything.load(path)
    np.testing.assert_array_equal(found.numbers, EVERYTHING.numbers)
    assert list(found.named) == ["a/b", "c"]
    for name, array in EVERYTHING.named.items():
        np.testing.assert_array_equal(found.named[name], array)
    assert (found.nothing, found.words, found.scalar) == ({}, ["x", None], 0.5)


def test_a_file_is_not_replaced_unless_asked(tmp_path):
    CURVE.save(tmp_path / "curve.npz")
    with pytest.raises(OutputExistsError):
        CURVE.save(tmp_path / "curve.npz")
    CURVE.save(tmp_path / "curve.npz", overwrite=True)
    np.testing.assert_array_equal(
        rf.LossCurve.load(tmp_path / "curve.npz").values["loss"], CURVE.values["loss"]
    )


def test_a_file_of_another_result_is_refused(tmp_path):
    EVERYTHING.save(tmp_path / "other.npz")
    with pytest.raises(rf.FileFormatError, match="no loss curve"):
        rf.LossCurve.load(tmp_path / "other.npz")


def test_a_file_with_a_field_too_few_is_refused(tmp_path):
    CURVE.save(tmp_path / "curve.npz")
    arrays = dict(rf.load_params(tmp_path / "curve.npz"))
    del arrays["array/ts"]
    rf.save_params(tmp_path / "damaged.npz", arrays)
    with pytest.raises(rf.FileFormatError, match="damaged"):
        rf.LossCurve.load(tmp_path / "damaged.npz")


def test_a_curve_as_a_table():
    pytest.importorskip("pandas")
    table = CURVE.to_pandas()
    assert list(table.columns) == ["t", "loss", "accuracy"]
    assert table["loss"].tolist() == [1.0, 5.0, 3.0]


def test_a_curve_is_drawn_into_given_axes():
    figure = pytest.importorskip("matplotlib.figure").Figure()
    ax = figure.subplots()
    assert CURVE.plot(ax, metric="accuracy", label="naive") is ax
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), CURVE.values["accuracy"])
    assert ax.get_ylabel() == "accuracy"
    with pytest.raises(KeyError, match="no metric 'bleu'"):
        CURVE.plot(metric="bleu")
