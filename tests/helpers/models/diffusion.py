"""The networks of Stable Diffusion 1.5, from ``diffusers``: the U-Net and the autoencoder, real and narrow."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from .chains import encoder, total
from .installed import import_torchvision
from .registry import Model
from .symmetries import Symmetries, attention, cut_by_norms, normed_groups, units

import_torchvision()  # diffusers imports transformers, which imports it

import diffusers  # noqa: E402

# The public configuration of stable-diffusion-v1-5/unet. ``attention_head_dim`` is the number of heads there.
UNET: dict[str, Any] = {
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280),
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": (
        "CrossAttnDownBlock2D",
        "CrossAttnDownBlock2D",
        "CrossAttnDownBlock2D",
        "DownBlock2D",
    ),
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-5,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
}

# Two units where the real network has ten: norms over concatenations cut at the same places.
NARROW_UNET = {**UNET, "block_out_channels": (64, 128, 256, 256), "cross_attention_dim": 24}
# A quarter of the groups as well: the cuts lie as before, and there are fewer of them.
SMALL_UNET = {
    **UNET, "block_out_channels": (16, 32, 64, 64), "norm_num_groups": 8, "attention_head_dim": 4,
    "cross_attention_dim": 12,
}  # fmt: skip

AUTOENCODER: dict[str, Any] = {
    "act_fn": "silu",
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 512,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
NARROW_AUTOENCODER = {**AUTOENCODER, "block_out_channels": (16, 32, 64, 64), "norm_num_groups": 8}


class Autoencoder(diffusers.AutoencoderKL):
    """The autoencoder that also returns its latent code, which other networks read and so cannot move."""

    def forward(self, sample: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        latent = self.encode(sample).latent_dist
        return latent.parameters, self.decode(latent.mode()).sample


def unet(config: dict[str, Any] = UNET, size: int = 64) -> tuple[torch.nn.Module, dict[str, Any]]:
    torch.manual_seed(0)
    model = diffusers.UNet2DConditionModel(**config).eval()
    return model, {
        "sample": torch.ones(1, config["in_channels"], size, size),
        "timestep": torch.tensor([7]),
        "encoder_hidden_states": torch.ones(1, 5, config["cross_attention_dim"]),
        "return_dict": False,
    }


def autoencoder(
    config: dict[str, Any] = AUTOENCODER, size: int = 64
) -> tuple[torch.nn.Module, dict[str, Any]]:
    torch.manual_seed(0)
    return Autoencoder(**config).eval(), {"sample": torch.ones(1, config["in_channels"], size, size)}


@dataclass(eq=False)
class Stream:
    """Feature maps that additions tie to one another, and the group norms that read them."""

    channels: int
    norms: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Layers:
    """The symmetries met on a walk through a network of residual blocks under group norms."""

    groups: int
    streams: list[Stream] = field(default_factory=list)
    inner: Symmetries = field(default_factory=total)

    def convolution(self, channels: int) -> Stream:
        self.streams.append(Stream(channels))
        return self.streams[-1]

    def norm(self, *streams: Stream) -> None:
        length = sum(stream.channels for stream in streams) // self.groups
        offset = 0
        for stream in streams:
            stream.norms.append((offset, length))
            offset += stream.channels

    def residual_block(self, channels: int, *inputs: Stream) -> Stream:
        """Norm, convolution, norm, convolution; a shortcut of one tensor of equal channels is the identity."""
        self.norm(*inputs)
        self.inner += normed_groups(channels, self.groups)
        if sum(stream.channels for stream in inputs) == channels:
            return inputs[0]
        return self.convolution(channels)

    def transformer(self, stream: Stream, heads: int) -> None:
        """A stream of its own between two projections: attention to itself, to the text, and a gated MLP."""
        self.norm(stream)
        width = stream.channels
        to_text = attention(heads, width // heads, width // heads)
        self.inner = total(self.inner, units(width), encoder(width, heads, 4 * width), to_text)

    def one_head(self, stream: Stream) -> None:
        self.norm(stream)
        self.inner += units(stream.channels, times=2)

    def found(self) -> Symmetries:
        return total(self.inner, *(cut_by_norms(stream.channels, stream.norms) for stream in self.streams))


def unet_symmetries(config: dict[str, Any]) -> Symmetries:
    channels, layers = config["block_out_channels"], config["layers_per_block"]
    heads = config["attention_head_dim"]
    walk = Layers(config["norm_num_groups"])
    walk.inner += units(4 * channels[0], times=2)  # the embedding of time: hidden, and what all blocks read
    stream = walk.convolution(channels[0])
    skips = [stream]
    for level, (width, kind) in enumerate(zip(channels, config["down_block_types"], strict=True)):
        for _ in range(layers):
            stream = walk.residual_block(width, stream)
            if "CrossAttn" in kind:
                walk.transformer(stream, heads)
            skips.append(stream)
        if level < len(channels) - 1:
            stream = walk.convolution(width)
            skips.append(stream)
    stream = walk.residual_block(channels[-1], stream)
    walk.transformer(stream, heads)
    stream = walk.residual_block(channels[-1], stream)
    for level, (width, kind) in enumerate(zip(channels[::-1], config["up_block_types"], strict=True)):
        for _ in range(layers + 1):
            stream = walk.residual_block(width, stream, skips.pop())
            if "CrossAttn" in kind:
                walk.transformer(stream, heads)
        if level < len(channels) - 1:
            stream = walk.convolution(width)
    walk.norm(stream)
    return walk.found()


def autoencoder_symmetries(config: dict[str, Any]) -> Symmetries:
    channels, layers = config["block_out_channels"], config["layers_per_block"]
    walk = Layers(config["norm_num_groups"])
    stream = walk.convolution(channels[0])
    for level, width in enumerate(channels):
        for _ in range(layers):
            stream = walk.residual_block(width, stream)
        if level < len(channels) - 1:
            stream = walk.convolution(width)
    _middle(walk, stream)
    stream = walk.convolution(channels[-1])
    _middle(walk, stream, ends=False)
    for level, width in enumerate(channels[::-1]):
        for _ in range(layers + 1):
            stream = walk.residual_block(width, stream)
        if level < len(channels) - 1:
            stream = walk.convolution(width)
    walk.norm(stream)
    latent = config["latent_channels"]  # between the convolutions at the latent code, which itself stays
    return total(walk.found(), units(2 * latent), units(latent))


def _middle(walk: Layers, stream: Stream, ends: bool = True) -> None:
    walk.residual_block(stream.channels, stream)
    walk.one_head(stream)
    walk.residual_block(stream.channels, stream)
    if ends:
        walk.norm(stream)


def _unet_model(name: str, config: dict[str, Any], size: int, **options: Any) -> Model:
    return Model(f"diffusers/{name}", partial(unet, config, size), unet_symmetries(config), **options)


def _autoencoder_model(name: str, config: dict[str, Any], size: int, **options: Any) -> Model:
    return Model(
        f"diffusers/{name}", partial(autoencoder, config, size), autoencoder_symmetries(config), **options
    )


_narrow_unet = _unet_model("Stable Diffusion 1.5 U-Net, a fifth as wide", NARROW_UNET, 8, small=False)
_small_autoencoder = _autoencoder_model(
    "Stable Diffusion autoencoder, an eighth as wide", NARROW_AUTOENCODER, 16
)

MODELS = [
    _unet_model("Stable Diffusion 1.5 U-Net, 16 channels", SMALL_UNET, 8),
    _unet_model("Stable Diffusion 1.5 U-Net", UNET, 64, small=False, narrow=_narrow_unet),
    _small_autoencoder,
    _autoencoder_model(
        "Stable Diffusion autoencoder", AUTOENCODER, 64, small=False, narrow=_small_autoencoder
    ),
]
