"""The demo's data and networks: scikit-learn's digits, and perceptrons trained on them from a seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rebasin_fast.errors import MissingDependencyError

Floats = NDArray[np.float32]

HIDDEN = (384, 384, 384)
PHASES = ((20, 3e-3), (10, 1e-3), (10, 3e-4))  # epochs, and learning rate of Adam
WEIGHT_DECAY = 0.03
BATCH = 64
TEST_SHARE = 0.3
LARGEST_PIXEL = 16
CLASSES = 10


@dataclass(frozen=True)
class Images:
    """Images as rows of 64 pixels between 0 and 1, and their classes."""

    inputs: Floats
    labels: NDArray[np.int64]


def load_digits() -> tuple[Images, Images]:
    """Return the training and the test images: the 8 x 8 digits that scikit-learn ships.

    Raises
    ------
    MissingDependencyError
        scikit-learn is not installed.
    """
    try:
        from sklearn import datasets, model_selection
    except ImportError as error:
        raise MissingDependencyError(
            'the demo needs scikit-learn, which is not installed: pip install "rebasin-fast[demo]"'
        ) from error
    inputs, labels = datasets.load_digits(return_X_y=True)
    scaled = (inputs / LARGEST_PIXEL).astype(np.float32)
    train_inputs, test_inputs, train_labels, test_labels = model_selection.train_test_split(
        scaled, labels, test_size=TEST_SHARE, random_state=0, stratify=labels
    )
    return Images(train_inputs, train_labels), Images(test_inputs, test_labels)


def layer_names() -> list[str]:
    """Return the names of the linear layers, the first at the input."""
    return [f"fc{number}" for number in range(1, len(HIDDEN) + 2)]


def train(images: Images, seed: int, before_phase: Callable[[int], object]) -> dict[str, Floats]:
    """Train one network with Adam, its learning rate falling by phases; parameters shaped as in torch."""
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits  # scikit-learn depends on it

    network = MLPClassifier(
        HIDDEN,
        random_state=seed,
        alpha=WEIGHT_DECAY,
        batch_size=BATCH,
        warm_start=True,
        n_iter_no_change=10_000,
    )
    for phase, (epochs, rate) in enumerate(PHASES):
        before_phase(phase)
        network.set_params(max_iter=epochs, learning_rate_init=rate)
        # Products this small are several times slower when BLAS threads wait for one another on busy cores.
        with _interrupts_pass(), threadpool_limits(limits=1, user_api="blas"):
            network.fit(images.inputs, images.labels)
    params: dict[str, Floats] = {}
    for name, kernel, bias in zip(layer_names(), network.coefs_, network.intercepts_, strict=True):
        params[f"{name}.weight"] = np.ascontiguousarray(kernel.T)
        params[f"{name}.bias"] = bias
    return params


def evaluate(params: Mapping[str, Floats], images: Images) -> dict[str, float]:
    """Return the mean cross-entropy in nats, and the accuracy."""
    from scipy.special import log_softmax

    activation = images.inputs
    names = layer_names()
    for name in names[:-1]:
        activation = np.maximum(activation @ params[f"{name}.weight"].T + params[f"{name}.bias"], 0)
    logits = (activation @ params[f"{names[-1]}.weight"].T + params[f"{names[-1]}.bias"]).astype(np.float64)
    log_likelihood = log_softmax(logits, axis=1)
    return {
        "loss": float(-log_likelihood[np.arange(len(images.labels)), images.labels].mean()),
        "accuracy": float((logits.argmax(axis=1) == images.labels).mean()),
    }


@contextmanager
def _interrupts_pass() -> Iterator[None]:
    """Ctrl-C is raised, which scikit-learn turns into a warning; the planned end of a phase warns of nothing."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("error", message="Training interrupted", category=UserWarning)
        try:
            yield
        except UserWarning as warning:
            raise KeyboardInterrupt from warning
