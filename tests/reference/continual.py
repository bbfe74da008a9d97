"""Incremental learning written out step by step, for networks of Linear layers with ReLU between them."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch.nn.functional import cross_entropy, linear, relu


def outputs_of(params, inputs):
    weights = [name for name in params if name.endswith("weight")]
    for name in weights:
        inputs = linear(inputs, params[name], params[name.replace("weight", "bias")])
        if name != weights[-1]:
            inputs = relu(inputs)
    return inputs


def detached(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def plain_training(model, batches, *, learning_rate, momentum):
    """SGD as torch has it; the parameters."""
    params = {name: value.requires_grad_() for name, value in detached(model).items()}
    optimizer = torch.optim.SGD(params.values(), lr=learning_rate, momentum=momentum)
    for inputs, targets in batches:
        optimizer.zero_grad()
        cross_entropy(outputs_of(params, inputs), targets).backward()
        optimizer.step()
    return {name: value.detach() for name, value in params.items()}


def anchored_training(model, batches, *, learning_rate, momentum, beta):
    """SGD by hand, the distance from the start shrunk after each step."""
    start = detached(model)
    params = {name: value.clone() for name, value in start.items()}
    velocity = {name: torch.zeros_like(value) for name, value in start.items()}
    shrinkage = 1.0 + 2.0 * beta * learning_rate / (1.0 - momentum)
    for inputs, targets in batches:
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        found = torch.autograd.grad(cross_entropy(outputs_of(leaves, inputs), targets), list(leaves.values()))
        for (name, value), gradient in zip(params.items(), found, strict=True):
            velocity[name] = momentum * velocity[name] + gradient
            params[name] = start[name] + (value - learning_rate * velocity[name] - start[name]) / shrinkage
    return params


def soft_episode(model, batches, scores, *, alpha, beta, learning_rate, tau, rate_of_scores, every, hard):
    """One episode of a network with two hidden layers; the parameters, the permutation and the losses."""
    theta = detached(model)
    scores = {
        name: torch.tensor(value, dtype=torch.float32).requires_grad_() for name, value in scores.items()
    }
    adam = torch.optim.AdamW(scores.values(), lr=rate_of_scores)
    delta = {name: torch.zeros_like(value) for name, value in theta.items()}
    losses = []
    for number, (inputs, targets) in enumerate(batches):
        if number % every == 0:
            matrices = {name: matrix_of(value, tau, hard) for name, value in scores.items()}
            middle = {name: 0.5 * (theta[name] + value) for name, value in mixed(theta, matrices).items()}
        leaves = {name: value.requires_grad_() for name, value in delta.items()}
        point = {name: middle[name] + leaves[name] for name in theta}
        loss = cross_entropy(outputs_of(point, inputs), targets)
        losses.append(loss.item())
        adam.zero_grad()
        loss.backward()
        if number % every == 0:
            adam.step()
            middle = {name: value.detach() for name, value in middle.items()}
        shrinkage = 1.0 + 2.0 * beta * learning_rate
        delta = {
            name: ((value - learning_rate * value.grad) / shrinkage).detach()
            for name, value in leaves.items()
        }
    permutation = {name: assigned(value) for name, value in scores.items()}
    moved = mixed(theta, {name: torch.eye(len(index))[index] for name, index in permutation.items()})
    params = {name: (1 - alpha) * value + alpha * moved[name] + delta[name] for name, value in theta.items()}
    return params, permutation, losses


def matrix_of(scores, tau, hard):
    if hard:
        return torch.eye(len(scores))[assigned(scores)] + scores - scores.detach()
    logits = scores / tau
    for _ in range(200):  # to the fixed point, whose gradient the operator gives
        logits = logits - logits.logsumexp(0, keepdim=True)
        logits = logits - logits.logsumexp(1, keepdim=True)
    return logits.exp()


def assigned(scores):
    return np.asarray(linear_sum_assignment(scores.detach().numpy(), maximize=True)[1])


def mixed(theta, matrices):
    first, second = matrices["P0"], matrices["P1"]
    return {
        "0.weight": first @ theta["0.weight"], "0.bias": first @ theta["0.bias"],
        "2.weight": second @ theta["2.weight"] @ first.T, "2.bias": second @ theta["2.bias"],
        "4.weight": theta["4.weight"] @ second.T, "4.bias": theta["4.bias"],
    }  # fmt: skip


def fisher_by_examples(model, batches):
    """(inputs, outputs) factors of each Linear layer, one example after the other; the biases' column last."""
    factors, count = {}, 0
    for inputs, targets in batches:
        for one, target in zip(inputs, targets, strict=True):
            count += 1
            hidden, seen, produced = one, {}, {}
            for name, module in model.named_children():
                if isinstance(module, torch.nn.Linear):
                    seen[name] = torch.cat((hidden.detach(), torch.ones(1)))
                    hidden = produced[name] = module(hidden)
                else:
                    hidden = module(hidden)
            loss = cross_entropy(hidden.unsqueeze(0), target.unsqueeze(0))
            gradients = torch.autograd.grad(loss, list(produced.values()))
            for name, gradient in zip(produced, gradients, strict=True):
                moments = torch.outer(seen[name], seen[name]), torch.outer(gradient, gradient)
                before = factors.get(name, (0, 0))
                factors[name] = tuple(a + b for a, b in zip(before, moments, strict=True))
    return {name: (inputs / count, outputs / count) for name, (inputs, outputs) in factors.items()}
