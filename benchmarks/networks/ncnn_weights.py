"""Weights of ncnn: a text of layers, and their numbers one after the other."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

_HALF = 0x01306B47
_KINDS = ("Convolution", "Deconvolution")


def read_chain(stem: Path, inputs: int = 3) -> dict[str, npt.NDArray[np.float32]]:
    """Weights of a plain chain of (transposed) convolutions, ``STEM.param`` and ``STEM.bin``, in torch's layout.

    Biases are of float32, weights of float32 or, behind a mark, float16. Other layers end the program.
    """
    raw = stem.with_name(stem.name + ".bin").read_bytes()
    params: dict[str, npt.NDArray[np.float32]] = {}
    at, width = 0, inputs
    for number, fields in enumerate(_layers(stem.with_name(stem.name + ".param")), 1):
        wide, size, count = (int(fields[key]) for key in ("0", "1", "6"))
        mark = int.from_bytes(raw[at : at + 4], "little")
        if mark not in (0, _HALF):
            raise SystemExit(f"{stem}: weights under the mark {mark:#x} are neither float32 nor float16")
        kind = np.dtype("<f2") if mark == _HALF else np.dtype("<f4")
        weights = np.frombuffer(raw, kind, count, at + 4).astype(np.float32)
        at += 4 + -(-count * kind.itemsize // 4) * 4
        shaped = weights.reshape(wide, width, size, size)
        params[f"conv{number}.weight"] = np.ascontiguousarray(
            shaped.swapaxes(0, 1) if fields["kind"] == "Deconvolution" else shaped
        )
        params[f"conv{number}.bias"] = np.frombuffer(raw, "<f4", wide, at).copy()
        at += 4 * wide
        width = wide
    if at != len(raw):
        raise SystemExit(f"{stem}: {len(raw) - at} bytes of the weights belong to no layer")
    return params


def _layers(path: Path) -> list[dict[str, str]]:
    layers = []
    for line in path.read_text(encoding="ascii").splitlines()[2:]:
        kind, _, inputs, outputs, *rest = line.split()
        if kind == "Input":
            continue
        if kind not in _KINDS:
            raise SystemExit(f"{path}: a layer of {kind} is no part of a plain chain of convolutions")
        fields = rest[int(inputs) + int(outputs) :]
        layers.append({"kind": kind, **dict(field.split("=", 1) for field in fields)})
    return layers
