"""Recurrent networks as torch names them: the model returns logits, not states."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

import rebasin_fast as rf
from helpers.families.example import Example, tokens, vectors


class Tagger(nn.Module):
    """Logits at every step."""

    def __init__(self, kind: type[nn.RNNBase], **options: object) -> None:
        super().__init__()
        self.core = kind(3, 5, batch_first=True, **options)
        width = (self.core.proj_size or 5) * (2 if self.core.bidirectional else 1)
        self.fc = nn.Linear(width, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.core(x)[0])


class Classifier(nn.Module):
    """Logits from the last state, between an embedding and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.lstm = nn.LSTM(4, 5, num_layers=2, batch_first=True)
        self.fc1, self.fc2 = nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, (states, _) = self.lstm(self.embedding(x))
        return self.fc2(self.fc1(states[-1]).tanh())


def tagger(name: str, module: type[nn.RNNBase], kind: str, **options: object) -> Example:
    known = {"num_layers": "layers", "bidirectional": "bidirectional", "bias": "bias"}
    claimed = {known[option]: value for option, value in options.items() if option in known}
    spec = partial(rf.specs.recurrent, kind, name="core", projected="proj_size" in options, **claimed)
    return Example(name, partial(Tagger, module, **options), spec, vectors(2, 6, 3))


EXAMPLES = [
    tagger("lstm", nn.LSTM, "lstm"),
    tagger("gru", nn.GRU, "gru"),
    tagger("rnn", nn.RNN, "rnn"),
    tagger("lstm of two layers, both ways", nn.LSTM, "lstm", num_layers=2, bidirectional=True),
    tagger("gru of two layers without biases", nn.GRU, "gru", num_layers=2, bias=False),
    tagger("lstm with projection", nn.LSTM, "lstm", num_layers=2, proj_size=3),
    Example(
        "lstm classifier with embedding",
        Classifier,
        partial(rf.specs.recurrent, "lstm", 2, heads=["fc1", "fc2"], embedding="embedding"),
        tokens(11, 8),
        permutations=4,
    ),
]
