"""Options of `RebasinLearner` in each row of the tables: name of the row -> keywords.

The paper names none of them. They were searched on other tasks than those that are measured: 20 rotations in the other
sense (seed 123), 12,000 training images of 14 x 14 pixels in batches of 64, accuracies on 2,000 held-out training
images, an MLP 196-128-128-10. Accuracy in percent and forgetting there, one seed:

- penalty "fisher", P fixed: rate .1 and beta 3, 10, 30: 61.2/.32, 68.6/.22, 69.7/.11; rate .2 and beta 10: 75.0/.14;
  rate .3 and beta 10, 20: 78.0/.10, 67.2/.05. Batches of 16, rate .3 and beta 30: 77.8/.05.
- the same at rate .2, beta 10, P trained at rate .1 (27 % of the units move in an episode), alpha .1: 59.0/.32.
- penalty "distance", beta 1, rate .2: P trained at rate .01, alpha .1 (no unit moves) 50.0/.20, P fixed 49.7/.21.
"""

from typing import Any

AS_PUBLISHED = "re-basin"

SINKHORN: dict[str, Any] = {
    "alpha": 0.1,
    "permutation_learning_rate": 0.01,
    "permutation_every": 32,
    "tau": 0.1,
}
FISHER: dict[str, Any] = {"penalty": "fisher", "beta": 10.0, "learning_rate": 0.3}

ROTATED_MNIST: dict[str, dict[str, Any]] = {
    AS_PUBLISHED: {**SINKHORN, "beta": 1.0, "learning_rate": 0.2},
    "re-basin, Fisher penalty": {**SINKHORN, **FISHER},
}
SPLIT_CIFAR100: dict[str, dict[str, Any]] = {
    AS_PUBLISHED: {**SINKHORN, "beta": 1.0, "learning_rate": 0.03},
    "re-basin, Fisher penalty": {**SINKHORN, "penalty": "fisher", "beta": 10.0, "learning_rate": 0.03},
}

# Rows of the ablation on Rotated MNIST: one option after the other away from "re-basin, Fisher penalty".
ABLATIONS: dict[str, dict[str, Any]] = {
    AS_PUBLISHED: ROTATED_MNIST[AS_PUBLISHED],
    "Fisher penalty": ROTATED_MNIST["re-basin, Fisher penalty"],
    "Fisher penalty, no permutations": {**FISHER, "relaxation": None, "alpha": 0.0},
    "Fisher penalty, straight-through": {**SINKHORN, **FISHER, "relaxation": "straight_through"},
    "Fisher penalty, permutations faster": {**SINKHORN, **FISHER, "permutation_learning_rate": 0.1},
    "no penalty, no permutations": {"relaxation": None, "alpha": 0.0, "beta": 0.0, "learning_rate": 0.3},
}
