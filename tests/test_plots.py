import subprocess
import sys

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.plots import STYLES, plot_loss_curves

PNG = b"\x89PNG\r\n\x1a\n"


def curve(height, metrics=("loss", "accuracy")):
    ts = np.linspace(0, 1, 5)
    hill = height * np.sin(np.pi * ts)
    shapes = {"loss": 0.1 + hill, "accuracy": 0.98 - hill}
    return rf.LossCurve(ts, {metric: shapes[metric] for metric in metrics})


def test_one_panel_a_metric_with_every_curve():
    figure = plot_loss_curves(
        {"naive": curve(0.5), "matched": curve(0.01)}, title="A title", ends=("left", "right")
    )
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["loss", "accuracy"]
    for panel in figure.axes:
        assert [line.get_label() for line in panel.lines] == ["naive", "matched"]
        assert [tick.get_text() for tick in panel.get_xticklabels()] == ["left", "their average", "right"]
    loss, accuracy = figure.axes
    np.testing.assert_allclose(loss.lines[0].get_ydata(), curve(0.5).values["loss"])
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), 100 * curve(0.5).values["accuracy"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["naive", "matched"]


def test_midpoints_are_written_in_numbers():
    figure = plot_loss_curves({"naive": curve(0.5), "matched": curve(0.01)})
    written = [[text.get_text() for text in panel.texts] for panel in figure.axes]
    assert written == [["0.60", "0.11"], ["48.0 %", "97.0 %"]]


def test_a_curve_without_its_middle_has_no_number_for_the_average():
    ts = np.array([0.0, 0.4, 1.0])
    figure = plot_loss_curves({"one": rf.LossCurve(ts, {"loss": np.array([0.1, 0.9, 0.1])})})
    assert [text.get_text() for text in figure.axes[0].texts] == []
    assert figure.axes[0].lines[0].get_markevery() == [0, 2]


def test_accuracies_given_in_percent_are_not_multiplied_again():
    ts, accuracy = np.linspace(0, 1, 3), np.array([98.0, 60.0, 97.0])
    figure = plot_loss_curves({"one": rf.LossCurve(ts, {"accuracy": accuracy})})
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), accuracy)
    assert [text.get_text() for text in figure.axes[0].texts] == ["60.0 %"]


def test_a_suffix_that_is_no_picture_is_refused_before_drawing(tmp_path):
    from rebasin_fast.plots import check_figure

    with pytest.raises(rf.FileFormatError, match=r"\.xyz.*\.png"):
        check_figure(tmp_path / "a.xyz")
    check_figure(tmp_path / "a.PNG")
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_would_cover_one_another_are_left_out():
    figure = plot_loss_curves({str(i): curve(0.1 * i) for i in range(3)})
    assert [len(panel.texts) for panel in figure.axes] == [0, 0]


@pytest.mark.parametrize("count", range(1, len(STYLES) + 1))
def test_everything_drawn_lies_within_the_picture(count):
    labels = [f"hidden units matched first, variant {i}" for i in range(count)]
    figure = plot_loss_curves(
        {label: curve(0.1 * i) for i, label in enumerate(labels)}, title="t", subtitle="s"
    )
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1


def test_chosen_metrics_and_labels():
    figure = plot_loss_curves(
        {"naive": curve(0.5)}, metrics=["accuracy"], metric_labels={"accuracy": "Top-1"}
    )
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["Top-1"]


def test_no_two_styles_share_a_look():
    for looks in zip(*STYLES, strict=True):
        assert len(set(looks)) == len(STYLES)


def test_file_is_written_and_not_replaced_unasked(tmp_path):
    path = tmp_path / "curves.png"
    plot_loss_curves({"naive": curve(0.5)}, path)
    assert path.read_bytes().startswith(PNG)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        plot_loss_curves({"naive": curve(0.2)}, path)
    assert path.read_bytes() == before
    plot_loss_curves({"naive": curve(0.2)}, path, overwrite=True)
    assert path.read_bytes() != before
    assert list(tmp_path.iterdir()) == [path]


def test_suffix_gives_the_format(tmp_path):
    plot_loss_curves({"naive": curve(0.5)}, tmp_path / "curves.svg")
    assert "<svg" in (tmp_path / "curves.svg").read_text(encoding="utf-8")


def test_unwritable_output_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="missing"):
        plot_loss_curves({"naive": curve(0.5)}, tmp_path / "missing" / "curves.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [0, len(STYLES) + 1])
def test_number_of_curves_is_bounded(count):
    with pytest.raises(ValueError, match=f"1 to {len(STYLES)} curves, got {count}"):
        plot_loss_curves({str(i): curve(0.1) for i in range(count)})


def test_missing_metric_is_named():
    with pytest.raises(ValueError, match=r"'matched' has no metric 'accuracy'; it has \['loss'\]"):
        plot_loss_curves({"naive": curve(0.5), "matched": curve(0.1, ["loss"])})


def test_missing_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(rf.MissingDependencyError, match=r'pip install "rebasin-fast\[plot\]"'):
        plot_loss_curves({"naive": curve(0.5)})


def test_pyplot_and_its_backend_stay_untouched():
    program = (
        "import sys, numpy as np, rebasin_fast as rf\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from rebasin_fast.plots import plot_loss_curves\n"
        "assert 'matplotlib' not in sys.modules\n"
        "curve = rf.LossCurve(np.array([0.0, 1.0]), {'loss': np.array([1.0, 2.0])})\n"
        "plot_loss_curves({'a': curve})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
