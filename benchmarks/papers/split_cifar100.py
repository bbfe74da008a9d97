"""Split CIFAR-100: the table and the figure of incremental learning, Guerrero-Peña et al., CVPR 2023 (2212.12042).

Twenty tasks of five classes in the order of the labels, 2,500 images and one epoch each, the label of the task given;
the reduced ResNet-18 of GEM and A-GEM, SGD, batches of 10; average accuracy and forgetting of finetuning, EWC, LwF,
A-GEM, re-basin, joint training, and of re-basin's parts without permutations::

    REBASIN_FAST_DATA=/path/to/data python benchmarks/papers/split_cifar100.py

Four to ten minutes a method and seed on one core with bfloat16 (AVX-512 or AMX), three times as long without;
finished tasks are kept, and a run goes on from them (``--seconds`` ends one early). ``--quick`` takes three tasks of
100 images.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from papers.continual import methods, streams
from papers.continual.study import Study, main

NOTE = """\
Classes 5t - 5 to 5t - 1 in task t, lossless images without augmentation. Accuracy: mean over the test images of all
tasks after the last, among the five classes of their task. Forgetting: mean over all tasks but the last of the best
accuracy so far minus the last. ± is the standard deviation over seeds (network, order of images). SGD at rate .03. EWC:
strength 10, F on 500 images a task. LwF: weight 1, temperature 2. A-GEM: one image of each class, 10 a step. Anchor
(beta = 1 of ||theta - theta_old||^2) and averaging (share .3 of the new parameters, and of BatchNorm's statistics):
re-basin's parts without permutations."""


def stream(seed: int, cache: Path, **size: int) -> streams.Stream:
    return streams.split_cifar100(seed, folder=cache, **size)


if __name__ == "__main__":
    quick = {"tasks": 3, "images": 20, "test_images": 10}
    main(Study("split_cifar100", "Split CIFAR-100", stream, methods.split_cifar100(), NOTE, quick), __doc__)
