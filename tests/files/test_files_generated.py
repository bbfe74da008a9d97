"""Generated files of strangers: the corpus of known faults, and a thousand new cases of each kind."""

import subprocess
import sys
from pathlib import Path

import pytest

from nightly.readers.case import MOST_MEMORY, fault_of
from nightly.readers.corpus import corpus
from nightly.readers.kinds import KINDS, case_of

CASES = 1000
_WATCHED = 10  # every tenth case with its memory


@pytest.mark.parametrize("fault", corpus())
def test_the_corpus_gives_its_errors(fault, tmp_path):
    known = corpus()[fault]
    assert fault_of(known.case, tmp_path) is None
    for name, content in known.case.files.items():
        (tmp_path / name).write_bytes(content)
    if known.error is None:
        known.case.reader(tmp_path / known.case.opened)
    else:
        with pytest.raises(known.error, match=known.words):
            known.case.reader(tmp_path / known.case.opened)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_cases(kind, tmp_path):
    found = {}
    for number in range(CASES):
        fault = fault_of(case_of(kind, f"suite {number}"), tmp_path, watched=number % _WATCHED == 0)
        if fault is not None:
            found[f"--kind {kind} --case 'suite {number}'"] = fault
    assert found == {}


def test_a_case_is_the_same_in_every_run():
    for kind in KINDS:
        assert case_of(kind, "1").files == case_of(kind, "1").files
        assert len({str(case_of(kind, f"{seed}").files) for seed in range(5)}) > 1


def test_the_judgement_finds_faults(tmp_path):
    """A reader that raises another error, takes memory, or tells no file is a failure."""
    case = case_of("headers", "1")

    def broken(path: Path) -> None:
        raise KeyError(path.name)

    def hungry(path: Path) -> None:
        bytearray(MOST_MEMORY + 1)

    def silent(path: Path) -> None:
        raise case.errors[0]("damaged")

    for reader, words in ((broken, "KeyError"), (hungry, "bytes of memory"), (silent, "names no file")):
        assert words in fault_of(type(case)(case.files, case.opened, reader), tmp_path)


@pytest.mark.slow
def test_the_command_replays_a_case():
    command = [sys.executable, "-m", "nightly.fuzz_readers", "--kind", "headers"]
    folder = Path(__file__).parent.parent
    for arguments, expected in ((["--case", "7 3"], "no fault"), (["--count", "2"], '"failures": 0')):
        ran = subprocess.run(
            [*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert expected in ran.stdout
