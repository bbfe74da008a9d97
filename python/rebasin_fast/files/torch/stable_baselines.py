"""Archives of Stable-Baselines3: a zip around several files of torch, of which ``policy.pth`` holds the networks."""

from __future__ import annotations

import shlex

from ...errors import FileFormatError
from ..archive import read_members
from ..mapped import MappedFile

_POLICY = "policy.pth"


def inner_file(file: MappedFile, library: str, left_out: dict[str, str]) -> MappedFile:
    """The file of torch inside an archive of Stable-Baselines3; any other file itself.

    The other members are noted in ``left_out``.
    """
    if file.map[:2] != b"PK":
        return file
    members = read_members(file)
    if _POLICY not in members or any(name.endswith("data.pkl") for name in members):
        return file
    policy = members[_POLICY]
    if policy.offset is None:
        command = shlex.join(["unzip", str(file.path), _POLICY])
        raise FileFormatError(
            f"{file.path}: {_POLICY} is compressed. Take it out ({command}) and give that file."
        )
    for name in members:
        if name != _POLICY:
            left_out[name] = "it stands beside the networks in the archive of Stable-Baselines3"
    data = file.map[policy.offset : policy.offset + policy.size]
    return MappedFile.of_bytes(file.path, bytes(data), library)
