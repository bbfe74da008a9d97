"""Where the input data lies, and where costly intermediate results are kept between runs."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

Params = dict[str, npt.NDArray[np.float32]]

DATA_VARIABLE = "REBASIN_FAST_DATA"
DEFAULT_CACHE = Path.home() / ".cache" / "rebasin_fast_bench"


def data_folder() -> Path:
    """Return the folder named by ``REBASIN_FAST_DATA``; a missing one ends the program with instructions."""
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        raise SystemExit(
            f"{DATA_VARIABLE} is not set: it must name the folder that holds mnist/, cifar10.npz and "
            f"checkpoints/. Try: {DATA_VARIABLE}=/path/to/data python benchmarks/..."
        )
    folder = Path(value)
    if not folder.is_dir():
        raise SystemExit(f"{DATA_VARIABLE} names {value!r}, which is no folder: point it at the data folder")
    return folder


def cached_arrays(
    cache: Path, name: str, make: Callable[[], Mapping[str, npt.NDArray[np.generic]]]
) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays stored as ``cache/name.npz``, made and stored first when they are not there."""
    path = cache / f"{name}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        arrays = dict(make())
        unfinished = path.with_name(f"{path.stem}.{os.getpid()}.tmp.npz")
        np.savez(unfinished, **arrays)  # type: ignore[arg-type]
        unfinished.replace(path)
    with np.load(path) as stored:
        return {key: stored[key] for key in stored.files}
