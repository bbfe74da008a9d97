"""Every example of the documentation runs, and prints the output that the page shows.

A page is read from top to bottom in an empty folder, as a reader would follow it:

- a ``python`` block runs in one session a page; one that begins with ``# file: NAME`` is written to that file;
- a ``sh`` block runs in bash, and must succeed;
- a ``text`` block is what the block before it prints, blanks aside; ``text varies`` leaves the numbers out of
  the comparison, because they depend on the machine.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

DOCUMENTS = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))
RUNNABLE = ("python", "sh")
_BLOCK = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?(e[-+]?\d+)?")


def blocks_of(path):
    return [
        (kind, words.strip(), body) for kind, words, body in _BLOCK.findall(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_examples_run_and_print_what_is_shown(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    # Small networks: threads of a busy machine would wait for one another most of the time.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    modules = set(sys.modules)
    session = {"__name__": "__main__"}
    printed = None
    limits = threadpool_limits(1)
    try:
        for kind, words, body in blocks_of(document):
            if kind == "text":
                assert printed is not None, f"nothing was printed before\n{body}"
                assert _comparable(printed, words) == _comparable(body, words), printed
                printed = None
            elif kind in RUNNABLE:
                printed = _run(kind, body, session)
    finally:
        limits.restore_original_limits()
        for name in set(sys.modules) - modules:
            if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(
                sys.modules[name].__file__
            ):
                del sys.modules[name]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), target
        if anchor:
            assert anchor in _anchors(path), target


def test_every_page_is_in_the_list_of_pages():
    start = Path(__file__).parents[2] / "docs" / "quickstart.md"
    text = start.read_text(encoding="utf-8")
    assert [path.name for path in DOCUMENTS if path != start and f"({path.name})" not in text] == []


def _run(kind, body, session):
    if kind == "sh":
        paths = [os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": os.pathsep.join(paths)}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", body],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
        return done.stdout
    named = re.match(r"# file: (\S+)\n", body)
    if named:
        Path(named[1]).write_text(body, encoding="utf-8")
        return None
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(body, "<example>", "exec"), session)
    return output.getvalue()


def _comparable(text, words):
    if words == "varies":
        text = _NUMBER.sub("#", text)
    else:
        assert words == "", f"a text block is 'text' or 'text varies', got {words!r}"
    return [line for line in (" ".join(line.split()) for line in text.splitlines()) if line]


def _anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
