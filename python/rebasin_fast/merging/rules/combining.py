"""One model from several by a rule, array by array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast._arrays.derived import DerivedParams, described_by
from rebasin_fast.files.mapping.unchanged import refuses_changed_files
from rebasin_fast.merging.meanings import refuse_codes, refuse_factors
from rebasin_fast.merging.rules.array_merge import ArrayMerge
from rebasin_fast.merging.rules.kinds import MergeRule
from rebasin_fast.merging.rules.precision import NAMES
from rebasin_fast.merging.rules.registry import rule_named
from rebasin_fast.merging.rules.settings import Setting, all_resolved, depths
from rebasin_fast.merging.same_names import check_same_names, is_interpolated
from rebasin_fast.typing import Array, Params, Rng


@_arguments.checked()
@refuses_changed_files
def combine(
    models: Sequence[Params],
    *,
    rule: str = "linear",
    base: Params | None = None,
    weights: Setting | Sequence[Setting] | None = None,
    density: Setting | Sequence[Setting] | None = None,
    t: Setting | None = None,
    normalize: bool | None = None,
    rescale: bool | None = None,
    lambda_: Setting | None = None,
    max_iter: int | None = None,
    tol: float | None = None,
    rng: Rng = 0,
    dtype: str | None = None,
    out_dtype: str | None = None,
    allow_nonfinite: bool = False,
) -> dict[str, Array]:
    """Merge models that are aligned already, by one of the rules of mergekit.

    A *setting* is a number; a list of numbers, from the first layer to the last, between which the layers are
    interpolated; or a mapping of patterns of names to those, of which the first that matches a part of a name counts:
    ``{"layers.*.mlp": 0.5, "*": 1.0}``. For one model each, ``weights`` and ``density`` take a sequence of settings.

    Parameters
    ----------
    models : sequence of Mapping[str, array]
        Equal names and shapes, aligned to one another. Not changed.
    rule : {"linear", "slerp", "task_arithmetic", "ties", "dare_ties", "dare_linear", "karcher"}
        linear: the weighted sum, divided by the sum of the weights. slerp: the arc from the base (or the first of two
        models) to the other, for each array apart. The others but karcher sum task vectors, model - base: all of each
        (task_arithmetic), its largest entries (ties) or random ones (dare), ties and dare_ties only where their sign is
        that of the sum. karcher: the mean on the sphere, and of the norms.
    base : Mapping[str, array], optional
        The model from which the others were trained; of slerp, the one at t = 0. Where it is one of ``models`` (the
        same object), that one is no task vector.
    weights : setting or sequence of settings, optional
        Of each model but the base; 1 by default.
    density : setting or sequence of settings, optional
        The share of each task vector's entries that is kept, from 0 to 1; 1 by default.
    t : setting, optional
        The place on the arc of slerp.
    normalize : bool, optional
        Divide by the sum of the weights: by default with linear and ties.
    rescale : bool, optional
        Scale a trimmed task vector to its former sum of magnitudes: by default with dare.
    lambda_ : setting, optional
        A factor of the merged task vector.
    max_iter, tol : int, float, optional
        Steps of karcher, and the length of a step that ends them.
    rng : int, numpy.random.Generator or None
        Seeds the random masks of dare. Each array has its own, whatever the order.
    dtype, out_dtype : {"float16", "bfloat16", "float32", "float64"}, optional
        The type to which all models are converted before, and that of the result. By default the widest of the
        models' for each array.
    allow_nonfinite : bool
        Let NaN and infinities pass.

    Returns
    -------
    dict[str, array]
        New arrays of the library of the first model (the base, where there is one), in host memory while they are
        computed. Integer and boolean parameters are that model's own objects.

    Raises
    ------
    ParamsError
        Names or shapes differ, a parameter is a quantised code or a factor of a low-rank product (LoRA), pruning masks
        differ, a dtype is none of the four, or a result is not finite.
    ValueError
        An unknown rule, a parameter that the rule does not take or lacks, a wrong number of models or settings.

    Notes
    -----
    The definitions are those of mergekit 0.1.5. Linear, task arithmetic and TIES give its numbers to the last bit: an
    operation is rounded in the dtype of the models. Slerp, the Karcher mean and ``rescale`` have sums over an array,
    which are float64 here and in the dtype there: they agree up to rounding. The masks of dare are NumPy's own.
    O(models x size of the parameters), one array of all models in float32 at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from rebasin_fast.merging import combine
    >>> base = {"w": np.array([0.0, 0.0, 1.0])}
    >>> tuned = [{"w": np.array([1.0, 4.0, 1.0])}, {"w": np.array([3.0, -1.0, 1.0])}]
    >>> combine(tuned, rule="ties", base=base)
    {'w': array([2., 4., 1.])}
    """
    given = {
        "weights": weights, "density": density, "t": t, "normalize": normalize, "rescale": rescale,
        "lambda": lambda_, "max_iter": max_iter, "tol": tol,
    }  # fmt: skip
    return dict(
        combined_params(
            models,
            rule=rule,
            base=base,
            parameters={name: value for name, value in given.items() if value is not None},
            rng=rng,
            dtype=dtype,
            out_dtype=out_dtype,
            allow_nonfinite=allow_nonfinite,
        )
    )


def combined_params(
    models: Sequence[Params],
    *,
    rule: str,
    base: Params | None = None,
    parameters: Mapping[str, Any] | None = None,
    rng: Rng = 0,
    dtype: str | None = None,
    out_dtype: str | None = None,
    allow_nonfinite: bool = False,
    strict: bool = True,
) -> DerivedParams:
    """The merged model of :func:`combine`, each array computed on access.

    ``parameters`` are settings by their names in the rule (``lambda``). Without ``strict`` the parameters that some
    model lacks are those of the first model (the base, where there is one), or left out where that lacks them.
    """
    found = rule_named(rule)
    base, others = _sides(found, models, base)
    labels = [f"model {number}" for number in range(len(others))]
    first, label = (others[0], labels[0]) if base is None else (base, "the base")
    described = described_by(first)
    refuse_codes(described, described)
    refuse_factors(described)
    shared = list(described)
    if strict:
        for other, model in zip(labels, others, strict=True):
            check_same_names(first, model, (label, other))
    else:
        shared = [name for name in described if all(name in model for model in others)]
    merged = ArrayMerge(
        found,
        others,
        base,
        labels,
        all_resolved(found, parameters or {}, len(others)),
        depths(shared),
        int(_arguments.generator("rng", rng).integers(2**63)),
        _checked_dtype("dtype", dtype),
        _checked_dtype("out_dtype", out_dtype),
        allow_nonfinite,
    )
    names = dict.fromkeys(name for name in shared if is_interpolated(described[name]))

    for name in names:
        merged.values(name)

    def value(name: str) -> Array:
        return merged.array(name) if name in names else first[name]

    forms = {name: merged.form(name) if name in names else described[name] for name in described}
    like = described if all(forms[name] is described[name] for name in forms) else forms
    return DerivedParams(like, value, [first, *others])


def _sides(
    rule: MergeRule, models: Sequence[Params], base: Params | None
) -> tuple[Params | None, list[Params]]:
    """The base, and the models beside it."""
    if not models:
        raise ValueError("models is a sequence of one model or more; got none")
    if rule.base == "none":
        if base is not None:
            raise ValueError(
                f"rule {rule.name!r} has no base; leave base=None, or give the model among the others"
            )
        return None, list(models)
    if base is None and rule.base == "first":
        base = models[0]
    if base is None:
        raise ValueError(
            f"rule {rule.name!r} needs base, the model from which the others were trained; got None"
        )
    others = [model for model in models if model is not base]
    if rule.base == "first" and len(others) != 1:
        raise ValueError(f"rule {rule.name!r} takes two models, one of them the base; got {len(others) + 1}")
    if not others:
        raise ValueError("models are a base alone; give one model or more beside it")
    return base, others


def _checked_dtype(name: str, dtype: str | None) -> str | None:
    return None if dtype is None else _arguments.choice(name, dtype, NAMES)
