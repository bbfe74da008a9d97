"""The drop-in for the PyPI package sinkhorn-rebasin: its users' programs."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import rebasin_fast as rf
from helpers.networks import KNOWN
from rebasin_fast.compat.sinkhorn_rebasin import (
    DistCosineLoss,
    DistL1Loss,
    DistL2Loss,
    MidLoss,
    RebasinNet,
    RndLoss,
    matching,
)
from rebasin_fast.permutation import random_permutation


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 3))


def test_a_model_is_moved_onto_its_permuted_copy():
    model = network()
    spec = rf.specs.for_params(model.state_dict())
    target = copy.deepcopy(model)
    planted = random_permutation(spec, spec.sizes(model.state_dict()), np.random.default_rng(0))
    target.load_state_dict(rf.apply_permutation(spec, planted, model.state_dict()))
    net, distance = RebasinNet(model, input_shape=(1, 4), tau=1.0, n_iter=20), DistL2Loss(target)
    optimizer = torch.optim.AdamW(net.p.parameters(), lr=0.1)
    net.train()
    for _ in range(150):
        loss = distance(net())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    moved = net()
    assert distance(moved).item() == 0.0
    kept = copy.deepcopy(moved)
    assert all(torch.equal(p, q) for p, q in zip(kept.parameters(), target.parameters(), strict=True))
    x = torch.randn(5, 4)
    torch.testing.assert_close(net(x), model(x))
    torch.testing.assert_close(net(x[0]), model(x[:1]))
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), network().parameters(), strict=True))


def test_soft_parameters_and_gradients():
    model, target = network(0), network(1)
    net = RebasinNet(model, (1, 4))
    assert [tuple(scores.shape) for scores in net.p] == [(9, 9), (7, 7)]
    assert list(net.parameters()) == list(net.p)
    x, y = torch.randn(5, 4), torch.randn(5, 3)
    for loss in (MidLoss(target), RndLoss(target), MidLoss(target, criterion=nn.L1Loss())):
        net.zero_grad()
        moved = net()
        before = [p.detach().clone() for p in moved.parameters()]
        loss(moved, x, y).backward()
        assert all(scores.grad.abs().max() > 0 for scores in net.p)
        assert all(torch.equal(p, q) for p, q in zip(moved.parameters(), before, strict=True))
    net.zero_grad()
    assert all(scores.grad is None for scores in net.p)
    for distance in (DistL1Loss(target), DistCosineLoss(target)):
        distance(net()).backward()
        assert all(torch.isfinite(scores.grad).all() for scores in net.p)
    with pytest.raises(ValueError, match="call set_model"):
        DistL2Loss()(model)


def test_the_midpoint_loss_is_that_of_averaged_weights():
    one, two = network(0), network(1)
    x, y = torch.randn(5, 4), torch.randn(5, 3)
    middle = network()
    middle.load_state_dict({k: (v + two.state_dict()[k]) / 2 for k, v in one.state_dict().items()})
    assert MidLoss(one)(two, x, y).item() == pytest.approx(
        nn.functional.mse_loss(middle(x), y).item(), rel=1e-5
    )


def test_initialisations():
    net = RebasinNet(network(), (1, 4))
    net.identity_init()
    net.eval()
    assert all(torch.equal(p, q) for p, q in zip(net().parameters(), network().parameters(), strict=True))
    net.random_init()
    x = torch.randn(5, 4)
    torch.testing.assert_close(net(x), network()(x))
    assert all(sorted(index.tolist()) == list(range(len(index))) for index in net.permutation().values())


def test_batch_norm_statistics_move_with_their_units():
    known = KNOWN["resnet20-projected"]
    model = known.build().eval()
    model.load_state_dict({k: torch.from_numpy(v) for k, v in known.arrays(3).items()})
    net = RebasinNet(model, (1, *known.input_shape), spec=known.spec())
    net.random_init()
    net.eval()
    torch.testing.assert_close(net(known.inputs()), model(known.inputs()), rtol=1e-4, atol=1e-4)
    other = known.build()
    other.bn1.running_mean.add_(3.0)
    net.update_batchnorm(other)
    index = torch.from_numpy(net.permutation()[known.spec().axes_to_perm["bn1.weight"][0]])
    torch.testing.assert_close(net().bn1.running_mean, other.bn1.running_mean[index])


def test_matching_and_mistakes():
    scores = np.random.default_rng(0).standard_normal((6, 6))
    matrix = matching(scores)
    rows, columns = rf.linear_sum_assignment(scores, maximize=True)
    assert matrix[rows, columns].sum() == matrix.sum() == 6
    with pytest.raises(ValueError, match="operator is 'implicit'"):
        RebasinNet(network(), (1, 4), operator="autograd")
    with pytest.raises(ValueError, match="permutation_type"):
        RebasinNet(network(), (1, 4), permutation_type="other")
    with pytest.raises(TypeError, match="matching takes maximize="):
        matching(scores, other=True)
