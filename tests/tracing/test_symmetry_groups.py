"""Groups beyond permutations, derived from the operations of a program: which, where, and why not more."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import rebasin_fast as rf
from rebasin_fast.specs.symmetry import Reader
from rebasin_fast.specs.tracing.symmetries import functions
from rebasin_fast.specs.tracing.symmetries.equations import Equations

ROWS = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
TOKENS = torch.arange(10).reshape(2, 5)


class Between(nn.Module):
    """``function`` between two linear maps."""

    def __init__(self, function, units: int = 6) -> None:
        super().__init__()
        self.first, self.function, self.second = nn.Linear(4, units), function, nn.Linear(units, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.function(self.first(x)))


class Gated(nn.Module):
    def __init__(self, gate=functional.silu) -> None:
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(6, 2)
        self.function = gate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.function(self.gate(x)) * self.up(x))


class Block(nn.Module):
    """A pre-norm transformer block with an embedding and a head."""

    def __init__(
        self, norm=nn.LayerNorm, *, tied: bool = False, last: bool = True, bias: bool = True
    ) -> None:
        super().__init__()
        self.embed, self.norm1, self.norm2 = nn.Embedding(10, 8), norm(8), norm(8)
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.up, self.down = nn.Linear(8, 12), nn.Linear(12, 8)
        self.last = norm(8) if last else nn.Identity()
        self.head = nn.Linear(8, 10, bias=bias)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, 2, 4).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(width, -1)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        x = x + self.down(functional.gelu(self.up(self.norm2(x))))
        return self.head(self.last(x))


def groups(model: nn.Module, inputs: torch.Tensor = ROWS) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for symmetry in rf.trace_spec(model, inputs, verify=False).symmetries:
        found.setdefault(symmetry.permutation, set()).add(symmetry.group)
    return found


def roles(spec: rf.PermutationSpec, permutation: str, group: str) -> dict[str, tuple[int, ...]]:
    (symmetry,) = [s for s in spec.symmetries if (s.permutation, s.group) == (permutation, group)]
    return {f"{role.parameter} {role.axis}": role.exponents for role in symmetry.roles}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (torch.tanh, {"signs"}),
        (torch.sin, {"signs"}),
        (lambda x: x / (1 + x.abs()), {"signs"}),  # softsign
        (lambda x: x**3, {"signs", "scales"}),
        (functional.relu, {"scales"}),
        (lambda x: x.clamp(min=0), {"scales"}),
        (functional.leaky_relu, {"scales"}),
        (functional.hardtanh, {"signs"}),
        (torch.nn.Identity(), {"linear"}),
        (lambda x: 3 * x, {"linear"}),
        (lambda x: -x + x, {"linear"}),
        (functional.gelu, set()),
        (torch.sigmoid, set()),
        (lambda x: x + 1, set()),
        (lambda x: x.clamp(min=1), set()),
        (lambda x: torch.softmax(x, -1), set()),
        (lambda x: x - x.mean(-1, keepdim=True), set()),
        (lambda x: torch.fft.fft(x).real, set()),
    ],
)
def test_group_of_a_function(function, expected) -> None:
    found = groups(Between(function))
    # x ** 3 multiplies exponents by 3, which no transform of signs and scales with one exponent does
    assert found.get("first", set()) == expected - ({"scales"} if expected == {"signs", "scales"} else set())


def test_roles_of_an_mlp() -> None:
    spec = rf.trace_spec(Between(torch.relu), ROWS)
    assert roles(spec, "first", "scales") == {
        "first.weight 0": (1,),
        "first.bias 0": (1,),
        "second.weight 1": (-1,),
    }
    assert (
        spec.digest()
        == rf.PermutationSpec(spec.axes_to_perm, spec.unmatched, sizes=spec.declared_sizes).digest()
    )
    assert rf.PermutationSpec.from_json(spec.to_json()).symmetries == spec.symmetries


def test_even_functions_end_signs() -> None:
    spec = rf.trace_spec(Between(torch.cos), ROWS)
    assert roles(spec, "first", "signs") == {
        "first.weight 0": (1,),
        "first.bias 0": (1,),
        "second.weight 1": (0,),
    }


def test_a_gate_has_no_sign_and_what_it_multiplies_has() -> None:
    expected = {"gate.weight 0": (0,), "gate.bias 0": (0,), "up.weight 0": (1,), "up.bias 0": (1,)}
    spec = rf.trace_spec(Gated(), ROWS)
    assert roles(spec, "gate", "signs") == {**expected, "down.weight 1": (1,)}
    assert roles(spec, "gate", "scales") == {**expected, "down.weight 1": (-1,)}


def test_batch_norm_ends_scales_and_passes_signs_with_its_mean() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2))
    spec = rf.trace_spec(model, ROWS)
    assert {symmetry.group for symmetry in spec.symmetries} == {"signs"}
    found = roles(spec, "0", "signs")
    assert found["1.running_var 0"] == (0,)
    assert found["1.running_mean 0"] == found["0.weight 0"] == found["0.bias 0"]
    relu = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(inplace=True), nn.Linear(6, 2))
    scales = roles(rf.trace_spec(relu, ROWS), "0", "scales")
    assert scales["1.weight 0"] == scales["1.bias 0"] == (1,)
    assert scales["0.weight 0"] == scales["1.running_mean 0"] == scales["1.running_var 0"] == (0,)


def test_a_convolution_and_its_pooling() -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1, groups=4), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(4 * 4, 3),
    )  # fmt: skip
    spec = rf.trace_spec(model, torch.randn(2, 2, 12, 12))
    assert roles(spec, "0", "scales")["0.weight 0"] == (1,)


def test_a_tensor_that_is_overwritten_while_it_is_used_has_no_law() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.first(x)
            h.add_(1.0)
            return self.second(h)

    assert groups(Twice()) == {}


@pytest.mark.parametrize(("norm", "kind"), [(nn.LayerNorm, "layer"), (nn.RMSNorm, "rms")])
def test_residual_stream_of_a_transformer(norm, kind) -> None:
    spec = rf.trace_spec(Block(norm), TOKENS)
    (stream,) = [symmetry for symmetry in spec.symmetries if symmetry.group == "orthogonal"]
    assert stream.permutation == "embed"
    assert {found.kind for found in stream.norms} == {kind}
    readers = {found.gain: found.readers for found in stream.norms}
    assert readers["norm1.weight"] == (Reader("qkv.weight", 1, "qkv.bias"),)
    assert readers["last.weight"] == (Reader("head.weight", 1, "head.bias"),)
    assert roles(spec, "embed", "orthogonal")["norm1.weight 0"] == (0,)


def test_heads_of_a_fused_projection() -> None:
    spec = rf.trace_spec(Block(), TOKENS)
    assert roles(spec, "qkv.qk", "linear") == {"qkv.weight 0": (1, -1), "qkv.bias 0": (1, -1)}
    assert roles(spec, "qkv.vo", "linear") == {
        "qkv.weight 0": (1,),
        "qkv.bias 0": (1,),
        "out.weight 1": (-1,),
    }
    assert "qkv.heads" not in {symmetry.permutation for symmetry in spec.symmetries}


def test_a_tied_head_reads_with_a_gain_that_it_writes_without() -> None:
    assert groups(Block(nn.RMSNorm, tied=True), TOKENS)["embed"] == {"signs"}
    assert "embed" not in groups(Block(nn.LayerNorm, tied=True), TOKENS)


def test_without_a_last_layer_norm_the_mean_is_read() -> None:
    assert "embed" not in groups(Block(nn.LayerNorm, last=False), TOKENS)
    assert groups(Block(nn.RMSNorm, last=False), TOKENS)["embed"] == {"orthogonal"}


@pytest.mark.parametrize(
    ("pooled", "expected"),
    [
        (lambda normed: normed.mean(1), {"orthogonal"}),
        (lambda normed: normed.sum(1), set()),  # adds a bias as often as there are tokens
        (lambda normed: normed.square().mean(1), set()),
        (lambda normed: normed.amax(1), set()),
    ],
)
@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm])
def test_gain_and_bias_of_a_norm_pass_a_mean_of_tokens(norm, pooled, expected) -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.norm, self.head = nn.Embedding(10, 8), norm(8), nn.Linear(8, 2)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.head(pooled(self.norm(self.embed(tokens))))

    model = Pooled().double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    spec = rf.trace_spec(model, TOKENS)
    assert {s.group for s in spec.symmetries} - {"signs"} == expected
    normal = rf.normalise(spec, model.state_dict()).params
    before = model(TOKENS)
    model.load_state_dict(normal)
    torch.testing.assert_close(model(TOKENS), before, rtol=0, atol=1e-12)


def test_a_norm_written_as_operations() -> None:
    class Written(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(n))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x.to(torch.float32)
            y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)
            return self.weight * y.to(x.dtype)

    assert groups(Block(Written), TOKENS)["embed"] == {"orthogonal"}


def test_report_names_groups_and_what_allows_order_alone() -> None:
    spec = rf.trace_spec(Block(), TOKENS)
    text = spec.report()
    assert "embed: 8 units, residual stream; orthogonal matrices that keep the mean" in text
    assert "qkv.qk: 4 units within qkv.heads; invertible matrices" in text
    line = next(line for line in text.splitlines() if line.startswith("up: 12 units"))
    assert "; order alone, by aten.gelu.default" in line
    assert "test_symmetry_groups.py" in line


def test_a_choice_keeps_the_symmetries_of_what_is_left() -> None:
    spec = rf.trace_spec(Block(), TOKENS, freeze=["embed"])
    assert "embed" not in {symmetry.permutation for symmetry in spec.symmetries}
    assert roles(spec, "qkv.qk", "linear")["qkv.weight 0"] == (1, -1)
    # A fused projection whose heads are frozen counts its copies otherwise: its symmetry goes.
    held = rf.trace_spec(Block(), TOKENS, freeze=["qkv.heads"])
    assert "qkv.qk" not in {symmetry.permutation for symmetry in held.symmetries}


def _dense_solutions(modulus: int | None, count: int, equations: list[dict[int, int]]) -> int:
    """Dimension of the solutions, by brute force modulo 2 and by rank otherwise."""
    matrix = np.array([[row.get(i, 0) for i in range(count)] for row in equations]).reshape(-1, count)
    if modulus is None:
        return count - int(np.linalg.matrix_rank(matrix)) if len(matrix) else count
    vectors = np.array(np.meshgrid(*[[0, 1]] * count)).reshape(count, -1)
    return int(np.log2((matrix @ vectors % 2 == 0).all(0).sum()))


@given(
    st.sampled_from([None, 2]),
    st.lists(
        st.dictionaries(st.integers(0, 4), st.sampled_from([1, -1]), min_size=1, max_size=3), max_size=6
    ),
)
def test_equations_have_all_solutions(modulus: int | None, rows: list[dict[int, int]]) -> None:
    equations = Equations(modulus)
    for unknown in range(5):
        equations.add(unknown)
    for row in rows:
        if len(row) == 2:
            (x, a), (y, b) = row.items()
            equations.equal(x, y, -a * b)
        else:
            equations.total(row)
    basis = equations.solutions()
    assert len(basis) == _dense_solutions(modulus, 5, rows)
    for solution in basis:
        for row in rows:
            total = sum(Fraction(value) * solution.get(unknown, 0) for unknown, value in row.items())
            assert (total if modulus is None else total % modulus) == 0
    dense = np.array([[float(solution.get(i, 0)) for i in range(5)] for solution in basis]).reshape(-1, 5)
    assert np.linalg.matrix_rank(dense) == len(basis)


@pytest.mark.parametrize("fused", [False, True])
def test_shared_keys_are_the_same_for_all_queries(fused) -> None:
    """Grouped queries: a key stands for several queries, whose signs it cannot follow."""

    class Grouped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fused = fused
            self.query, self.key, self.value = nn.Linear(4, 12), nn.Linear(4, 6), nn.Linear(4, 6)
            self.out = nn.Linear(12, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q = self.query(x).view(3, 5, 4, 3).transpose(1, 2)
            k, v = (part(x).view(3, 5, 2, 3).transpose(1, 2) for part in (self.key, self.value))
            if self.fused:
                mixed = functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
            else:
                k, v = (part[:, :, None].expand(3, 2, 2, 5, 3).reshape(3, 4, 5, 3) for part in (k, v))
                mixed = torch.softmax(q @ k.mT, -1) @ v
            return self.out(mixed.transpose(1, 2).reshape(3, 5, 12))

    spec = rf.trace_spec(Grouped(), torch.randn(3, 5, 4))
    assert {symmetry.group for symmetry in spec.symmetries} == {"linear"}


def test_a_group_that_fails_its_proof_is_left_out_with_a_warning(monkeypatch) -> None:
    """As if the parity of GELU were misjudged; the permutations stay proven."""
    monkeypatch.setitem(functions._BY_NAME, "gelu", functions.ODD)
    with pytest.warns(RuntimeWarning, match="the 'signs' symmetry of 'first' changes the function"):
        spec = rf.trace_spec(Between(functional.gelu), ROWS)
    assert spec.symmetries == ()
    assert "the proof" in spec.order_alone["first"]
    assert spec.permutations == ("first",)


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        (lambda m, h: torch.tanh(m.inner(torch.tanh(m.inner(h)))), {"signs"}),
        (lambda m, h: torch.relu(m.inner(torch.relu(m.inner(h)))), {"scales"}),
        (lambda m, h: h + m.inner(h), {"linear"}),
        (lambda m, h: h / (1 + h.abs()), {"signs"}),
        (lambda m, h: functional.normalize(h, dim=-1), {"orthogonal"}),
        (lambda m, h: torch.maximum(h, 2 * h), {"scales"}),
        (lambda m, h: h / h.std(0, keepdim=True), {"signs", "scales"}),
        (lambda m, h: h + h.sum(-1, keepdim=True), set()),
    ],
)
def test_programs_that_use_a_layer_or_a_value_twice(between, expected) -> None:
    """All proven: ``trace_spec`` verifies."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.inner, self.second = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(between(self, self.first(x)))

    spec = rf.trace_spec(Twice(), ROWS)
    assert {symmetry.group for symmetry in spec.symmetries if symmetry.permutation == "first"} == expected
