"""A learner on a stream: the accuracy on every task after every task, average accuracy, forgetting."""

import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from papers.continual.streams import Stream, Task

Matrix = npt.NDArray[np.float64]
PIECE = 500  # test images at a time


class Learner(Protocol):
    """What is measured: it learns a task, and its model is evaluated."""

    model: nn.Module

    def learn(self, task: Task) -> None:
        """Learn one task."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that learning goes on from: tensors, numbers, and containers of them."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""


def run(stream: Stream, learner: Learner, path: Path | None = None, seconds: float = float("inf")) -> Matrix:
    """Return the (tasks, tasks) accuracies: row t after task t was learned, column s on task s <= t; else NaN.

    With a ``path`` the matrix and the learner's state are kept there after every task, and learning goes on from them.
    No task is begun after these ``seconds``: the rows of those that are left are NaN.
    """
    matrix, done = np.full((len(stream.tasks), len(stream.tasks)), np.nan), 0
    if path is not None and path.exists():
        state = torch.load(path, weights_only=True)
        matrix, done = state["matrix"].numpy(), state["done"]
        if done < len(stream.tasks):
            learner.load_state_dict(state["learner"])
            torch.set_rng_state(state["rng"])
    started, longest = time.perf_counter(), 0.0
    while done < len(stream.tasks) and time.perf_counter() - started + longest < seconds:
        began = time.perf_counter()
        learner.learn(stream.tasks[done])
        for number in range(done + 1):
            matrix[done, number] = accuracy(learner.model, stream.tasks[number])
        done += 1
        longest = max(longest, time.perf_counter() - began)
        if path is not None:
            keep(path, matrix, done, learner)
            shown = f"{np.mean(matrix[done - 1, :done]):.3f}, {time.perf_counter() - began:.1f} s"
            print(f"{path.stem} task {done}/{len(stream.tasks)} {shown}", file=sys.stderr, flush=True)
    return matrix


def keep(path: Path, matrix: Matrix, done: int, learner: Learner) -> None:
    """Write the state that learning goes on from, whole or not at all; of a finished run the matrix alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    state: dict[str, Any] = {"matrix": torch.from_numpy(matrix), "done": done}
    if done < len(matrix):
        state |= {"learner": learner.state_dict(), "rng": torch.get_rng_state()}
    torch.save(state, unfinished)
    unfinished.replace(path)


@torch.no_grad()
def accuracy(model: nn.Module, task: Task) -> float:
    """Share of the task's test images that the model, in evaluation mode, puts into their class."""
    was_training = model.training
    model.eval()
    inputs, targets = task.load("test")
    hits = 0
    for piece, wanted in zip(inputs.split(PIECE), targets.split(PIECE), strict=True):
        hits += task.hits(model(task.ready(piece)), wanted)
    model.train(was_training)
    return hits / len(targets)


def average_accuracy(matrix: Matrix) -> float:
    """Mean accuracy on all tasks after the last: Mirzadeh et al. 2020, equation 1."""
    return float(matrix[-1].mean())


def forgetting(matrix: Matrix) -> float:
    """Mean over all tasks but the last of the highest accuracy there before the last task, minus that after it.

    Chaudhry et al. 2018, section 3; Mirzadeh et al. 2020, equation 2.
    """
    best = np.nanmax(matrix[:-1, :-1], axis=0)
    return float((best - matrix[-1, :-1]).mean())
