"""Verification of symmetries: right ones pass, and groups one size too large are refused by name."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.symmetric_networks import MLP_AXES, NETWORKS, floats, mlp, mlp_roles, transformer
from rebasin_fast.specs.symmetry import Norm, Role, Symmetry


def verify(network, spec=None, **options):
    (spec or network.spec).verify(network.model(), network.inputs(), **options)


def changed(network, **by_permutation):
    """The network's spec with other symmetries for some permutations."""
    symmetries = [by_permutation.get(s.permutation, s) for s in network.spec.symmetries]
    spec = network.spec
    return rf.PermutationSpec(
        spec.axes_to_perm, spec.unmatched, sizes=spec.declared_sizes, symmetries=symmetries
    )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", NETWORKS)
def test_symmetries_are_proven(name, seed):
    verify(NETWORKS[name], rng=seed)


@pytest.mark.parametrize("options", [{"tied": True}, {"bias": False}])
@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_gains_that_cannot_be_moved_are_one_for_the_proof(kind, options):
    verify(transformer(kind, gated=False, **options))


ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.GELU, nn.Identity, nn.Softplus, nn.Hardswish, nn.Tanhshrink, nn.LeakyReLU]
HOLDS = {
    "signs": {nn.Tanh, nn.Identity, nn.Tanhshrink},
    "scales": {nn.ReLU, nn.LeakyReLU, nn.Identity},
    "orthogonal": {nn.Identity},
    "linear": {nn.Identity},
}


@pytest.mark.parametrize("group", HOLDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_groups_that_activations_do_not_have_are_refused(activation, group):
    network = mlp(activation, group)
    if activation in HOLDS[group]:
        verify(network)
        return
    with pytest.raises(rf.SpecError) as caught:
        verify(network)
    message = str(caught.value)
    assert message.startswith(f"the '{group}' symmetry of '")
    assert "It acts on " in message
    assert "0.weight axis 0 (1)" in message or "2.weight axis 0 (1)" in message
    assert "too large for the operations" in message


def test_only_the_symmetry_at_fault_is_named():
    roles = mlp_roles()
    symmetries = [Symmetry("P", "signs", roles["P"]), Symmetry("Q", "scales", roles["Q"])]
    with pytest.raises(
        rf.SpecError, match=r"^the 'scales' symmetry of 'Q' changes .* 2\.weight axis 0 \(1\)"
    ) as caught:
        rf.PermutationSpec(MLP_AXES, symmetries=symmetries).verify(
            mlp(nn.Tanh, "signs").model(), floats(16, 4)()
        )
    assert "Also at fault" not in str(caught.value)


def wrong_exponents(symmetry):
    """The symmetry with one exponent turned round or set to another value."""
    for index, role in enumerate(symmetry.roles):
        for copy, exponent in enumerate(role.exponents):
            for wrong in {-1, 0, 1} - {exponent}:
                if symmetry.group == "signs" and wrong * exponent == -1:
                    continue  # a sign is its own inverse
                if role.parameter.endswith(("qk.bias", "qkv.bias")) and exponent == -1:
                    continue  # a key's bias adds one number to all scores of a query: the softmax takes it away
                exponents = (*role.exponents[:copy], wrong, *role.exponents[copy + 1 :])
                roles = list(symmetry.roles)
                roles[index] = Role(role.parameter, role.axis, exponents)
                yield replace(symmetry, roles=tuple(roles))


@pytest.mark.parametrize("name", ["relu", "gated", "bottleneck", "recurrent", "tiled", "layer"])
def test_wrong_exponents_are_refused(name):
    network = NETWORKS[name]
    spec = network.spec
    for symmetry in spec.symmetries:
        if name == "layer" and symmetry.permutation not in ("qk0", "vo0"):
            continue
        for wrong in islice(wrong_exponents(symmetry), 0, None, 3 if name == "layer" else 1):
            others = [s for s in spec.symmetries if s is not symmetry]
            mutated = rf.PermutationSpec(
                spec.axes_to_perm, sizes=spec.declared_sizes, symmetries=[*others, wrong]
            )
            with pytest.raises(rf.SpecError, match=f"'{symmetry.group}'.* of '{symmetry.permutation}'"):
                verify(network, mutated)


def test_a_missing_role_is_named():
    roles = mlp_roles()["P"][:-1]
    network = mlp(nn.ReLU, "scales")
    with pytest.raises(rf.SpecError, match=r"no role for axis 1 of '2\.weight'"):
        verify(network, changed(network, P=Symmetry("P", "scales", roles)))


@pytest.mark.parametrize("name", ["rms", "layer"])
def test_a_stream_does_not_take_all_matrices(name):
    network = NETWORKS[name]
    stream = network.spec.symmetries[0]
    with pytest.raises(rf.SpecError, match="the 'linear' symmetry of 'S' changes the function"):
        verify(network, changed(network, S=Symmetry("S", "linear", _with_vectors(stream))))


def _with_vectors(stream):
    vectors = [Role(v, 0, (0,)) for norm in stream.norms for v in (norm.gain, norm.bias) if v is not None]
    return (*stream.roles, *vectors)


def test_a_layer_norm_keeps_the_vector_of_ones():
    network = NETWORKS["layer"]
    stream = network.spec.symmetries[0]
    norms = tuple(replace(norm, kind="rms") for norm in stream.norms)
    with pytest.raises(rf.SpecError, match="the 'orthogonal' symmetry of 'S' changes the function"):
        verify(network, changed(network, S=replace(stream, norms=norms)))


def test_an_rms_norm_sees_the_mean():
    network = NETWORKS["rms"]
    stream = network.spec.symmetries[0]
    norms = tuple(replace(norm, kind="layer") for norm in stream.norms)
    with pytest.raises(
        rf.SpecError, match=r"norms of the 'orthogonal' symmetry of 'S' change .*'embedding\.weight'"
    ):
        verify(network, changed(network, S=replace(stream, norms=norms)))


@pytest.mark.parametrize("name", ["rms", "layer"])
def test_norms_with_each_others_readers_are_refused(name):
    network = NETWORKS[name]
    stream = network.spec.symmetries[0]
    first, second, *rest = stream.norms
    norms = (replace(first, readers=second.readers), replace(second, readers=first.readers), *rest)
    with pytest.raises(rf.SpecError, match="the norms of the 'orthogonal' symmetry of 'S' change"):
        verify(network, changed(network, S=replace(stream, norms=norms)))


def test_a_norm_with_a_missing_reader_is_refused():
    network = NETWORKS["rms"]
    stream = network.spec.symmetries[0]
    norms = (
        stream.norms[0],
        replace(stream.norms[1], readers=stream.norms[1].readers[1:]),
        *stream.norms[2:],
    )
    with pytest.raises(rf.SpecError, match="the norms of the 'orthogonal' symmetry of 'S' change"):
        verify(network, changed(network, S=replace(stream, norms=norms)))


def test_readers_are_proven_also_where_a_bias_cannot_be_moved():
    network = transformer("layer", gated=False, bias=False)
    stream = network.spec.symmetries[0]
    first, second, *rest = stream.norms
    norms = (replace(first, readers=second.readers), replace(second, readers=first.readers), *rest)
    with pytest.raises(rf.SpecError, match="the norms of the 'orthogonal' symmetry of 'S' change"):
        verify(network, changed(network, S=replace(stream, norms=norms)))


@pytest.mark.parametrize("name", ["rms", "layer"])
def test_norms_that_are_left_out_are_missed(name):
    """Gains between a rotation and its inverse are seen."""
    network = NETWORKS[name]
    stream = network.spec.symmetries[0]
    for number in (0, len(stream.norms) - 1):
        gone = stream.norms[number]
        vectors = tuple(Role(v, 0, (0,)) for v in (gone.gain, gone.bias) if v is not None)
        norms = (*stream.norms[:number], *stream.norms[number + 1 :])
        wrong = Symmetry("S", "orthogonal", (*stream.roles, *vectors), norms)
        with pytest.raises(rf.SpecError, match="'orthogonal' symmetry of 'S'"):
            verify(network, changed(network, S=wrong))


class OneScore(nn.Module):
    """The softmax of one score is 1, whatever queries and keys are."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(4, 3, bias=False) for _ in range(3))

    def forward(self, x):
        return torch.softmax(self.q(x) @ self.k(x).transpose(-1, -2), -1) @ self.v(x)


def test_outputs_that_prove_nothing_are_refused():
    axes = {"q.weight": ("d", None), "k.weight": ("d", None), "v.weight": (None, None)}
    for exponents in [(1, -1), (1, 1)]:
        roles = tuple(Role(f"{name}.weight", 0, (e,)) for name, e in zip("qk", exponents, strict=True))
        spec = rf.PermutationSpec(axes, symmetries=[Symmetry("d", "linear", roles)])
        with pytest.raises(rf.SpecError, match=r"do not depend on .*'q\.weight'.* prove nothing"):
            spec.verify(OneScore(), torch.randn(2, 1, 4))
    right = [Symmetry("d", "linear", (Role("q.weight", 0, (1,)), Role("k.weight", 0, (-1,))))]
    rf.PermutationSpec(axes, symmetries=right).verify(OneScore(), torch.randn(2, 5, 4))


class Plain(nn.Module):
    """A norm without parameters."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        return self.b(nn.functional.layer_norm(self.a(x), (5,)))


@pytest.mark.parametrize(("kind", "passes"), [("layer", True), ("rms", False)])
def test_norms_without_parameters(kind, passes):
    axes = {"a.weight": ("P", None), "a.bias": ("P",), "b.weight": (None, "P"), "b.bias": (None,)}
    roles = (Role("a.weight", 0, (1,)), Role("a.bias", 0, (1,)), Role("b.weight", 1, (-1,)))
    from rebasin_fast.specs.symmetry import Reader

    norm = Norm(kind, None, None, (Reader("b.weight", 1, "b.bias"),))
    spec = rf.PermutationSpec(axes, symmetries=[Symmetry("P", "orthogonal", roles, (norm,))])
    if passes:
        spec.verify(Plain(), torch.randn(6, 3))
    else:
        with pytest.raises(rf.SpecError, match="'orthogonal' symmetry of 'P' changes"):
            spec.verify(Plain(), torch.randn(6, 3))
