"""Small models in NumPy, in float64, with specs that hold their symmetries, written by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import rebasin_fast as rf
from rebasin_fast.axis import Product
from rebasin_fast.specs.symmetry import Norm, NormKind, Reader, Role, Symmetry

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Model:
    """A spec, random parameters, and the function that parameters compute on inputs of ``draw_inputs``."""

    spec: rf.PermutationSpec
    draw: Callable[[np.random.Generator], Arrays]
    function: Callable[[Arrays, np.ndarray], np.ndarray]
    draw_inputs: Callable[[np.random.Generator], np.ndarray]


def _drawn(shapes: dict[str, tuple[int, ...]]) -> Callable[[np.random.Generator], Arrays]:
    def draw(rng: np.random.Generator) -> Arrays:
        return {
            name: rng.standard_normal(shape) / np.sqrt(shape[-1] if len(shape) > 1 else 4.0)
            + (1.0 if name.endswith("gain") else 0.0)
            for name, shape in shapes.items()
        }

    return draw


def mlp(activation: str, widths: tuple[int, ...] = (6, 16, 14, 3)) -> Model:
    """Linear layers with an activation between them: tanh (signs) or relu (scales)."""
    layers = range(len(widths) - 1)
    shapes: dict[str, tuple[int, ...]] = {}
    axes: dict[str, tuple[object, ...]] = {}
    for i in layers:
        shapes |= {f"fc{i}.weight": (widths[i + 1], widths[i]), f"fc{i}.bias": (widths[i + 1],)}
        out = f"P{i}" if i < layers[-1] else None
        axes |= {f"fc{i}.weight": (out, f"P{i - 1}" if i else None), f"fc{i}.bias": (out,)}
    group = {"tanh": "signs", "relu": "scales"}[activation]
    symmetries = [
        Symmetry(
            f"P{i}",
            group,
            (
                Role(f"fc{i}.weight", 0, (1,)),
                Role(f"fc{i}.bias", 0, (1,)),
                Role(f"fc{i + 1}.weight", 1, (-1,)),
            ),
        )
        for i in layers[:-1]
    ]
    act = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0.0)}[activation]

    def function(p: Arrays, x: np.ndarray) -> np.ndarray:
        for i in layers:
            x = x @ p[f"fc{i}.weight"].T + p[f"fc{i}.bias"]
            x = act(x) if i < layers[-1] else x
        return x

    spec = rf.PermutationSpec(axes, symmetries=symmetries)
    return Model(spec, _drawn(shapes), function, lambda rng: rng.standard_normal((20, widths[0])))


def gated(width: int = 6, hidden: int = 20) -> Model:
    """down(silu(gate x) * up x): scales of any sign between up and down."""
    shapes = {"gate": (hidden, width), "up": (hidden, width), "up_bias": (hidden,), "down": (width, hidden)}
    axes = {"gate": ("P", None), "up": ("P", None), "up_bias": ("P",), "down": (None, "P")}
    roles = (
        Role("gate", 0, (0,)), Role("up", 0, (1,)), Role("up_bias", 0, (1,)), Role("down", 1, (-1,)),
    )  # fmt: skip
    spec = rf.PermutationSpec(
        axes, symmetries=[Symmetry("P", "signs", roles), Symmetry("P", "scales", roles)]
    )

    def function(p: Arrays, x: np.ndarray) -> np.ndarray:
        gates = x @ p["gate"].T
        return (gates / (1.0 + np.exp(-gates)) * (x @ p["up"].T + p["up_bias"])) @ p["down"].T

    return Model(spec, _drawn(shapes), function, lambda rng: rng.standard_normal((20, width)))


def bottleneck(width: int = 12, rank: int = 5) -> Model:
    """Two linear maps, one after the other."""
    shapes = {"down": (rank, width), "down_bias": (rank,), "up": (width, rank)}
    axes = {"down": ("R", None), "down_bias": ("R",), "up": (None, "R")}
    roles = (Role("down", 0, (1,)), Role("down_bias", 0, (1,)), Role("up", 1, (-1,)))
    spec = rf.PermutationSpec(axes, symmetries=[Symmetry("R", "linear", roles)])
    return Model(
        spec,
        _drawn(shapes),
        lambda p, x: (x @ p["down"].T + p["down_bias"]) @ p["up"].T,
        lambda rng: rng.standard_normal((20, width)),
    )


_HEADS, _DIM = 3, 4


def _attention_spec(stream: str | None) -> tuple[dict[str, tuple[object, ...]], list[Symmetry]]:
    axes: dict[str, tuple[object, ...]] = {}
    for name, inner in (("q", "qk"), ("k", "qk"), ("v", "vo")):
        axes |= {
            f"{name}.weight": (Product("heads", inner), stream),
            f"{name}.bias": (Product("heads", inner),),
        }
    axes["o.weight"] = (stream, Product("heads", "vo"))
    qk = tuple(Role(f"{n}.{part}", 0, (e,)) for n, e in (("q", 1), ("k", -1)) for part in ("weight", "bias"))
    vo = (Role("v.weight", 0, (1,)), Role("v.bias", 0, (1,)), Role("o.weight", 1, (-1,)))
    return axes, [Symmetry("qk", "linear", qk), Symmetry("vo", "linear", vo)]


def _attention_shapes(width: int) -> dict[str, tuple[int, ...]]:
    inner = _HEADS * _DIM
    shapes: dict[str, tuple[int, ...]] = {}
    for name in "qkv":
        shapes |= {f"{name}.weight": (inner, width), f"{name}.bias": (inner,)}
    return shapes | {"o.weight": (width, inner)}


def _attended(p: Arrays, x: np.ndarray) -> np.ndarray:
    def part(name: str) -> np.ndarray:
        return (
            (x @ p[f"{name}.weight"].T + p[f"{name}.bias"])
            .reshape(*x.shape[:-1], _HEADS, _DIM)
            .swapaxes(-2, -3)
        )

    scores = part("q") @ part("k").swapaxes(-1, -2) / np.sqrt(_DIM)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = (weights / weights.sum(-1, keepdims=True)) @ part("v")
    return mixed.swapaxes(-2, -3).reshape(*x.shape[:-1], _HEADS * _DIM) @ p["o.weight"].T


def attention(width: int = 10) -> Model:
    """Multi-head attention: heads move, queries and keys, and values and outputs, by matrices within each."""
    axes, symmetries = _attention_spec(None)
    spec = rf.PermutationSpec(axes, sizes={"heads": _HEADS}, symmetries=symmetries)
    return Model(
        spec, _drawn(_attention_shapes(width)), _attended, lambda rng: rng.standard_normal((4, 7, width))
    )


def _normed(p: Arrays, name: str, x: np.ndarray, kind: str) -> np.ndarray:
    if kind == "layer":
        x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-8) * p[f"{name}.gain"]
    return x + p[f"{name}.beta"] if kind == "layer" else x


def transformer(kind: NormKind, width: int = 12, hidden: int = 20, vocabulary: int = 17) -> Model:
    """One pre-norm residual block between an embedding and a head, untied; the stream rotates."""
    axes, symmetries = _attention_spec("S")
    axes |= {
        "embedding": (None, "S"), "positions": (None, "S"), "o.bias": ("S",),
        "up.weight": ("M", "S"), "up.bias": ("M",), "down.weight": ("S", "M"), "down.bias": ("S",),
        "head.weight": (None, "S"), "head.bias": (None,),
    }  # fmt: skip
    shapes = _attention_shapes(width) | {
        "embedding": (vocabulary, width), "positions": (7, width), "o.bias": (width,),
        "up.weight": (hidden, width), "up.bias": (hidden,), "down.weight": (width, hidden),
        "down.bias": (width,), "head.weight": (vocabulary, width), "head.bias": (vocabulary,),
    }  # fmt: skip
    readers = {"norm1": ("q", "k", "v"), "norm2": ("up",), "norm3": ("head",)}
    norms = []
    for norm, read in readers.items():
        parts = ("gain", "beta") if kind == "layer" else ("gain",)
        axes |= {f"{norm}.{part}": ("S",) for part in parts}
        shapes |= {f"{norm}.{part}": (width,) for part in parts}
        norms.append(
            Norm(
                kind,
                f"{norm}.gain",
                f"{norm}.beta" if kind == "layer" else None,
                tuple(Reader(f"{name}.weight", 1, f"{name}.bias") for name in read),
            )
        )
    writers = (
        ("embedding", 1),
        ("positions", 1),
        ("o.weight", 0),
        ("o.bias", 0),
        ("down.weight", 0),
        ("down.bias", 0),
    )
    roles = [Role(name, axis, (1,)) for name, axis in writers]
    roles += [Role(f"{name}.weight", 1, (-1,)) for read in readers.values() for name in read]
    roles += [Role(name, 0, (0,)) for name in axes if name.startswith("norm")]
    stream = Symmetry("S", "orthogonal", tuple(roles), tuple(norms))
    spec = rf.PermutationSpec(axes, sizes={"heads": _HEADS}, symmetries=[stream, *symmetries])

    def function(p: Arrays, tokens: np.ndarray) -> np.ndarray:
        x = p["embedding"][tokens] + p["positions"]
        x = x + _attended(p, _normed(p, "norm1", x, kind)) + p["o.bias"]
        h = _normed(p, "norm2", x, kind) @ p["up.weight"].T + p["up.bias"]
        x = x + np.maximum(h, 0.0) ** 2 @ p["down.weight"].T + p["down.bias"]
        return _normed(p, "norm3", x, kind) @ p["head.weight"].T + p["head.bias"]

    return Model(spec, _drawn(shapes), function, lambda rng: rng.integers(0, vocabulary, (5, 7)))


def experts(count: int = 4, width: int = 9, hidden: int = 6, vocabulary: int = 14) -> Model:
    """A mixture of tanh networks on a stream that rotates: experts move, and the signed units within each."""
    both = Product("experts", "H")
    axes = {
        "embedding": (None, "S"), "gain": ("S",), "router": ("experts", "S"), "up": (both, "S"),
        "up_bias": (both,), "down": ("S", both), "gain2": ("S",), "head": (None, "S"),
    }  # fmt: skip
    shapes = {
        "embedding": (vocabulary, width), "gain": (width,), "router": (count, width), "up": (count * hidden, width),
        "up_bias": (count * hidden,), "down": (width, count * hidden), "gain2": (width,), "head": (vocabulary, width),
    }  # fmt: skip
    norms = (
        Norm("rms", "gain", None, (Reader("router", 1), Reader("up", 1))),
        Norm("rms", "gain2", None, (Reader("head", 1),)),
    )
    stream = [
        ("embedding", 1, 1),
        ("gain", 0, 0),
        ("router", 1, -1),
        ("up", 1, -1),
        ("down", 0, 1),
        ("gain2", 0, 0),
    ]
    roles = tuple(Role(name, axis, (exponent,)) for name, axis, exponent in [*stream, ("head", 1, -1)])
    signed = (Role("up", 0, (1,)), Role("up_bias", 0, (1,)), Role("down", 1, (-1,)))
    symmetries = [Symmetry("S", "orthogonal", roles, norms), Symmetry("H", "signs", signed)]

    def function(p: Arrays, tokens: np.ndarray) -> np.ndarray:
        x = p["embedding"][tokens]
        normed = _normed({"n.gain": p["gain"]}, "n", x, "rms")
        shares = np.exp(normed @ p["router"].T)
        shares = np.repeat(shares / shares.sum(-1, keepdims=True), hidden, axis=-1)
        x = x + (shares * np.tanh(normed @ p["up"].T + p["up_bias"])) @ p["down"].T
        return _normed({"n.gain": p["gain2"]}, "n", x, "rms") @ p["head"].T

    spec = rf.PermutationSpec(axes, sizes={"experts": count}, symmetries=symmetries)
    return Model(spec, _drawn(shapes), function, lambda rng: rng.integers(0, vocabulary, (5, 7)))


MODELS: dict[str, Model] = {
    "tanh": mlp("tanh"), "relu": mlp("relu"), "gated": gated(), "bottleneck": bottleneck(),
    "attention": attention(), "rms": transformer("rms"), "layer": transformer("layer"),
    "experts": experts(),
}  # fmt: skip
