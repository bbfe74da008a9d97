"""The rows of the tables: each method's learner and hyperparameters, where they come from, and published numbers.

Sources: [M] Mirzadeh et al. 2020 and their program, stable-continual-learning; [C] Chaudhry et al. 2019 (A-GEM) and
theirs; [L] Li and Hoiem 2016; [S] searched here on other rotations: those of seed 100, 12 tasks, 6,000 images, batches
of 32. The published numbers are those of Guerrero-Peña et al. 2023, who do not say the hyperparameters of these rows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from networks import training
from networks.reduced_resnet18 import ReducedResNet18
from torch import nn

from papers.continual import rebasin_settings
from papers.continual.accuracy import Learner
from papers.continual.agem import AGEM
from papers.continual.anchors import Anchored
from papers.continual.ewc import EWC
from papers.continual.finetuning import Finetuning
from papers.continual.lwf import LwF
from papers.continual.rebasin import Rebasin


@dataclass(frozen=True)
class Method:
    """One row: ``learner(model, seed=seed, **options)``; published accuracy in percent, and forgetting."""

    learner: Callable[..., Learner]
    options: dict[str, Any] = field(default_factory=dict)
    published: tuple[float, float | None] | None = None
    joint: bool = False


def mnist_model() -> nn.Sequential:
    """The perceptron of [M]."""
    return training.perceptron(784, 256, 256, 10)


def rotated_mnist() -> dict[str, Method]:
    """Rows of Rotated MNIST. Batches of 64 at rate .05 forget as much as the published finetuning row."""
    sgd = {"rate": 0.05}
    rows = {
        "finetuning": Method(Finetuning, sgd, (46.28, 0.52)),
        # [M], [C]: strength 10 of another estimate of F. [S]: 100 of 10, 100, 1000, 10000.
        "EWC": Method(EWC, {**sgd, "strength": 100.0, "samples": 500}, (59.92, 0.34)),
        # [L]: weight 1, temperature 2. [S]: weight 10 of 1, 3, 10.
        "LwF": Method(LwF, {**sgd, "weight": 10.0, "temperature": 2.0}, (61.86, 0.29)),
        # [C]: 25 images of each class of each task on Permuted MNIST; [M]: 1, batches of 64 from the memory.
        "A-GEM": Method(AGEM, {**sgd, "per_class": 25, "memory_batch": 64}, (68.47, 0.28)),
        "L2 anchor": Method(Anchored, {**sgd, "beta": 1.0}),
        "averaging": Method(Anchored, {**sgd, "share": 0.3}),
        "anchor and averaging": Method(Anchored, {**sgd, "beta": 1.0, "share": 0.3}),
    }
    rows |= with_permutations(rebasin_settings.ROTATED_MNIST, (1, 784), (78.14, 0.12))
    return rows | {"joint": Method(Finetuning, sgd, (90.84, None), joint=True)}


def split_cifar100() -> dict[str, Method]:
    """Rows of Split CIFAR-100. [M], [C]: batches of 10 at rate .03 for EWC and A-GEM."""
    sgd = {"rate": 0.03}
    rows = {
        "finetuning": Method(Finetuning, sgd, (35.41, 0.49)),
        # [M], [C]: strength 10.
        "EWC": Method(EWC, {**sgd, "strength": 10.0, "samples": 500}, (50.50, 0.24)),
        # [L]: weight 1, temperature 2.
        "LwF": Method(LwF, {**sgd, "weight": 1.0, "temperature": 2.0}, (41.43, 0.51)),
        # [M]: 1 image of each class; batches of 10 from the memory, as large as the task's own.
        "A-GEM": Method(AGEM, {**sgd, "per_class": 1, "memory_batch": 10}, (44.42, 0.36)),
        "L2 anchor": Method(Anchored, {**sgd, "beta": 1.0}),
        "averaging": Method(Anchored, {**sgd, "share": 0.3}),
        "anchor and averaging": Method(Anchored, {**sgd, "beta": 1.0, "share": 0.3}),
    }
    rows |= with_permutations(rebasin_settings.SPLIT_CIFAR100, (2, 3, 32, 32), (51.34, 0.07))
    return rows | {"joint": Method(Finetuning, sgd, (60.48, None), joint=True)}


def with_permutations(
    settings: dict[str, dict[str, Any]], inputs: tuple[int, ...], published: tuple[float, float]
) -> dict[str, Method]:
    """The rows of `RebasinLearner`; the published numbers stand beside the method as published."""
    return {
        name: Method(
            Rebasin,
            {"inputs": inputs, **options},
            published if name == rebasin_settings.AS_PUBLISHED else None,
        )
        for name, options in settings.items()
    }


MODELS: dict[str, Callable[[], nn.Sequential]] = {
    "rotated_mnist": mnist_model,
    "rebasin_rotated_mnist": mnist_model,
    "split_cifar100": ReducedResNet18,
}
