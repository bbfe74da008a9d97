"""Options of `RebasinLearner` in each row of the tables: name of the row -> keywords.

Searched on other rotations and seeds than those that are measured (seed 100 and above).
"""

from typing import Any

ROTATED_MNIST: dict[str, dict[str, Any]] = {"re-basin": {}}
SPLIT_CIFAR100: dict[str, dict[str, Any]] = {"re-basin": {"learning_rate": 0.03}}
