"""Curves of low loss between two models (Garipov et al. 2018)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._arrays import library_of, of_one_library
from rebasin_fast._models.functional import Batches, FunctionalModel, Tensors
from rebasin_fast._models.inference import import_torch
from rebasin_fast._terminal.progress import ProgressCallback, listener
from rebasin_fast.analysis.curves.result import ModeCurve
from rebasin_fast.analysis.curves.shapes import CurveKind
from rebasin_fast.analysis.curves.training import CurveOptions, CurveRun
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.merging.interpolation import interpolate
from rebasin_fast.merging.same_names import check_same_names
from rebasin_fast.typing import Array, Params, Rng


@_arguments.checked(epochs=1, steps=1, checkpoint_every=1)
@refuses_changed_files
def connect(
    model: Any,
    params_a: Params,
    params_b: Params,
    batches: Batches,
    loss: Callable[[Any, Any], Any] | None = None,
    *,
    kind: CurveKind = "bezier",
    bends: int = 1,
    epochs: int = 1,
    steps: int | None = None,
    learning_rate: float = 0.01,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    optimizer: Callable[[list[Any]], Any] | None = None,
    schedule: Callable[[Any], Any] | None = None,
    rng: Rng = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    progress: ProgressCallback | bool | None = None,
) -> ModeCurve:
    """Train a curve of low loss from model A to model B.

    Parameters
    ----------
    model : torch.nn.Module
        Gives the function, the device and the dtypes; its parameters are neither read nor changed.
    params_a, params_b : Mapping[str, array]
        The ends, which stay as they are, under the names of ``model.state_dict()``. Copied to the model's device.
    batches : iterable of (inputs, targets), or a callable that gives one
        One epoch of training data. ``inputs`` is a tensor, a tuple of arguments or a mapping of keyword arguments.
    loss : callable, optional
        ``loss(outputs, targets)``, a scalar tensor; cross-entropy by default.
    kind : {"bezier", "polygonal"}
        A Bézier curve, or a chain of straight pieces with evenly spaced t at its vertices.
    bends : int
        Trained control points between the ends; 1 is the published number (of degree 2, or two pieces), 0 gives the
        straight line without training.
    epochs : int
        How often to go through ``batches``.
    steps : int, optional
        Number of steps, in place of ``epochs``.
    learning_rate, momentum : float
        Of the default optimizer, SGD.
    weight_decay : float
        Adds ``weight_decay / 2`` times the squared norm of the parameters at t to the loss, as published. The decay
        of an optimizer would draw the bends, not the curve, towards zero.
    optimizer : callable, optional
        Gives a ``torch.optim.Optimizer`` for a list of tensors.
    schedule : callable, optional
        Gives a scheduler for the optimizer; stepped after every minibatch.
    rng : int, numpy.random.Generator or None
        Draws t. Same inputs, batches and seed: same curve.
    checkpoint : path, optional
        A ``.safetensors`` or ``.npz`` file, written whole or not at all at every epoch's end, at the end, and every
        ``checkpoint_every`` steps. When it exists training continues from it.
    checkpoint_every : int, optional
        Continuing within an epoch skips the batches already used: ``batches`` must give them in the same order.
    progress : callable or bool, optional
        True shows a bar on standard error, plain lines in a log; a callable is called with a :class:`Progress` after
        every step: ``sweep`` is the epoch, ``visit`` the step within it, ``objective`` the loss.

    Returns
    -------
    ModeCurve
        Its control points are ``params_a``, the bends in the dtypes and on the devices of ``params_a``, and
        ``params_b``.

    Raises
    ------
    ParamsError
        The model and the parameters do not fit together.
    FileFormatError
        The checkpoint belongs to another curve, or is damaged.
    DataError
        ``batches`` gave none.
    ValueError
        An option is out of range, or the loss became NaN or infinite.
    MissingDependencyError
        Without PyTorch.

    Notes
    -----
    Garipov, Izmailov, Podoprikhin, Vetrov & Wilson, *Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs*,
    2018, equation 2: every step draws t uniformly from [0, 1] and descends the gradient of the loss at the curve's
    point at t with respect to the bends. They start on the straight line from A to B. A step is one forward and
    backward pass, and O(bends x parameters) more time; memory holds 2 + bends models, and as many gradients and
    moments as there are bends.

    Dropout is off; BatchNorm layers normalise with the statistics of each batch, and no buffer is trained. The
    published rates are .015 and .03, three tenths of those that trained the ends, held for one half of the epochs
    and lowered to a hundredth over the next two fifths.

    Examples
    --------
    >>> import torch, rebasin_fast as rf
    >>> from rebasin_fast.analysis import connect
    >>> from rebasin_fast.evaluation import Evaluator
    >>> _ = torch.manual_seed(0)
    >>> net = lambda: torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> model, inputs = net(), torch.randn(64, 4)
    >>> batches = [(inputs, (inputs[:, 0] > 0).long())]
    >>> a, b = net().state_dict(), net().state_dict()
    >>> curve = connect(model, a, b, batches, steps=50, learning_rate=0.1)
    >>> evaluate = Evaluator(model, batches)
    >>> line, bent = rf.loss_curve(evaluate, a, b, ts=5), rf.loss_curve(evaluate, path=curve, ts=5)
    >>> bool(bent.values["loss"][2] < line.values["loss"][2])
    True
    """
    options = CurveOptions(
        epochs=epochs, learning_rate=learning_rate, optimizer=optimizer, schedule=schedule, kind=kind,
        bends=bends, steps=steps, momentum=momentum, weight_decay=weight_decay, checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
    )  # fmt: skip
    options.check()
    torch = import_torch("connect")
    function = FunctionalModel(model, "connect")
    check_same_names(params_a, params_b)
    seed = int(np.random.default_rng(rng).integers(2**62))
    if bends == 0:
        return ModeCurve(kind, [params_a, params_b])
    loss = torch.nn.functional.cross_entropy if loss is None else loss
    run = CurveRun(function, params_a, params_b, loss, options, seed)
    with listener(progress) as notify:
        run.train(batches, None, notify)
    run.save()
    trained = [
        _like(params_a, interpolate(params_a, params_b, (i + 1) / (bends + 1)), bend)
        for i, bend in enumerate(run.trained())
    ]
    return ModeCurve(kind, [params_a, *trained, params_b], np.array(run.state.losses))


def _like(params: Params, line: dict[str, Array], bend: Tensors) -> dict[str, Array]:
    """``line`` with the tensors of ``bend``, in the libraries, dtypes and devices of ``params``."""
    return line | {
        name: library_of(params[name]).blend(of_one_library([params[name], tensor]), [0.0, 1.0])
        for name, tensor in bend.items()
    }
