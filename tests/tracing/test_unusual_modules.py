"""Modules as they stand after use: hooks with computed weights, compiled wrappers, complex numbers, caches."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import rebasin_fast as rf
from rebasin_fast._models.wide_copy import wide_copy
from rebasin_fast.evaluation import Evaluator

X = torch.zeros(3, 4)


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def _weight_norm(model: nn.Sequential) -> None:
    nn.utils.weight_norm(model[0])


def _spectral_norm(model: nn.Sequential) -> None:
    nn.utils.spectral_norm(model[0])


def _pruned(model: nn.Sequential) -> None:
    prune.l1_unstructured(model[0], "weight", 0.5)


def _kept_in_a_list(model: nn.Sequential) -> None:
    model[0].kept = {"last": [model[0].weight * 2.0]}


@pytest.mark.filterwarnings("ignore:`?torch.nn.utils:FutureWarning")
@pytest.mark.parametrize("use", [_weight_norm, _spectral_norm, _pruned, _kept_in_a_list])
def test_modules_that_keep_what_they_computed_are_traced_after_a_step(use: Callable[[Any], None]) -> None:
    model = mlp()
    use(model)
    model(torch.randn(3, 4)).sum().backward()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    kept = {name: value for name, value in vars(model[0]).items() if isinstance(value, torch.Tensor)}
    spec = rf.trace_spec(model, X)
    assert all(vars(model[0])[name] is value for name, value in kept.items())
    assert spec.sizes(model.state_dict()) == dict.fromkeys(spec.permutations, 8)
    assert len(spec.permutations) == 1
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is not None for parameter in model[2].parameters())


def _compiled(model: nn.Module) -> nn.Module:
    return torch.compile(model)  # type: ignore[return-value]


def _compiled_inside(model: nn.Module) -> nn.Module:
    return nn.Sequential(torch.compile(model), nn.ReLU())


def _compiled_in_place(model: nn.Module) -> nn.Module:
    model.compile()
    return model


def _compiled_function(model: nn.Module) -> nn.Module:
    class Outer(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        @torch.compile
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x)

    return Outer(model)


def _release() -> tuple[int, ...]:
    return tuple(map(int, torch.__version__.split(".")[:2]))


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("wrap", [_compiled, _compiled_inside, _compiled_in_place, _compiled_function])
def test_compiled_modules_are_traced_as_the_modules_that_they_wrap(wrap: Callable[..., nn.Module]) -> None:
    if wrap is _compiled_function and _release() < (2, 13):
        pytest.skip("torch.export of 2.6 to 2.12 refuses compiled functions, and says so")
    plain = rf.trace_spec(mlp(), X)
    model = wrap(mlp())
    forward = vars(model).get("forward")
    spec = rf.trace_spec(model, X)
    assert list(spec.axes_to_perm) == list(model.state_dict())
    found = [[entry is not None for entry in entries] for entries in spec.axes_to_perm.values()]
    assert found[0] == [True, False]
    if wrap is not _compiled_inside:
        assert found == [[entry is not None for entry in entries] for entries in plain.axes_to_perm.values()]
    assert vars(model).get("forward") is forward


class _Fourier(nn.Module):
    """A layer of a Fourier neural operator: complex weights, and a complex type asked for by name."""

    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.randn(channels, channels, modes, dtype=torch.cfloat) / channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft(x)
        out = torch.zeros(*spectrum.shape, dtype=torch.cfloat, device=x.device)
        kept = spectrum[:, :, : self.modes].cfloat()
        out[:, :, : self.modes] = torch.einsum("bix,iox->box", kept, self.weight)
        return torch.fft.irfft(out, n=x.shape[-1])


class _Operator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Linear(2, 6)
        self.fourier = _Fourier(6, 3)
        self.local = nn.Conv1d(6, 6, 1)
        self.project = nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.lift(x).permute(0, 2, 1)
        x = nn.functional.gelu(self.fourier(x) + self.local(x))
        return self.project(x.permute(0, 2, 1))


def test_complex_weights_beside_real_ones_are_traced_and_proven() -> None:
    torch.manual_seed(0)
    spec = rf.trace_spec(_Operator(), torch.randn(2, 16, 2))
    assert spec.axes_to_perm["project.2.weight"][1] is not None
    assert wide_copy(_Operator()).fourier.weight.dtype == torch.complex128


class _ComplexRows(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(5, 4, dtype=torch.cfloat))
        self.second = nn.Parameter(torch.randn(2, 5, dtype=torch.cfloat))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second @ (self.first @ x)


def test_wrong_specs_of_complex_weights_are_found_out() -> None:
    model, x = _ComplexRows(), torch.randn(4, 3, dtype=torch.cfloat)
    right = rf.PermutationSpec({"first": ("P", None), "second": (None, "P")})
    right.verify(model, x)
    wrong = rf.PermutationSpec({"first": ("P", None), "second": (None, None)})
    with pytest.raises(rf.SpecError, match="changes the function"):
        wrong.verify(model, x)


class _Cache:
    """An object that torch.export does not know."""

    def __init__(self, keys: torch.Tensor) -> None:
        self.keys = keys


class _WithCache(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp()

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        hidden = self.net[0](x)
        return {"logits": self.net[2](self.net[1](hidden)), "cache": _Cache(hidden)}


def test_objects_that_export_does_not_know_are_left_out_of_the_output() -> None:
    model = _WithCache()
    spec = rf.trace_spec(model, X)
    assert spec.axes_to_perm["net.0.weight"] == ("net.0", None)
    assert "forward" not in vars(model)


@pytest.mark.models
def test_a_causal_language_model_is_traced_as_loaded() -> None:
    pytest.importorskip("transformers", reason="needs transformers (extra test-models)")
    from helpers.models.language import GPT2, transformers

    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2)).eval()
    assert model.config.use_cache
    spec = rf.trace_spec(model, {"input_ids": torch.tensor([[3, 14, 15]])})
    assert "transformer.h.0.mlp.c_fc" in spec.permutations


def _loss(outputs: Any, targets: Any) -> Any:
    return nn.functional.mse_loss(outputs, targets)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda evaluate: pickle.loads(pickle.dumps(evaluate))])
@pytest.mark.parametrize("loss", [None, _loss])
def test_an_evaluator_is_copied_and_pickled(again: Callable[[Any], Any], loss: Any) -> None:
    model = mlp()
    targets = torch.zeros(3, 2) if loss else torch.tensor([0, 1, 1])
    evaluate = Evaluator(model, [(X, targets)], loss=loss)
    assert again(evaluate)(model.state_dict()) == evaluate(model.state_dict())
