"""The folder of a model: a path, or the name of a repository in the local cache of the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from rebasin_fast.errors import MissingDependencyError
from rebasin_fast.files import MissingFileError

# owner/name, perhaps a revision, perhaps a folder inside (the networks of a diffusers pipeline).
_NAME = re.compile(
    r"(?P<repository>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})"
    r"(?:@(?P<revision>[\w.-]{1,100}))?(?:/(?P<folder>[\w-]{1,100}))?"
)
# Folders of the cache: models--owner--name/snapshots/<revision>.
_CACHED = re.compile(r"models--([\w.-]+?)--([\w.-]+)/snapshots/([\w.-]+)((?:/[\w.-]+)*)$")


def resolved(given: Path) -> Path:
    """``given`` where it exists or is no name of a repository; else the folder of the cache that it names.

    Nothing is fetched.

    Raises
    ------
    MissingFileError
        The repository, or the folder in it, is not in the cache.
    MissingDependencyError
        ``given`` reads as the name of a repository, and huggingface_hub, which knows the cache, is not installed.
    """
    found = _NAME.fullmatch(given.as_posix())
    if found is None or given.exists() or given.parent.is_dir():
        return given
    repository, revision, folder = found["repository"], found["revision"], found["folder"]
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingDependencyError(
            f"{given} does not exist here. To read it as the name of a repository in the cache of the Hugging Face "
            "Hub, install huggingface_hub: pip install huggingface_hub"
        ) from None
    try:
        snapshot = Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except (OSError, ValueError):  # not in the cache, or no valid name
        at = "" if revision is None else f" --revision {revision}"
        raise MissingFileError(
            f"{given} does not exist here, and the local cache of the Hugging Face Hub does not have {repository}. "
            f"Nothing is downloaded unasked: fetch it with `hf download {repository}{at}`, or give a folder"
        ) from None
    place = snapshot if folder is None else snapshot / folder
    if not place.is_dir():
        parts = ", ".join(sorted(p.name for p in snapshot.iterdir() if p.is_dir())) or "none"
        raise MissingFileError(f"{repository} in the local cache has no folder {folder!r} (there: {parts})")
    return place


def public_name(place: Path) -> str:
    """``owner/name`` (with its folder) of a snapshot in the cache; else the last part of the path alone."""
    found = _CACHED.search(place.as_posix())
    return f"{found[1]}/{found[2]}{found[4]}" if found else place.resolve().name


def revision_of(place: Path) -> str | None:
    """The revision of a snapshot in the cache."""
    found = _CACHED.search(place.as_posix())
    return found[3] if found else None
