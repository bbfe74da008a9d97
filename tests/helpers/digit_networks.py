"""Small convolutional networks with BatchNorm, squeeze-excite and a depthwise layer, trained on digits."""

from __future__ import annotations

from functools import lru_cache

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy, max_pool2d, relu

TRAINED_ON = 1200


@lru_cache
def digits():
    """Images (n, 1, 8, 8) and classes."""
    images, classes = load_digits(return_X_y=True)
    return torch.tensor(images / 16.0, dtype=torch.float32).view(-1, 1, 8, 8), torch.tensor(classes)


class SqueezeExcite(nn.Module):
    """Channels scaled by a function of their means."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Linear(channels, channels // 2), nn.Linear(channels // 2, channels)

    def forward(self, x):
        return x * torch.sigmoid(self.up(relu(self.down(x.mean((2, 3))))))[:, :, None, None]


class Net(nn.Module):
    """A convolution, a depthwise one with squeeze-excite, a pointwise one, each with BatchNorm, and a classifier."""

    def __init__(self, channels=12):
        super().__init__()
        self.conv = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.excite = SqueezeExcite(channels)
        self.pointwise = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(2 * channels)
        self.classifier = nn.Linear(2 * channels, 10)

    def forward(self, x):
        x = max_pool2d(relu(self.norm1(self.conv(x))), 2)
        x = self.excite(relu(self.norm2(self.depthwise(x))))
        return self.classifier(relu(self.norm3(self.pointwise(x))).mean((2, 3)))


@lru_cache
def trained(seed, channels=12, epochs=4):
    """A network after some passes; not to be changed."""
    torch.manual_seed(seed)
    images, classes = digits()
    model = Net(channels)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(epochs):
        for rows in torch.randperm(TRAINED_ON).split(100):
            loss = cross_entropy(model(images[rows]), classes[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def batches():
    """Those of the training, in a fixed order."""
    images, classes = digits()
    return list(zip(images[:TRAINED_ON].split(100), classes[:TRAINED_ON].split(100), strict=True))


def accuracy(params, channels=12):
    """Of ``params`` on images that no training saw."""
    model = Net(channels)
    model.load_state_dict(params)
    images, classes = digits()
    with torch.no_grad():
        return float((model.eval()(images[TRAINED_ON:]).argmax(1) == classes[TRAINED_ON:]).float().mean())
