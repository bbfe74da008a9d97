"""Weights of Keras: groups within one another, shapes larger than the file, links, and other kinds of contents."""

from __future__ import annotations

import importlib.util
import io
import random
from typing import Any

import numpy as np

from .archives import archive
from .case import Case, read_params


def available() -> bool:
    """Whether h5py is there."""
    return importlib.util.find_spec("h5py") is not None


def _fill(draw: random.Random, group: Any, depth: int, groups: list[Any]) -> None:
    import h5py

    for name in draw.sample(
        ("kernel:0", "bias:0", "layer", "optimizer_weights", "vars", "é", "x" * 300), draw.randint(0, 4)
    ):
        match draw.randrange(11):
            case 0 | 1 | 2:
                group[name] = np.arange(draw.choice((0, 3, 6))).astype(
                    draw.choice(("f4", ">f8", "i8", "?", "c8", "f2"))
                )
            case 3 if depth < 4:
                groups.append(group.create_group(name))
                _fill(draw, groups[-1], depth + 1, groups)
            case 4:
                group[name] = draw.choice(groups)  # the same group again, maybe the one around it
            case 5:
                shape = draw.choice(((10**9,), (2**40,), (2**31, 2**31), (10**6, 100)))
                group.create_dataset(name, shape, "f4", chunks=(64,) * len(shape), fillvalue=1)
            case 6:
                group.create_dataset(name, (2,), "f4", chunks=(draw.choice((1, 2**28)),), maxshape=(None,))
            case 7:
                group[name] = draw.choice((h5py.SoftLink("/layer"), h5py.ExternalLink("other.h5", "/w")))
            case 8:
                group[name] = draw.choice(
                    ("text", np.void(b"abc"), h5py.Empty("f4"), np.zeros(2, [("a", "f4")]))
                )
            case 9:
                group.create_dataset(name, data=np.zeros(10**4, "f4"), compression="gzip")
            case _:
                group[name] = np.float32(1)


def content(draw: random.Random) -> bytes:
    """The bytes of an HDF5 file."""
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        root = file.create_group("model_weights") if draw.random() < 0.5 else file
        groups = [root]
        _fill(draw, root, 0, groups)
        if draw.random() < 0.02:  # each group twice in the one before it
            for _ in range(40):
                below = file.create_group(None)
                groups[-1]["p"], groups[-1]["q"] = below, below
                groups.append(below)
    return out.getvalue()


def case(draw: random.Random) -> Case:
    """An HDF5 file, or an archive of Keras around one. The library of HDF5 reads the rest: its bytes are right."""
    if draw.random() < 0.7:
        return Case({"weights.h5": content(draw)}, "weights.h5", read_params)
    members = [("metadata.json", b"{}"), ("model.weights.h5", content(draw))]
    return Case({"model.keras": archive(draw, members)}, "model.keras", read_params)
