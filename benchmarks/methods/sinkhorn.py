"""Sinkhorn matching beside the PyPI package sinkhorn-rebasin: the operator alone, a step, memory.

::

    OMP_NUM_THREADS=1 python benchmarks/methods/sinkhorn.py sinkhorn-operator
    OMP_NUM_THREADS=1 python benchmarks/methods/sinkhorn.py sinkhorn-step

The rival needs ``pip install --no-deps sinkhorn-rebasin torchviz graphviz``.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.command import command_line
from common.timing import medians

from methods.plain_programs import MLP, CostRow, Row, ask, random_pair


def sinkhorn_operator(width: Sequence[int] = (512, 2048)) -> Iterator[Row]:
    """The operator alone, forward and backward; the products with the weights are the same in both packages."""
    import torch
    from rebasin.rebasinnet.sinkhorn import Sinkhorn

    from rebasin_fast.matching.sinkhorn_operator import soft_permutations

    torch.set_num_threads(1)
    for n in width:
        torch.manual_seed(0)
        scores = (torch.eye(n) + 0.1 * torch.randn(n, n)).requires_grad_()
        weights, ones = torch.randn(n, n), torch.ones(n)

        def ours(scores: Any = scores, weights: Any = weights) -> None:
            soft_permutations(scores).backward(weights)

        def theirs(scores: Any = scores, weights: Any = weights, ones: Any = ones) -> None:
            Sinkhorn.apply(-scores, ones, ones, 20, 1.0).backward(weights.clone())

        taken = medians({"sinkhorn-rebasin 0.0.2": theirs, "rebasin_fast": ours}, 3)
        yield {"question": "sinkhorn-operator", "width": n, "seconds": taken, "ratio": _ratio(taken)}


def sinkhorn_step(width: Sequence[int] = (512, 2048)) -> Iterator[Row]:
    """One step, forward and backward, of the L2 loss on an MLP of two hidden layers, beside the PyPI package."""
    import torch
    from networks import training
    from rebasin import RebasinNet as RivalNet
    from rebasin.loss import DistL2Loss as RivalL2

    from rebasin_fast.compat.sinkhorn_rebasin import DistL2Loss, RebasinNet

    torch.set_num_threads(1)
    for n in width:
        torch.manual_seed(0)
        ours, theirs = (training.perceptron(784, n, n, 10) for _ in range(2))
        steps: dict[str, Callable[[], object]] = {}
        for name, make, distance in (
            ("sinkhorn-rebasin 0.0.2", RivalNet, RivalL2),
            ("rebasin_fast", RebasinNet, DistL2Loss),
        ):
            net, loss = make(ours, input_shape=(1, 784)), distance(theirs)
            net.train()

            def step(net: Any = net, loss: Any = loss) -> None:
                for scores in net.p:
                    scores.grad = None
                loss(net()).backward()

            steps[name] = step
        taken = medians(steps, 3 if n < 1024 else 1)
        yield {"question": "sinkhorn-step", "width": n, "seconds": taken, "ratio": _ratio(taken)}


def sinkhorn_cost(made: dict[str, Any], *, rival: bool) -> dict[str, float]:
    """Eight steps of the L2 loss."""
    import copy

    from rebasin_fast.compat import sinkhorn_rebasin

    distance_of, net_of = sinkhorn_rebasin.DistL2Loss, sinkhorn_rebasin.RebasinNet
    if rival:
        from rebasin import RebasinNet
        from rebasin.loss import DistL2Loss

        distance_of, net_of = DistL2Loss, RebasinNet
    target = copy.deepcopy(made["model"])
    target.load_state_dict(made["b"])
    net, distance = net_of(made["model"], input_shape=(1, 784)), distance_of(target)
    net.train()
    for _ in range(8):
        for scores in net.p:
            scores.grad = None
        distance(net()).backward()
    return {}


def _ratio(taken: dict[str, float]) -> float:
    return max(taken.values()) / taken["rebasin_fast"]


ROWS = [
    CostRow(
        "sinkhorn-mlp512",
        "Sinkhorn, 8 steps of the L2 loss",
        MLP,
        "sinkhorn-rebasin 0.0.2",
        random_pair,
        partial(sinkhorn_cost, rival=False),
        partial(sinkhorn_cost, rival=True),
    ),
]
QUESTIONS = {"sinkhorn-operator": sinkhorn_operator, "sinkhorn-step": sinkhorn_step}


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="rebasin")
    parser = command_line(__doc__)
    parser.add_argument("--width", type=int, nargs="+", default=[512, 2048])
    ask(parser, QUESTIONS)
