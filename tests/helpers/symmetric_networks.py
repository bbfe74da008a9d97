"""Small networks in float64 with specs whose symmetries are written by hand."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

import rebasin_fast as rf
from rebasin_fast.axis import Concat, Fixed, Product
from rebasin_fast.specs.symmetry import Norm, Reader, Role, Symmetry


@dataclass(frozen=True)
class SymmetricNetwork:
    """A model with its spec and inputs."""

    build: Callable[[], nn.Module]
    spec: rf.PermutationSpec
    inputs: Callable[[], Any]

    def model(self, seed=0):
        """With parameters that no initialisation hides: gains and biases are random."""
        torch.manual_seed(seed)
        model = self.build().double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.copy_(torch.rand_like(parameter) + 0.5)
        return model


def change_of_outputs(network, model, params):
    """Largest change of an output, by the largest output."""
    inputs, other = network.inputs(), copy.deepcopy(model)
    other.load_state_dict(dict(params))
    with torch.no_grad():
        before, after = model(inputs), other(inputs)
    return float((before - after).abs().max() / before.abs().max())


def floats(*shape):
    return lambda: torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


MLP_AXES = {
    "0.weight": ("P", None), "0.bias": ("P",), "2.weight": ("Q", "P"), "2.bias": ("Q",), "4.weight": (None, "Q"),
    "4.bias": (None,),
}  # fmt: skip


def mlp_roles():
    """The roles of both hidden layers."""
    return {
        "P": (Role("0.weight", 0, (1,)), Role("0.bias", 0, (1,)), Role("2.weight", 1, (-1,))),
        "Q": (Role("2.weight", 0, (1,)), Role("2.bias", 0, (1,)), Role("4.weight", 1, (-1,))),
    }


def mlp(activation, group):
    """Two hidden layers of 6 and 5 units."""
    return SymmetricNetwork(
        lambda: nn.Sequential(nn.Linear(4, 6), activation(), nn.Linear(6, 5), activation(), nn.Linear(5, 3)),
        rf.PermutationSpec(
            MLP_AXES, symmetries=[Symmetry(name, group, own) for name, own in mlp_roles().items()]
        ),
        floats(16, 4),
    )


class Gated(nn.Module):
    """As in Llama: down(silu(gate(x)) * up(x))."""

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.gate, self.up = nn.Linear(inputs, hidden), nn.Linear(inputs, hidden)
        self.down = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.down(nn.functional.silu(self.gate(x)) * self.up(x))


def gated_axes(prefix, inner, outer_in=None, outer_out=None):
    return {
        f"{prefix}gate.weight": (inner, outer_in), f"{prefix}gate.bias": (inner,),
        f"{prefix}up.weight": (inner, outer_in), f"{prefix}up.bias": (inner,),
        f"{prefix}down.weight": (outer_out, inner), f"{prefix}down.bias": (outer_out,),
    }  # fmt: skip


def gated_symmetries(prefix, inner):
    exponents = {"gate": 0, "up": 1}
    roles = [
        Role(f"{prefix}{n}.{kind}", 0, (e,)) for n, e in exponents.items() for kind in ("weight", "bias")
    ]
    roles.append(Role(f"{prefix}down.weight", 1, (-1,)))
    return [Symmetry(inner, group, tuple(roles)) for group in ("signs", "scales")]


class Block(nn.Module):
    """A pre-norm transformer block; queries, keys and values in one array."""

    def __init__(self, width, heads, dims, norm, gated):
        super().__init__()
        self.heads, self.dims = heads, dims
        self.norm1, self.norm2 = norm(width), norm(width)
        self.qkv = nn.Linear(width, 3 * heads * dims)
        self.out = nn.Linear(heads * dims, width)
        hidden = 7
        self.mlp = (
            Gated(width, hidden, width)
            if gated
            else nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        )

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).view(*x.shape[:2], 3, self.heads, self.dims).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """Two blocks between an embedding with positions and an output layer."""

    def __init__(self, norm, gated, bias=True, tied=False, width=8, length=6):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(11, width), nn.Parameter(torch.randn(length, width))
        self.blocks = nn.ModuleList(Block(width, 2, 3, norm, gated) for _ in range(2))
        self.norm, self.head = norm(width), nn.Linear(width, 11, bias=bias)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, ids):
        x = self.embedding(ids) + self.positions[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def transformer(kind, gated, *, bias=True, tied=False):
    """Orthogonal stream, linear queries · keys and values · output in every head, scales in gated MLPs."""
    norm = nn.RMSNorm if kind == "rms" else nn.LayerNorm
    return SymmetricNetwork(
        lambda: Transformer(norm, gated, bias, tied),
        _transformer_spec(kind, gated, bias),
        lambda: torch.randint(0, 11, (3, 6), generator=torch.Generator().manual_seed(1)),
    )


def _transformer_spec(kind, gated, bias):
    axes = {"embedding.weight": (None, "S"), "positions": (None, "S"), "head.weight": (None, "S")}
    if bias:
        axes["head.bias"] = (None,)
    stream = [Role("embedding.weight", 1, (1,)), Role("positions", 1, (1,)), Role("head.weight", 1, (-1,))]
    norms, others = [], []

    def add_norm(name, readers):
        vectors = {"weight": f"{name}.weight"} | ({"bias": f"{name}.bias"} if kind == "layer" else {})
        axes.update(dict.fromkeys(vectors.values(), ("S",)))
        norms.append(
            Norm(
                kind,
                vectors["weight"],
                vectors.get("bias"),
                tuple(Reader(f"{r}.weight", 1, b) for r, b in readers),
            )
        )

    for i in range(2):
        block, heads, qk, vo, inner = f"blocks.{i}.", f"H{i}", f"qk{i}", f"vo{i}", f"M{i}"
        fused = Concat(Product(heads, qk), Product(heads, qk), Product(heads, vo))
        axes |= {
            f"{block}qkv.weight": (fused, "S"), f"{block}qkv.bias": (fused,),
            f"{block}out.weight": ("S", Product(heads, vo)), f"{block}out.bias": ("S",),
        }  # fmt: skip
        both = [(f"{block}qkv.weight", 0), (f"{block}qkv.bias", 0)]
        others.append(Symmetry(qk, "linear", tuple(Role(*place, (1, -1)) for place in both)))
        into = Role(f"{block}out.weight", 1, (-1,))
        others.append(Symmetry(vo, "linear", (*(Role(*place, (1,)) for place in both), into)))
        add_norm(f"{block}norm1", [(f"{block}qkv", f"{block}qkv.bias")])
        if gated:
            axes |= gated_axes(f"{block}mlp.", inner, "S", "S")
            others += gated_symmetries(f"{block}mlp.", inner)
            first, last = ("mlp.gate", "mlp.up"), "mlp.down"
        else:
            axes |= {
                f"{block}mlp.0.weight": (inner, "S"), f"{block}mlp.0.bias": (inner,),
                f"{block}mlp.2.weight": ("S", inner), f"{block}mlp.2.bias": ("S",),
            }  # fmt: skip
            first, last = ("mlp.0",), "mlp.2"
        add_norm(f"{block}norm2", [(f"{block}{r}", f"{block}{r}.bias") for r in first])
        stream += [Role(f"{block}{r}.weight", 1, (-1,)) for r in ("qkv", *first)]
        for writer in ("out", last):
            stream += [Role(f"{block}{writer}.weight", 0, (1,)), Role(f"{block}{writer}.bias", 0, (1,))]
    add_norm("norm", [("head", "head.bias" if bias else None)])
    symmetries = [Symmetry("S", "orthogonal", tuple(stream), tuple(norms)), *others]
    sizes = {"H0": 2, "H1": 2}
    return rf.PermutationSpec(axes, sizes=sizes, symmetries=symmetries)


class Bottleneck(nn.Sequential):
    """Two linear maps with nothing between, twice."""

    def __init__(self):
        super().__init__(
            nn.Linear(5, 3), nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 4, bias=False), nn.Linear(4, 5)
        )


BOTTLENECK = SymmetricNetwork(
    Bottleneck,
    rf.PermutationSpec(
        {
            "0.weight": ("R", None), "0.bias": ("R",), "1.weight": ("P", "R"), "1.bias": ("P",), "3.weight": ("T", "P"),
            "4.weight": (None, "T"), "4.bias": (None,),
        },
        symmetries=[
            Symmetry("R", "linear", (Role("0.weight", 0, (1,)), Role("0.bias", 0, (1,)), Role("1.weight", 1, (-1,)))),
            Symmetry("P", "signs", (Role("1.weight", 0, (1,)), Role("1.bias", 0, (1,)), Role("3.weight", 1, (-1,)))),
            Symmetry("T", "linear", (Role("3.weight", 0, (1,)), Role("4.weight", 1, (-1,)))),
        ],
    ),
    floats(16, 5),
)  # fmt: skip


class Recurrent(nn.Module):
    """h = relu(W h + U x): the units stand on both axes of one array."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer, self.out = nn.Linear(5, 5, bias=False), nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        h = torch.zeros(len(x), 5, dtype=x.dtype)
        for _ in range(3):
            h = torch.relu(self.inner(h) + self.outer(x))
        return self.out(h)


RECURRENT = SymmetricNetwork(
    Recurrent,
    rf.PermutationSpec(
        {
            "inner.weight": ("P", "P"), "outer.weight": ("P", None), "outer.bias": ("P",), "out.weight": (None, "P"),
            "out.bias": (None,),
        },
        symmetries=[
            Symmetry("P", "scales", (
                Role("inner.weight", 0, (1,)), Role("inner.weight", 1, (-1,)), Role("outer.weight", 0, (1,)),
                Role("outer.bias", 0, (1,)), Role("out.weight", 1, (-1,)),
            )),
        ],
    ),
    floats(16, 3),
)  # fmt: skip

GATED = SymmetricNetwork(
    lambda: Gated(4, 6, 3),
    rf.PermutationSpec(gated_axes("", "P"), symmetries=gated_symmetries("", "P")),
    floats(16, 4),
)


class Tiled(nn.Module):
    """Keys and queries interleaved by head: (heads, 2, dims)."""

    def __init__(self):
        super().__init__()
        self.qk, self.v = nn.Linear(4, 2 * 2 * 3), nn.Linear(4, 2)

    def forward(self, x):
        q, k = self.qk(x).view(*x.shape[:2], 2, 2, 3).permute(3, 0, 2, 1, 4)
        return torch.einsum("bhij,bjh->bi", torch.softmax(q @ k.transpose(-1, -2), -1), self.v(x))


TILED = SymmetricNetwork(
    Tiled,
    rf.PermutationSpec(
        {
            "qk.weight": (Product("H", Product(Fixed(2), "d")), None),
            "qk.bias": (Product("H", Product(Fixed(2), "d")),),
            "v.weight": ("H", None), "v.bias": ("H",),
        },
        sizes={"H": 2},
        symmetries=[Symmetry("d", "linear", (Role("qk.weight", 0, (1, -1)), Role("qk.bias", 0, (1, -1))))],
    ),
    floats(2, 5, 4),
)  # fmt: skip

NETWORKS = {
    "tanh": mlp(nn.Tanh, "signs"),
    "relu": mlp(nn.ReLU, "scales"),
    "gated": GATED,
    "bottleneck": BOTTLENECK,
    "recurrent": RECURRENT,
    "tiled": TILED,
    "rms": transformer("rms", gated=True),
    "layer": transformer("layer", gated=False),
}
