"""The training of a curve's bends: each step takes the loss at a random point of the curve."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rebasin_fast._models.functional import FunctionalModel, Tensors
from rebasin_fast._models.inference import import_torch
from rebasin_fast.analysis.curves.shapes import CurveKind, check_kind, weights_at
from rebasin_fast.matching.state_file import StateFile, digest_of
from rebasin_fast.matching.trained.checkpoint import SCHEMA, TrainingFile
from rebasin_fast.matching.trained.options import TrainingOptions
from rebasin_fast.matching.trained.run import TrainingRun
from rebasin_fast.typing import Index, Params

_FILE = StateFile("rebasin_fast.connect", "checkpoint of connect", SCHEMA, "curve")


@dataclass(frozen=True, kw_only=True)
class CurveOptions(TrainingOptions):
    """Options of ``connect``; names and meanings are those of its keywords."""

    kind: CurveKind = "bezier"
    bends: int = 1
    steps: int | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0
    checkpoint: str | os.PathLike[str] | None = None
    checkpoint_every: int | None = None

    def check(self) -> None:
        """ValueError unless every option is in its range."""
        check_kind(self.kind)
        self.check_positive("steps", "checkpoint_every")
        if self.bends < 0:
            raise ValueError(f"bends is 0 (the straight line) or more, got {self.bends}")
        if self.weight_decay < 0.0:
            raise ValueError(f"weight_decay is 0 or more, got {self.weight_decay:g}")
        if self.checkpoint is not None:
            _FILE.check_name(self.checkpoint)
        elif self.checkpoint_every is not None:
            raise ValueError("checkpoint_every needs a file: pass checkpoint='curve.safetensors'")


class CurveRun(TrainingRun):
    """The trained bends of one curve."""

    def __init__(
        self,
        function: FunctionalModel,
        params_a: Params,
        params_b: Params,
        loss: Callable[[Any, Any], Any],
        options: CurveOptions,
        seed: int,
    ) -> None:
        super().__init__(function, options)
        torch = import_torch("connect")
        self._model, self._loss, self._options = function, loss, options
        self._keep, self.most_steps = 0, options.steps
        a, b = function.tensors(params_a, "A"), function.tensors(params_b, "B")
        last = options.bends + 1
        self._points = [
            _mixed((a, b), (1.0 - i / last, i / last)) if 0 < i < last else (b if i else a)
            for i in range(last + 1)
        ]
        self._leaves = {
            f"{i}/{name}": self._points[i][name].requires_grad_()
            for i in range(1, last)
            for name in function.trainable
        }
        self._prepare(
            list(self._leaves.values()),
            lambda tensors: torch.optim.SGD(tensors, lr=options.learning_rate, momentum=options.momentum),
        )
        self.state.seed = seed
        self._file: TrainingFile | None = None
        if options.checkpoint is not None:
            key = digest_of(a, (a, b), {"kind": options.kind, "bends": options.bends})
            self._file = TrainingFile(
                options.checkpoint, key, None, self._leaves, self._optimizer, self._schedule, _FILE
            )
            self.state = self._file.resume() or self.state

    def trained(self) -> list[Tensors]:
        """The bends, in the order of t: their trainable tensors, under the names of tied ones too."""
        return [
            self._model.with_ties({name: point[name].detach() for name in self._model.trainable})
            for point in self._points[1:-1]
        ]

    def save(self) -> None:
        """Write the checkpoint, where there is one."""
        if self._file is not None:
            self._file.save(self.state)

    def _loss_of(self, batch: Any) -> Any:
        state, options = self.state, self._options
        t = float(np.random.default_rng([state.seed, state.step]).random())
        here = _mixed(self._points, weights_at(options.kind, len(self._points), t))
        loss = self._model.loss(here, batch, self._loss)
        if options.weight_decay:
            squares = sum((here[name] ** 2).sum() for name in self._model.trainable)
            loss = loss + 0.5 * options.weight_decay * squares
        return loss

    def _new_permutation(self) -> dict[str, Index] | None:
        return None

    def _after_step(self) -> None:
        every = self._options.checkpoint_every
        if every is not None and self.state.step % every == 0:
            self.save()

    def _after_epoch(self) -> None:
        self.save()


def _mixed(points: Any, weights: Any) -> Tensors:
    """The weighted sum of the points; integers and booleans are the first point's."""
    mixed = {}
    for name, first in points[0].items():
        if first.is_floating_point() or first.is_complex():
            # Points of weight 0 too: their gradient is 0, and their momentum moves them on.
            terms = [point[name] * weight for point, weight in zip(points, weights, strict=True)]
            mixed[name] = sum(terms[1:], terms[0])
        else:
            mixed[name] = first
    return mixed
