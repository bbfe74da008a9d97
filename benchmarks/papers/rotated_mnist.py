"""Rotated MNIST: the table and the figure of incremental learning, Guerrero-Peña et al., CVPR 2023 (arXiv 2212.12042).

Twenty tasks of 60,000 images, one epoch each, an MLP 784-256-256-10, SGD; average accuracy and forgetting of
finetuning, EWC, LwF, A-GEM, re-basin, joint training, and of re-basin's parts without permutations::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/papers/rotated_mnist.py

About a minute a method and seed on one core; finished tasks are kept, and a run goes on from them (``--seconds`` ends
one early). ``--images 12000 --test-images 2000`` takes a fifth of the time. ``--quick`` takes three tasks of 2,000.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from papers.continual import methods, streams
from papers.continual.study import Study, main

NOTE = """\
Task t is rotated by 10 (t - 1) degrees minus a uniform draw below 10, as the program of the older benchmark
(stable-continual-learning) draws it, whose finetuning row is the published one; `--rotations equal` takes equal steps
from 0 to 180 degrees. Accuracy: mean over the test images of all tasks after the last. Forgetting: mean over all tasks
but the last of the best accuracy so far minus the last. ± is the standard deviation over seeds (network, rotations,
order of images). SGD on batches of 64 at rate .05, which gives the published finetuning row on all images; re-basin at
the rates that its search chose (.2, with the Fisher penalty .3). EWC: strength 100, F on 500 images a task. LwF: weight
10, temperature 2. A-GEM: 25 images of each class and task, 64 a step. Anchor (beta = 1 of ||theta - theta_old||^2) and
averaging (share .3 of the new parameters): re-basin's parts without permutations."""


def stream(seed: int, cache: Path, rotations: streams.Rotations = "drawn", **size: int) -> streams.Stream:
    return streams.rotated_mnist(seed, kind=rotations, **size)


if __name__ == "__main__":
    quick = {"tasks": 3, "images": 2000, "test_images": 1000}
    rotations = {"choices": ["equal"], "help": "equal steps from 0 to 180 degrees; default: as in the note"}
    rows = methods.rotated_mnist()
    main(
        Study("rotated_mnist", "Rotated MNIST", stream, rows, NOTE, quick, {"rotations": rotations}), __doc__
    )
