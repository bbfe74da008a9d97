import json
import sys
import warnings

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.demo import METRICS, run_demo
from rebasin_fast.demo import networks as demo_networks

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    steps = []
    path = tmp_path_factory.mktemp("demo") / "digits.png"
    result = run_demo(path, progress=lambda *step: steps.append(step))
    return result, steps, path


@pytest.mark.slow
def test_matching_removes_a_real_barrier(finished):
    result, _, _ = finished
    assert result.naive.barrier("mean") > 0.5
    assert result.matched.barrier("mean") < 0.05
    ends = [result.naive.values["accuracy"][at] for at in (0, -1)]
    middle = len(result.matched.ts) // 2
    assert min(ends) > 0.96
    assert result.matched.values["accuracy"][middle] > min(ends) - 0.01


@pytest.mark.slow
def test_both_lines_have_the_same_ends(finished):
    result, _, _ = finished
    for metric in METRICS:
        naive, matched = result.naive.values[metric], result.matched.values[metric]
        assert naive[0] == matched[0]
        assert naive[-1] == pytest.approx(matched[-1], rel=1e-4)


@pytest.mark.slow
def test_picture_and_summary_hold_the_numbers(finished):
    result, _, path = finished
    assert path.read_bytes().startswith(PNG)
    summary = result.summary()
    for number in (result.naive.barrier("mean"), result.matched.barrier("midpoint")):
        assert f"{number:.4f}" in summary
    assert str(path) in summary


@pytest.mark.slow
def test_result_is_json(finished):
    result, _, _ = finished
    fields = json.loads(json.dumps(result.to_dict()))
    assert fields["barriers"]["naive"]["loss"]["mean"] == result.naive.barrier("mean")
    assert fields["widths"] == [64, *demo_networks.HIDDEN, 10]
    assert sum(fields["images"].values()) == 1797
    assert len(fields["curves"]["matched"]["ts"]) == len(fields["curves"]["matched"]["values"]["loss"])


@pytest.mark.slow
def test_progress_counts_to_the_end(finished):
    _, steps, _ = finished
    total = steps[0][2]
    assert [done for _, done, _ in steps] == list(range(total + 1))
    assert {all_steps for _, _, all_steps in steps} == {total}


def test_parameters_compute_what_scikit_learn_computes(monkeypatch):
    from sklearn.neural_network import MLPClassifier

    fitted = []
    original = MLPClassifier.fit
    monkeypatch.setattr(
        MLPClassifier, "fit", lambda self, *data: fitted.append(self) or original(self, *data)
    )
    monkeypatch.setattr(demo_networks, "PHASES", ((1, 1e-3),))
    images, test = demo_networks.load_digits()
    params = demo_networks.train(images, 0, lambda phase: None)
    expected = fitted[0].predict_log_proba(test.inputs)
    metrics = demo_networks.evaluate(params, test)
    assert metrics["loss"] == pytest.approx(
        -expected[np.arange(len(test.labels)), test.labels].mean(), rel=1e-4
    )
    assert metrics["accuracy"] == (expected.argmax(axis=1) == test.labels).mean()


def test_splits_share_no_image():
    train, test = demo_networks.load_digits()
    rows = {row.tobytes() for row in train.inputs}
    assert not any(row.tobytes() in rows for row in test.inputs)


def test_unwritable_output_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(
        demo_networks, "train", lambda *_: pytest.fail("trained before the output was checked")
    )
    with pytest.raises(OSError, match="missing"):
        run_demo(tmp_path / "missing" / "digits.png")


def test_existing_picture_may_be_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(
        demo_networks, "train", lambda *_: pytest.fail("trained before the output was checked")
    )
    path = tmp_path / "digits.png"
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        run_demo(path, overwrite=False)
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("package", ["sklearn", "matplotlib.figure"])
def test_missing_packages_say_what_to_install(package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(rf.MissingDependencyError, match=r'pip install "rebasin-fast\[demo\]"'):
        run_demo(tmp_path / "digits.png")
    assert list(tmp_path.iterdir()) == []


def test_interrupt_during_training(monkeypatch):
    """scikit-learn swallows Ctrl-C and returns a half-trained network; the demo must stop."""
    from sklearn.neural_network import MLPClassifier

    def interrupted(self, *data):
        raise KeyboardInterrupt

    monkeypatch.setattr(MLPClassifier, "_backprop", interrupted)
    images, _ = demo_networks.load_digits()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.raises(KeyboardInterrupt):
            demo_networks.train(images, 0, lambda phase: None)
