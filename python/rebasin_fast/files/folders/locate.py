"""The file of weights or the index for a path, which may be a model's folder."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from ...errors import FileFormatError
from ..errors import MissingFileError
from ..formats import INDEX_SUFFIX, all_suffixes
from ..writing.journal import finish_interrupted

# In the order in which transformers and diffusers look for them.
USUAL_FILES = (
    "model.safetensors", "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json",
    "pytorch_model.bin", "pytorch_model.bin.index.json",
    "diffusion_pytorch_model.bin", "diffusion_pytorch_model.bin.index.json",
)  # fmt: skip


def locate(path: Path) -> Path:
    """The file or index to read for a path, after what a killed process had begun to write there is finished.

    Raises
    ------
    MissingFileError
        No such path; the message names the nearest ones.
    FileFormatError
        A folder with no weights, with several files of them, or with several networks.
    """
    for folder in {path.parent, path, Path(os.path.realpath(path)).parent}:
        finish_interrupted(folder)
    try:
        if path.is_dir():
            return _in_folder(path)
        if path.is_file():
            return path
        if path.exists():
            raise FileFormatError(f"{path} is neither a file nor a folder.")
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise MissingFileError(f"{path} cannot be read: {error.strerror or error}.") from error
    raise MissingFileError(f"{path} does not exist. {_near(path)}")


def is_weights(path: Path) -> bool:
    """Whether a name is that of a file of weights or of an index of them."""
    return path.name.endswith(INDEX_SUFFIX) or path.suffix.lower() in all_suffixes()


def _in_folder(folder: Path) -> Path:
    for name in USUAL_FILES:
        if (folder / name).is_file():
            return folder / name
    if (folder / "model_index.json").is_file():
        parts = sorted(
            p.name for p in folder.iterdir() if p.is_dir() and any(is_weights(f) for f in p.iterdir())
        )
        raise FileFormatError(
            f"{folder} is a pipeline of several networks ({', '.join(parts) or 'none with weights'}). "
            f"Give one of them: {folder / (parts[0] if parts else 'unet')}"
        )
    found = sorted(p for p in folder.iterdir() if p.is_file() and is_weights(p))
    indexes = [p for p in found if p.name.endswith(INDEX_SUFFIX)]
    candidates = indexes or found
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise FileFormatError(
            f"{folder} holds no weights ({_listing(folder)}). Expected {', '.join(all_suffixes())}."
        )
    if all("-of-" in p.name for p in candidates):
        raise FileFormatError(
            f"{folder} holds parts of a set ({candidates[0].name}, …) without its {INDEX_SUFFIX}. Fetch the "
            "index too."
        )
    names = ", ".join(p.name for p in candidates[:6])
    raise FileFormatError(f"{folder} holds several files of weights ({names}). Give the one that is meant.")


def _near(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"Its folder {folder} does not exist either."
    names = [p.name for p in folder.iterdir()]
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    near += [name for name in names if Path(name).stem == path.name and name not in near]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    weights = sorted(name for name in names if is_weights(Path(name)))[:6]
    return f"The folder holds {', '.join(weights)}." if weights else f"{folder} holds no weights."


def _listing(folder: Path) -> str:
    names = sorted(p.name + "/" * p.is_dir() for p in folder.iterdir())
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "") if names else "it is empty"
