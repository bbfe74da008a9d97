"""A network that learns one task after another, together with its own permuted copy."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rebasin_fast import _arguments
from rebasin_fast._models.functional import Batches, FunctionalModel, Tensors, fresh
from rebasin_fast._models.inference import flags_restored, import_torch
from rebasin_fast._models.wide_copy import model_copy
from rebasin_fast._terminal.progress import listener
from rebasin_fast.continual.anchors import Distance, Fisher
from rebasin_fast.continual.episode import Episode
from rebasin_fast.continual.episode_run import EpisodeRun
from rebasin_fast.continual.importance import Importance, measured
from rebasin_fast.continual.options import Anchoring, LearnerOptions, Relaxation, Schedule
from rebasin_fast.continual.state import LearnerState, read_state, write_state
from rebasin_fast.continual.stream import Stream
from rebasin_fast.permutation import check_permutation
from rebasin_fast.specs.tracing import trace_spec

if TYPE_CHECKING:
    from rebasin_fast.specs.spec import PermutationSpec
    from rebasin_fast.typing import Permutation, Rng

Loss = Callable[[Any, Any], Any]


class RebasinLearner:
    """Learns episode after episode with little forgetting, by permutations of hidden units and small changes.

    In each episode, from the parameters θ, a permutation P and a change δ of all parameters minimise

        C((θ + π_P(θ)) / 2 + δ) + beta |δ|²

    over the batches of the episode; then θ ← (1 - alpha) θ + alpha π_P(θ) + δ.

    Parameters
    ----------
    model : torch.nn.Module
        Copied, with its parameters; not changed.
    spec : PermutationSpec, optional
        Which permutation moves which axis. Default: traced with the inputs of the first batch.
    loss : callable, optional
        ``loss(outputs, targets)``, a scalar tensor, the mean over a batch; for episodes that name none of their own.
    alpha : float, or callable
        Share of the permuted network in the new parameters, from 0 to 1. Like ``beta`` and ``learning_rate`` it may
        be a function of the number of the episode, which counts from 1.
    beta : float, or callable
        Weight of the penalty on δ.
    learning_rate : float, or callable
        Of δ.
    momentum : float
        Of the default optimizer of δ, SGD.
    optimizer : callable, optional
        Takes the list of the tensors of δ, and returns a torch optimizer; made anew in each episode.
    relaxation : {"sinkhorn", "straight_through"} or None
        How P is trained: as doubly stochastic matrices; as the hard permutation of the largest sum of scores, with
        the gradient of the matrix passed to the scores; not at all.
    permutation_learning_rate : float
        Of the scores of P, by AdamW.
    permutation_every : int
        Steps of δ for each step of P. Between them (θ + π_P(θ)) / 2 is kept, and a step costs as much as one of
        plain training.
    tau, iterations : float, int
        Temperature and scalings of Sinkhorn's operator.
    noise : float
        Standard deviation of the noise on the first scores of an episode, which are 1 where the identity stands.
    penalty : {"distance", "fisher"}
        The |δ|²: the squared norm, as published; or δᵀ F δ with the Fisher matrix F of all episodes so far, in the
        Kronecker factors of Linear and Conv2d layers.
    fisher_batches : int
        First batches of an episode that are kept to measure its F.
    epochs : int
        How often an episode goes through its batches.
    trained : bool
        Whether ``model`` has learnt something that is to be kept. False: the first episode is plain training,
        without P and without the penalty.
    rng : int, numpy.random.Generator or None
        Seeds the noise of the scores, and torch in each episode (dropout, the order of a DataLoader). Same model,
        batches and seed: same result, also after :meth:`save` and :meth:`restore`.

    Raises
    ------
    TypeError
        ``model`` is no ``torch.nn.Module``.
    ParamsError
        It has no parameters.
    SpecError
        ``spec`` does not fit it.
    ValueError
        An option is out of range.
    MissingDependencyError
        PyTorch is not installed.

    Notes
    -----
    Guerrero-Peña et al., *Re-basin via implicit Sinkhorn differentiation*, CVPR 2023 (arXiv 2212.12042), section on
    incremental learning. P is relaxed while it is trained, and hard in the new θ. The penalty is applied by its
    proximal step, δ ← δ / (1 + 2 r beta) with r the learning rate (divided by 1 - momentum), which has the same
    stationary points as its gradient, and is stable for every ``beta``.

    Episodes run in train mode: dropout is on, BatchNorm layers use the statistics of each batch and update their
    running ones. Running statistics are averaged with their permuted selves like parameters; they are those of the
    latest task, so that :func:`rebasin_fast.reset_batch_norm` on other data may help. torch's random state outside is
    as before afterwards.

    A step costs as much as one of plain training, and every ``permutation_every`` steps the products of weights
    with the matrices of P, O(n³) for a weight between hidden layers of n units, and Sinkhorn's O(n²).

    Examples
    --------
    >>> import torch
    >>> from rebasin_fast.continual import RebasinLearner
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    >>> def task(angle):
    ...     inputs = torch.randn(40, 20, 4)
    ...     direction = torch.tensor([0.0, 0.0, 0.0, 1.0]).roll(angle)
    ...     return [(x, (x @ direction > 0).long()) for x in inputs]
    >>> learner = RebasinLearner(model, loss=torch.nn.functional.cross_entropy, beta=0.1)
    >>> first, second = learner.learn(task(0)), learner.learn(task(1))
    >>> second.number, len(second.losses), bool(second.losses[-10:].mean() < second.losses[:10].mean())
    (2, 40, True)
    """

    @_arguments.checked(permutation_every=1, iterations=1, fisher_batches=1, epochs=1)
    def __init__(
        self,
        model: Any,
        spec: PermutationSpec | None = None,
        *,
        loss: Loss | None = None,
        alpha: Schedule = 0.1,
        beta: Schedule = 1.0,
        learning_rate: Schedule = 0.05,
        momentum: float = 0.0,
        optimizer: Callable[[list[Any]], Any] | None = None,
        relaxation: Relaxation | None = "sinkhorn",
        permutation_learning_rate: float = 0.01,
        permutation_every: int = 1,
        tau: float = 0.1,
        iterations: int = 20,
        noise: float = 0.1,
        penalty: Anchoring = "distance",
        fisher_batches: int = 16,
        epochs: int = 1,
        trained: bool = False,
        rng: Rng = 0,
    ) -> None:
        FunctionalModel(model, "RebasinLearner")  # its checks, before the copy
        self._module = model_copy(model).eval()
        self._function = FunctionalModel(self._module, "RebasinLearner")
        self.spec = spec
        if spec is not None:
            spec.validate(self._module.state_dict())
        self._loss = loss
        self._options = LearnerOptions(
            alpha=alpha, beta=beta, learning_rate=learning_rate, momentum=momentum, optimizer=optimizer,
            relaxation=relaxation, permutation_learning_rate=permutation_learning_rate,
            permutation_every=permutation_every, tau=tau, iterations=iterations, noise=noise,
            penalty=penalty, fisher_batches=fisher_batches, epochs=epochs,
        )  # fmt: skip
        self._options.in_episode(1)
        self._seed = int(rng) if isinstance(rng, int) else int(np.random.default_rng(rng).integers(2**62))
        self._trained = trained
        self._importance: Importance | None = None
        self.episodes = 0

    @property
    def model(self) -> Any:
        """The network as it stands, in eval mode; it follows the episodes."""
        return self._module

    def params(self) -> Tensors:
        """Copies of the parameters and buffers as they stand, under the names of ``state_dict()``."""
        return {name: value.detach().clone() for name, value in self._module.state_dict().items()}

    @_arguments.checked()
    def learn(
        self,
        batches: Batches,
        loss: Loss | None = None,
        *,
        init: Permutation | None = None,
        progress: Callable[[int, int | None], object] | bool | None = None,
    ) -> Episode:
        """Learn one episode.

        Parameters
        ----------
        batches : iterable of (inputs, targets), or a callable that gives one
            One epoch.
        loss : callable, optional
            ``loss(outputs, targets)`` of this episode, such as one that reads the task's own outputs only.
        init : Mapping[str, array of int64], optional
            Where P starts; the identity by default. Without a relaxation P stays there.
        progress : callable or bool, optional
            True shows a bar on standard error; a callable gets the steps done, and their number where it is known.

        Returns
        -------
        Episode
            The learner's parameters are those after the episode.

        Raises
        ------
        ValueError
            There is no loss; an option is out of range in this episode; ``init`` is given for an episode of plain
            training; or the loss became NaN or infinite. The learner is then as before.
        DataError
            ``batches`` is empty, or an iterator where several epochs need more; or a batch is no pair.
        PermutationError
            ``init`` does not fit the spec.
        SpecError
            No spec was given, and the model cannot be traced.
        """
        torch = import_torch("RebasinLearner")
        loss = self._loss_or(loss)
        number = self.episodes + 1
        options = self._options.in_episode(number)
        plain = number == 1 and not self._trained
        if plain and init is not None:
            raise ValueError("the first episode is plain training, without a permutation: pass trained=True")
        with_fisher = options.penalty == "fisher"
        if with_fisher and not plain and self._importance is None:
            raise ValueError(
                "the penalty 'fisher' needs the importance of what the model has learnt: call remember(batches) first"
            )
        stream = Stream(batches, options.epochs, options.fisher_batches if with_fisher else 0)
        spec = self._spec_for(stream)
        tensors = self._function.tensors(self._module.state_dict(), "the learner")
        if init is not None:
            init = check_permutation(spec, init, spec.sizes(tensors))
        devices = [self._function.device] if self._function.device.type == "cuda" else []
        with torch.random.fork_rng(devices), flags_restored(self._module), listener(progress) as notify:
            torch.manual_seed(int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0]))
            self._module.train()
            rng = np.random.default_rng([self._seed, number])
            anchor = (
                Fisher(self._importance) if with_fisher and self._importance and not plain else Distance()
            )
            run = EpisodeRun(
                spec, self._function, tensors, options.plain() if plain else options, init, anchor, rng
            )
            for done, batch in enumerate(stream, 1):
                run.step(batch, loss)
                if notify is not None:
                    notify(done, stream.steps)
        renewed, episode = run.finished(number)
        importance = self._importance
        if importance is not None and episode.moved_share and episode.alpha:
            importance = importance.permuted(spec, episode.permutation, tensors, episode.alpha)
        if with_fisher:
            found = measured(self._function, renewed, stream.kept, loss)
            importance = found if importance is None else importance + found
        self._module.load_state_dict(renewed)
        self._importance, self.episodes = importance, number
        return episode

    @_arguments.checked()
    def remember(self, batches: Batches, loss: Loss | None = None) -> None:
        """Add the importance of the parameters for ``batches``, which the model has learnt, to the penalty "fisher".

        Every episode does so with its own first batches; a ``trained`` model needs it once before them.

        Parameters
        ----------
        batches : iterable of (inputs, targets), or a callable that gives one
            Some hundred examples of one task suffice.
        loss : callable, optional
            As for :meth:`learn`, a mean over the batch.

        Raises
        ------
        ValueError, DataError
            There is no loss, or ``batches`` is empty.
        """
        loss = self._loss_or(loss)
        tensors = self._function.tensors(self._module.state_dict(), "the learner")
        found = measured(self._function, tensors, fresh(batches), loss)
        self._importance = found if self._importance is None else self._importance + found

    @_arguments.checked()
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters, buffers, the spec, the number of episodes and the seed to a file, whole or not at all.

        Parameters
        ----------
        path : path
            Ends in .npz or .safetensors; an existing file is replaced.
        """
        write_state(path, self._state(), self._account())

    @_arguments.checked()
    def restore(self, path: str | os.PathLike[str]) -> None:
        """Take over the state that :meth:`save` wrote, from a learner of the same options.

        Raises
        ------
        FileFormatError
            The file is damaged, or its learner had other options or another model. The learner is then as before.
        """
        state = read_state(path, self._account(), self._module.state_dict())
        self._module.load_state_dict(self._function.tensors(state.params, str(path)))
        self.spec, self.episodes, self._seed = state.spec, state.episodes, state.seed
        found = state.importance
        self._importance = None if found is None else found.to(self._function.device)

    def _loss_or(self, loss: Loss | None) -> Loss:
        loss = self._loss if loss is None else loss
        if loss is None:
            raise ValueError("there is no loss: pass loss= to the learner, or to learn")
        return loss

    def _account(self) -> dict[str, Any]:
        return {**self._options.account(), "trained": self._trained}

    def _state(self) -> LearnerState:
        return LearnerState(self.params(), self.spec, self.episodes, self._seed, self._importance)

    def _spec_for(self, stream: Stream) -> PermutationSpec:
        if self.spec is None:
            self.spec = trace_spec(self._module, stream.first_inputs())
        return self.spec
