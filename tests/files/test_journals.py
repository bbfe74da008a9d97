"""Journals of outputs that are named together: what a later call finishes, and what it leaves alone."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.files import atomic_write, check_writable, together
from rebasin_fast.files.writing.journal import Journals, finish_interrupted
from rebasin_fast.files.writing.placing import FilePlacing

KILLED_BETWEEN = """
import os, sys
from pathlib import Path
from rebasin_fast.files import atomic_write, together
from rebasin_fast.files.writing import placing
first = placing.FilePlacing.place
def place(self):
    first(self)
    os._exit(9)
placing.FilePlacing.place = place
with together():
    for path in map(Path, sys.argv[1:]):
        with atomic_write(path, overwrite=True, text=True) as file:
            file.write("new")
"""


def killed_after_the_first_name(*paths):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    process = subprocess.run(
        [sys.executable, "-c", KILLED_BETWEEN, *map(str, paths)], env=environment, check=False
    )
    assert process.returncode == 9


def contents(*paths):
    return [path.read_text() if path.exists() else None for path in paths]


def hidden(folder):
    return sorted(path.name for path in folder.rglob(".*"))


@pytest.fixture
def pair(tmp_path):
    """Two names, the second of an older file, in two folders, after a kill between the two renames."""
    paths = tmp_path / "one" / "report.txt", tmp_path / "two" / "model.txt"
    for path in paths:
        path.parent.mkdir()
    paths[1].write_text("old")
    killed_after_the_first_name(*paths)
    assert contents(*paths) == ["new", "old"]
    return paths


@pytest.mark.parametrize("place", [0, 1])
def test_the_next_writing_in_either_folder_finishes_the_set(pair, place):
    with atomic_write(pair[place].with_name("other.txt"), text=True) as file:
        file.write("other")
    finish_interrupted(pair[1].parent)
    finish_interrupted(pair[0].parent)
    assert contents(*pair) == ["new", "new"]
    assert not any(
        name.endswith(".journal") for folder in {path.parent for path in pair} for name in hidden(folder)
    )


def test_the_deciding_folder_finishes_the_others(pair):
    finish_interrupted(pair[1].parent)
    assert contents(*pair) == ["new", "new"]
    assert [name for name in hidden(pair[0].parent) if name.endswith(".journal")] == []


def test_a_reading_finishes_the_set(tmp_path):
    model, other = tmp_path / "model.npz", tmp_path / "other.txt"
    rf.save_params(model, {"w": np.ones(2)})
    killed_after_the_first_name(other, tmp_path / "last.txt")
    rf.load_params(model)
    assert contents(other, tmp_path / "last.txt") == ["new", "new"]


def test_an_output_that_may_not_be_replaced_is_seen_before_the_work(tmp_path):
    paths = tmp_path / "report.txt", tmp_path / "model.txt"
    killed_after_the_first_name(*paths)
    with pytest.raises(rf.errors.RebasinError, match="exists already"):
        check_writable(paths[1])


def test_what_was_written_since_is_not_replaced(pair):
    pair[1].write_text("by another program")
    finish_interrupted(pair[1].parent)
    assert contents(*pair) == ["new", "by another program"]
    assert not any(name.endswith(".journal") for name in hidden(pair[1].parent))


def test_before_the_decision_nothing_is_named(pair):
    """The journal of the first folder without that of the last, as a kill between the two leaves them."""
    (journal,) = pair[1].parent.glob(".*.journal")
    journal.unlink()
    pair[0].unlink()
    (left,) = (
        path for path in pair[1].parent.glob(".*.tmp") if "model" in path.name and path.read_text() == "new"
    )
    left.rename(pair[0].parent / _temporary_of(pair[0]))
    finish_interrupted(pair[0].parent)
    assert contents(*pair) == [None, "old"]


def _temporary_of(path):
    (journal,) = path.parent.glob(".*.journal")
    (output,) = json.loads(journal.read_text())["outputs"]
    return output["temporary"]


def test_the_journal_of_a_running_process_is_left_alone(tmp_path):
    temporary = [tmp_path / f".{name}.1-0123456{i}.rebasin.tmp" for i, name in enumerate("ab")]
    for path in temporary:
        path.write_text("new")
    journals = Journals(
        [FilePlacing(path, tmp_path / name, True) for path, name in zip(temporary, "ab", strict=True)]
    )
    journals.write()
    finish_interrupted(tmp_path)
    assert contents(tmp_path / "a", tmp_path / "b") == [None, None]
    journals.remove()
    assert not list(tmp_path.glob(".*.journal"))


HOSTILE = [
    b"", b"{}", b"[]", b'{"outputs": 3, "folders": [], "decided by": null}', b"\xff" * 9, b"[" * 1000,
    *(
        json.dumps({"decided by": None, "folders": folders, "outputs": outputs}).encode()
        for folders, outputs in [
            (["/proc/1", "\0", "."], []),
            ([], [{"temporary": "victim", "path": "taken", "overwrite": True, "replaces": None}]),
            ([], [{"temporary": ".v.1-00000000.rebasin.tmp", "path": "../taken", "overwrite": True, "replaces": None}]),
            ([], [{"temporary": "../.v.1-00000000.rebasin.tmp", "path": "t", "overwrite": True, "replaces": None}]),
            ([], [{"temporary": ".v.1-00000000.rebasin.tmp", "path": "..", "overwrite": True, "replaces": None}]),
            ([], [{"temporary": 4, "path": None}]),
            ([], [{"temporary": ".v.1-00000000.rebasin.tmp", "path": "t", "overwrite": 1, "names": 3, "replaces": 0}]),
        ]
    ),
]  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE)
def test_a_journal_of_others_moves_nothing_that_has_a_name(tmp_path, content):
    folder = tmp_path / "downloaded"
    folder.mkdir()
    for path in (
        folder / "victim",
        tmp_path / ".v.1-00000000.rebasin.tmp",
        folder / ".v.1-00000000.rebasin.tmp",
    ):
        path.write_text(path.name)
    journal = folder / ".outputs.1-00000000.rebasin.journal"
    journal.write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    finish_interrupted(folder)
    assert sorted([*tmp_path.rglob("*"), *([] if journal.exists() else [journal])]) == before


def test_a_journal_names_no_folder_whose_journals_name_others(tmp_path):
    """A circle of two ends, and a stranger's journal reaches only those that are decided by it."""
    folders = [tmp_path / name for name in "ab"]
    for folder, other in zip(folders, reversed(folders), strict=True):
        folder.mkdir()
        content = {"decided by": None, "folders": [str(other)], "outputs": []}
        (folder / ".outputs.1-00000000.rebasin.journal").write_text(json.dumps(content))
    finish_interrupted(folders[0])
    assert not hidden(folders[0])
    assert hidden(folders[1])


def test_one_output_has_no_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(Journals, "write", lambda self: pytest.fail("a journal"))
    with together(), atomic_write(tmp_path / "model.txt", text=True) as file:
        file.write("new")
    assert contents(tmp_path / "model.txt") == ["new"]


def test_an_old_journal_is_finished_where_there_are_no_locks(pair, monkeypatch):
    monkeypatch.setattr("rebasin_fast.files.writing.journal.fcntl", None)
    finish_interrupted(pair[1].parent)
    assert contents(*pair) == ["new", "old"]
    for folder in (path.parent for path in pair):
        for journal in folder.glob(".*.journal"):
            os.utime(journal, (time.time() - 4000,) * 2)
    finish_interrupted(pair[1].parent)
    assert contents(*pair) == ["new", "new"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
@pytest.mark.timeout(60)
def test_a_pipe_or_a_link_is_no_journal(tmp_path):
    os.mkfifo(tmp_path / ".outputs.1-00000000.rebasin.journal")
    (tmp_path / ".outputs.1-00000001.rebasin.journal").symlink_to("/dev/zero")
    finish_interrupted(tmp_path)
    assert len(hidden(tmp_path)) == 2
