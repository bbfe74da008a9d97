"""Activation matching: planted permutations come back, moments are NumPy's, models are left as they were."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.every import BY_NAME
from rebasin_fast.matching.activation.moments import CrossMoments
from rebasin_fast.permutation import identity_permutation, random_permutation
from rebasin_fast.permutation.trial import Trial

# Small ones of each family, flattened images and shortcuts of every kind among them.
CHOSEN = (
    "mlp", "mlp without biases", "cnn with norms", "cnn of one axis with GroupNorm(2)", "vgg11_bn cifar",
    "vgg with GroupNorm(2)", "cifar resnet20 option A", "cifar resnet20 option B", "resnet with GroupNorm(2)",
    "resnext of 3 groups", "densenet with the names of the files", "vit of 2 layers, torchvision",
    "vit of 2 layers, timm", "vit of 2 layers, huggingface", "gpt2, tied", "gpt2 with masks", "attention",
    "attention over other widths", "lstm of two layers, both ways", "lstm with projection", "gru",
)  # fmt: skip
EXAMPLES = [BY_NAME[name] for name in CHOSEN]


def batches_like(inputs, count=4, size=16):
    generator = torch.Generator().manual_seed(0)

    def draw(x):
        if x.is_floating_point():
            return torch.randn(size, *x.shape[1:], generator=generator, dtype=torch.float64)
        return torch.randint(int(x.max()) + 1, (size, *x.shape[1:]), generator=generator)

    if isinstance(inputs, torch.Tensor):
        return [draw(inputs) for _ in range(count)]
    names = ("query", "key", "value") if isinstance(inputs, tuple) else tuple(inputs)
    parts = inputs if isinstance(inputs, tuple) else tuple(inputs.values())
    return [{name: draw(x) for name, x in zip(names, parts, strict=True)} for _ in range(count)]


def test_all_chosen_examples_exist():
    assert {example.name for example in EXAMPLES} == set(CHOSEN)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
@pytest.mark.parametrize("similarity", ["correlation", "inner_product"])
def test_planted_permutation_is_recovered(example, similarity):
    spec = example.spec()
    trial = Trial(example.build(), example.inputs(), np.random.default_rng(0))
    a = trial._model
    b = copy.deepcopy(a)
    planted = random_permutation(spec, spec.sizes(trial.params), np.random.default_rng(1))
    b.load_state_dict(rf.apply_permutation(spec, planted, a.state_dict()))
    batches = batches_like(example.inputs())
    matching = rf.activation_matching(spec, a, b, batches, similarity=similarity)
    itself = rf.activation_matching(spec, a, a, batches, similarity=similarity)
    assert matching.objective == pytest.approx(itself.objective, rel=1e-9)
    assert itself.objective >= itself.first_objective - 1e-9 * abs(itself.objective)
    if similarity == "correlation":
        assert itself.objective == pytest.approx(itself.first_objective, rel=1e-9)
        # Each unit is itself alone, but dead ones, which tie with one another; the objective counts them 0.
        truth = rf.invert_permutation(planted, spec)
        hits = sum(int((matching.permutation[name] == index).sum()) for name, index in truth.items())
        assert hits >= 0.8 * sum(index.size for index in truth.values())


def mlp(seed=0, widths=(6, 12, 10, 3), activation=nn.ReLU):
    torch.manual_seed(seed)
    layers = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


SPEC = rf.specs.mlp(["0", "2", "4"])


def data(count=64, seed=1):
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))


def hidden(model, x, layer):
    with torch.no_grad():
        return model[:layer](x).double().numpy()


def test_correlations_are_those_of_numpy():
    """The objective against a slow reference: numpy.corrcoef and SciPy's assignment for each layer."""
    from scipy.optimize import linear_sum_assignment

    a, b, x = mlp(0, activation=nn.Tanh), mlp(1, activation=nn.Tanh), data()
    matching = rf.activation_matching(SPEC, a, b, x.split(7))
    expected = 0.0
    for layer, name in ((2, "P0"), (4, "P1")):
        units_a, units_b = hidden(a, x, layer), hidden(b, x, layer)
        n = units_a.shape[1]
        similarity = np.corrcoef(units_a.T, units_b.T)[:n, n:]
        rows, columns = linear_sum_assignment(similarity, maximize=True)
        assert np.array_equal(matching.permutation[name], columns)
        expected += similarity[rows, columns].sum()
    assert matching.objective == pytest.approx(expected, rel=1e-5)
    assert matching.history == [matching.objective]
    assert matching.converged


def test_one_pass_over_batches_is_one_big_batch():
    a, b, x = mlp(0), mlp(1), data(100)
    whole = rf.activation_matching(SPEC, a, b, [x])
    streamed = rf.activation_matching(SPEC, a, b, (part for part in x.split(7)))
    assert streamed.agreement(whole) == 1.0
    assert streamed.objective == pytest.approx(whole.objective, rel=1e-5)
    weighed = rf.activation_matching(SPEC, a, b, [x], similarity="inner_product")
    again = rf.activation_matching(SPEC, a, b, x.split(13), similarity="inner_product")
    assert again.objective == pytest.approx(weighed.objective, rel=1e-5)


@pytest.mark.parametrize("mean", [0.0, 1e3, 1e5])
def test_large_means_do_not_cancel(mean):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((999, 5)) + mean).astype(np.float32)
    y = (x @ rng.standard_normal((5, 5)) + rng.standard_normal((999, 5)) - mean).astype(np.float32)
    moments = CrossMoments()
    for part_x, part_y in zip(np.array_split(x, 10), np.array_split(y, 10), strict=True):
        moments.add(torch.from_numpy(part_x), torch.from_numpy(part_y))
    expected = np.corrcoef(x.T.astype(np.float64), y.T.astype(np.float64))[:5, 5:]
    np.testing.assert_allclose(moments.correlation(), expected, atol=1e-5)
    products = x.T.astype(np.float64) @ y.astype(np.float64) / 999
    np.testing.assert_allclose(moments.inner_product(), products, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 3.7, 1e4 / 3])
def test_units_that_never_change_have_no_correlation(dtype, value):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(90, 3, generator=generator, dtype=dtype)
    x[:, 1] = value
    moments = CrossMoments()
    for part in x.split(11):
        moments.add(part, part)
    matrix = moments.correlation()
    assert (matrix[1] == 0).all()
    assert (matrix[:, 1] == 0).all()
    assert np.diag(matrix)[[0, 2]] == pytest.approx(1.0, abs=1e-6)


def test_rounding_of_a_constant_is_no_signal():
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    x[:, 1] = 1e4 / 3
    x[::3, 1] = torch.nextafter(x[0, 1], torch.tensor(1e9))
    moments = CrossMoments()
    moments.add(x, x)
    assert moments.correlation()[1, 1] == 0.0


def test_dead_units_count_nothing():
    a = mlp(0)
    with torch.no_grad():
        a[0].bias[3] = -1e6
    matching = rf.activation_matching(SPEC, a, a, [data(500)])
    assert matching.objective == pytest.approx(12 + 10 - 1, abs=1e-4)


def test_positions_and_flattened_features_all_count():
    """A channel's positions are samples of it, in the convolution's output and flattened before a linear layer."""
    spec = rf.PermutationSpec(
        {
            "0.weight": ("P", None, None, None), "0.bias": ("P",),
            "3.weight": (None, rf.axis.blocks("P", 4)), "3.bias": (None,),
        }
    )  # fmt: skip
    torch.manual_seed(0)
    a, b = (
        nn.Sequential(nn.Conv2d(2, 5, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(20, 2)) for _ in "ab"
    )
    x = torch.randn(30, 2, 5, 5)
    matching = rf.activation_matching(spec, a, b, x.split(10))
    with torch.no_grad():
        maps = [model[:2](x).transpose(0, 1).flatten(1).double().numpy() for model in (a, b)]
    similarity = np.corrcoef(*maps)[:5, 5:]
    assert matching.objective == pytest.approx(
        similarity[np.arange(5), matching.permutation["P"]].sum(), rel=1e-5
    )


class Stream(nn.Module):
    """One stream that three layers read: two of them the same tensor."""

    def __init__(self):
        super().__init__()
        self.embed, self.inner = nn.Linear(6, 8), nn.Linear(8, 8)
        self.left, self.right = nn.Linear(8, 3), nn.Linear(8, 2)

    def forward(self, x):
        x = self.embed(x).tanh()
        x = x + self.inner(x).tanh()
        out = torch.cat([self.left(x), self.right(x)], 1)
        x.zero_()  # what taps have seen must not change with it
        return out


STREAM = rf.PermutationSpec(
    {
        "embed.weight": ("S", None), "embed.bias": ("S",), "inner.weight": ("S", "S"), "inner.bias": ("S",),
        "left.weight": (None, "S"), "left.bias": (None,), "right.weight": (None, "S"), "right.bias": (None,),
    }
)  # fmt: skip


def test_shared_streams_sum_their_taps_and_count_a_tensor_once():
    torch.manual_seed(0)
    model = Stream()
    assert rf.activation_matching(STREAM, model, model, [data()]).objective == pytest.approx(16.0, abs=1e-4)


def test_taps_by_name():
    model = Stream()
    named = rf.activation_matching(STREAM, model, model, [data()], taps={"S": "embed"})
    assert named.objective == pytest.approx(8.0, abs=1e-4)
    both = rf.activation_matching(STREAM, model, model, [data()], taps={"S": ["embed", "inner"]})
    assert both.objective == pytest.approx(16.0, abs=1e-4)
    with pytest.raises(rf.SpecError, match="no such module"):
        rf.activation_matching(STREAM, model, model, [data()], taps={"S": "nowhere"})
    with pytest.raises(rf.SpecError, match="names permutation 'T'"):
        rf.activation_matching(STREAM, model, model, [data()], taps={"T": "embed"})
    with pytest.raises(rf.SpecError, match=r"shape \(64, 3\) passes; expected 8 units"):
        rf.activation_matching(STREAM, model, model, [data()], taps={"S": "left"})


def hooks_of(model):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["data", "model", "progress"])
def test_hooks_are_gone_after_an_exception(error, where):
    a, b = mlp(0).train(), mlp(1).train()
    b[1].eval()

    def broken(*_args):
        raise error("on purpose")

    def batches():
        yield data()
        if where == "data":
            broken()
        yield data()

    handle = b[3].register_forward_hook(broken) if where == "model" else None
    with pytest.raises(error, match="on purpose"):
        rf.activation_matching(SPEC, a, b, batches(), progress=broken if where == "progress" else None)
    if handle is not None:
        handle.remove()
    assert hooks_of(a) == hooks_of(b) == 0
    assert all(module.training for module in a.modules())
    assert [module.training for module in b] == [True, False, True, True, True]
    assert torch.is_grad_enabled()


def test_batches_of_every_form_and_progress():
    a, b, x = mlp(0), mlp(1), data()
    a.train()
    expected = rf.activation_matching(SPEC, a, b, [x, x])
    seen = []
    labels = torch.zeros(64)
    for form in ([(x, labels)] * 2, [[x, labels]] * 2, [{"input": x}] * 2):
        found = rf.activation_matching(
            SPEC, a, b, form, progress=lambda done, total: seen.append((done, total))
        )
        assert found.objective == expected.objective
        assert found.agreement(expected) == 1.0
    assert seen == [(1, 2), (2, 2)] * 3
    assert a.training
    rf.activation_matching(SPEC, a, b, iter([x]), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (1, None)


def test_mistakes_are_named():
    a, b = mlp(0), mlp(1)
    with pytest.raises(ValueError, match="batches is empty"):
        rf.activation_matching(SPEC, a, b, [])
    with pytest.raises(TypeError, match=r"model_b is a torch\.nn\.Module"):
        rf.activation_matching(SPEC, a, b.state_dict(), [data()])
    with pytest.raises(ValueError, match="'correlation' or 'inner_product'"):
        rf.activation_matching(SPEC, a, b, [data()], similarity="cosine")
    with pytest.raises(rf.ParamsError, match="NaN or infinite"):
        rf.activation_matching(SPEC, a, b, [data() * float("nan")])


class WithHead(nn.Module):
    """Has a layer that does not run in eval mode, and whose units no layer shows then."""

    def __init__(self):
        super().__init__()
        self.body, self.extra, self.out = nn.Linear(6, 8), nn.Linear(8, 5), nn.Linear(5, 2)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.body(x).tanh()
        return self.head(x)


def test_a_permutation_that_is_seen_nowhere():
    spec = rf.PermutationSpec(
        {
            "body.weight": ("P", None), "body.bias": ("P",), "extra.weight": ("Q", "P"), "extra.bias": ("Q",),
            "out.weight": (None, "Q"), "out.bias": (None,), "head.weight": (None, "P"), "head.bias": (None,),
        }
    )  # fmt: skip
    model = WithHead()
    with pytest.raises(rf.SpecError, match=r"permutation 'Q' \(1 such permutations\)"):
        rf.activation_matching(spec, model, model, [data()])
    matching = rf.activation_matching(spec, model, model, [data()], strict=False)
    assert np.array_equal(matching.permutation["Q"], np.arange(5))
    assert set(matching.report) == {"extra.weight", "extra.bias", "out.weight"}


def test_never_below_the_identity_and_the_sum_of_matched():
    """Nested permutations against the objective that the whole spec gives, for networks that have nothing in common."""
    example = next(e for e in EXAMPLES if e.name == "vit of 2 layers, timm")
    spec = example.spec()
    a, b = (Trial(example.build(), example.inputs(), np.random.default_rng(s))._model for s in (0, 1))
    matching = rf.activation_matching(spec, a, b, batches_like(example.inputs()))
    assert matching.objective > matching.first_objective
    again = rf.activation_matching(spec, a, b, batches_like(example.inputs()))
    assert again.agreement(matching) == 1.0
    aligned = copy.deepcopy(b)
    aligned.load_state_dict(rf.apply_permutation(spec, matching.permutation, b.state_dict()))
    after = rf.activation_matching(spec, a, aligned, batches_like(example.inputs()))
    assert after.first_objective == pytest.approx(matching.objective, rel=1e-9)


def test_agreement():
    a, b = mlp(0), mlp(1)
    matching = rf.activation_matching(SPEC, a, b, [data()])
    identity = identity_permutation(SPEC, SPEC.sizes(a.state_dict()))
    still = sum(int((index == np.arange(index.size)).sum()) for index in matching.permutation.values())
    assert matching.agreement(identity) == still / 22
    with pytest.raises(rf.PermutationError, match="names must agree"):
        matching.agreement({"P0": identity["P0"]})
    with pytest.raises(rf.PermutationError, match="has shape"):
        matching.agreement({**identity, "P1": np.arange(3)})


def test_source_of_a_chain_of_three():
    """Groups within groups: the unit that fills a slot is found through all parents (guards sum_of_matched)."""
    from rebasin_fast.matching.activation.similarities import sum_of_matched

    rng = np.random.default_rng(0)
    sizes, chain = {"x": 2, "y": 3, "z": 2}, ("x", "y", "z")
    spec = rf.PermutationSpec(
        {"w": (rf.axis.Product("x", rf.axis.Product("y", "z")),)}, sizes={"x": 2, "y": 3}
    )
    permutation = random_permutation(spec, sizes, rng)
    matrix = rng.standard_normal((12, 12))
    moved = rf.apply_permutation(spec, permutation, {"w": np.arange(12)})["w"]
    assert sum_of_matched({chain: matrix}, spec, permutation) == pytest.approx(
        matrix[np.arange(12), moved].sum()
    )


NARROW = rf.specs.mlp(["0", "2"])


def narrow(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


@pytest.mark.parametrize("batches", [[torch.ones(1, 4)], [torch.ones(0, 4)], [torch.ones(0, 4)] * 2])
def test_a_correlation_needs_two_samples(batches):
    a, b, spec = narrow(0), narrow(1), NARROW
    found = sum(map(len, batches))
    with pytest.raises(
        rf.DataError, match=f"give {found} samples at module '2', and correlation needs 2 or more"
    ):
        rf.activation_matching(spec, a, b, batches)
    if found:
        assert rf.activation_matching(spec, a, b, batches, similarity="inner_product").converged
    else:
        with pytest.raises(rf.DataError, match=r"give 0 samples .* needs 1 or more"):
            rf.activation_matching(spec, a, b, batches, similarity="inner_product")


def test_units_that_never_change_have_no_correlations():
    a, b, same = narrow(0), narrow(1), [torch.ones(20, 4)]
    with pytest.raises(rf.DataError, match=r"'P0' are constant on these batches .*module '2'; 1 such"):
        rf.activation_matching(NARROW, a, b, same)
    found = rf.activation_matching(NARROW, a, b, same, strict=False)
    assert found.permutation["P0"].tolist() == list(range(8))
    assert set(found.report.values()) == {"permutation 'P0' has constant activations"}
    assert rf.activation_matching(NARROW, a, b, same, similarity="inner_product").objective > 0.0
