"""Models built without memory, and stopped where they become larger than the weights that they are to hold."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

from rebasin_fast.errors import FileFormatError
from rebasin_fast.specs.renaming import Shapes

# Tied tensors are made once under every name, before they are tied; heads that are left out stay small.
_TIMES = 3
_FREE_NUMBERS, _FREE_ARRAYS = 1 << 22, 1000


@dataclass
class Budget:
    """The most numbers and arrays that a model may have."""

    numbers: int
    arrays: int

    @classmethod
    def of(cls, shapes: Shapes) -> Budget:
        """Room for a model with these weights."""
        numbers = sum(prod(shape) for shape in shapes.values() if shape)
        return cls(_TIMES * numbers + _FREE_NUMBERS, _TIMES * len(shapes) + _FREE_ARRAYS)

    def take(self, shape: tuple[int, ...]) -> None:
        """Count one parameter; FileFormatError where there is no room left."""
        self.numbers -= prod(shape)
        self.arrays -= 1
        if self.numbers < 0 or self.arrays < 0:
            raise FileFormatError(
                "config.json describes a model that is larger than the weights beside it. The two belong to different "
                "models, or one is damaged: fetch both again"
            )


@contextmanager
def within(budget: Budget | None, device: str) -> Iterator[None]:
    """Modules made in the block lie on ``device``, under ``budget``, and reach for no network."""
    import torch
    from torch.nn.modules.module import register_module_parameter_registration_hook

    with ExitStack() as stack:
        if budget is not None:
            hook = register_module_parameter_registration_hook(
                lambda module, name, parameter: (
                    None if parameter is None else budget.take(tuple(parameter.shape))
                )
            )
            stack.callback(hook.remove)
        stack.enter_context(offline())
        stack.enter_context(silent())
        stack.enter_context(torch.random.fork_rng(devices=[]))
        torch.manual_seed(0)
        stack.enter_context(torch.device(device))
        yield


@contextmanager
def offline() -> Iterator[None]:
    """Within it, huggingface_hub makes no request, whatever a configuration asks for (a backbone, a kernel)."""
    try:
        from huggingface_hub import constants
    except ImportError:
        yield
        return
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextmanager
def silent() -> Iterator[None]:
    """Within it, libraries of models print neither warnings nor logs."""
    loggers = [logging.getLogger(name) for name in ("transformers", "diffusers", "huggingface_hub")]
    levels: Mapping[Any, int] = {logger: logger.level for logger in loggers}
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
