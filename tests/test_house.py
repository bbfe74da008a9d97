"""The shape of the source: few names at the top, small folders and files, and parameters that are passed downwards.

The order of imports is checked by ``lint-imports``; CONTRIBUTING.md lists these tests with their commands.
"""

import re
import statistics
import sys
from pathlib import Path

import numpy as np
import pytest

import rebasin_fast as rf

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "python" / "rebasin_fast"
# From the ground up, as in pyproject.toml; rooms of one layer stand together.
LAYERS = (
    ("errors", "typing", "_terminal", "_untrusted"), ("_arguments",), ("_arrays", "_drawing"), ("_native",),
    ("_models",), ("assignment",), ("specs", "files"), ("permutation",), ("merging",), ("matching",), ("evaluation",),
    ("analysis", "continual"), ("report", "plots"), ("compat",), ("demo",), ("cli",),
)  # fmt: skip
FLOOR = {room: floor for floor, rooms in enumerate(LAYERS) for room in rooms}


def files_of(folder):
    return [path for path in folder.iterdir() if path.is_file() and path.suffix != ".so"]


def folders():
    below = (path for path in SOURCE.rglob("*") if path.is_dir() and path.name != "__pycache__")
    return [SOURCE, *below]


def test_the_package_shows_at_most_twenty_names():
    names = {path.name for path in SOURCE.iterdir() if not path.name.startswith("_")}
    assert len(names) <= 20, sorted(names)


def test_the_table_of_contributing_names_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text[text.index("## Where to change something") : text.index("## Set up")]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == 10
    for row in rows:
        places = re.findall(r"`([\w./]+)`", row[2])
        assert places, row
        roots = [place if place.startswith("cpp/") else f"python/rebasin_fast/{place}" for place in places]
        known = [Path(root) for root in roots]
        folder = known[0] if known[0].suffix == "" else known[0].parent
        assert all((ROOT / path).exists() or (ROOT / folder / path.name).exists() for path in known), row


@pytest.mark.parametrize("folder", folders(), ids=lambda path: str(path.relative_to(SOURCE.parent)))
def test_a_folder_has_at_most_eighteen_files(folder):
    assert len(files_of(folder)) <= 18


def test_the_median_file_has_at_most_120_lines():
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE.rglob("*.py")]
    assert statistics.median(lengths) <= 120


def test_the_parameters_of_b_are_passed_downwards_from_weight_matching_to_the_core():
    rng = np.random.default_rng(0)
    spec = rf.specs.mlp(["fc1", "fc2"])
    shapes = {"fc1.weight": (8, 4), "fc1.bias": (8,), "fc2.weight": (3, 8), "fc2.bias": (3,)}
    a, b = ({name: rng.standard_normal(shape) for name, shape in shapes.items()} for _ in "ab")
    calls = calls_with(b, lambda: rf.weight_matching(spec, a, b))
    rooms = [room for _, room in calls]
    assert rooms[0] == "matching"
    assert "_arrays" in rooms
    climbs = [(caller, room) for caller, room in calls if caller in FLOOR and FLOOR[room] > FLOOR[caller]]
    assert len(climbs) <= 2, climbs


def calls_with(params, action):
    """The (caller's room, room) of each call within the package that is given ``params`` as an argument."""
    found = []

    def listen(frame, event, _argument):
        room = room_of(frame)
        if event == "call" and room in FLOOR:
            count = frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount
            arguments = [frame.f_locals.get(name) for name in frame.f_code.co_varnames[:count]]
            if any(argument is params for argument in arguments):
                found.append((room_of(frame.f_back), room))

    sys.setprofile(listen)
    try:
        action()
    finally:
        sys.setprofile(None)
    return found


def room_of(frame):
    parts = Path(frame.f_code.co_filename).parts if frame is not None else ()
    below = parts[parts.index("rebasin_fast") + 1 :] if "rebasin_fast" in parts else ()
    return below[0].removesuffix(".py") if below else ""
