"""A command's time, and the most private memory that it held; mapped files do not count as private."""

import resource
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_PERIOD = 0.02  # seconds between two looks


@dataclass(frozen=True)
class Usage:
    """What one run of a command took; ``output`` is its standard output."""

    seconds: float
    private_bytes: int
    output: str
    processor_seconds: float


def run_measured(command: list[str]) -> Usage:
    """Run ``command`` to its end, looking at its anonymous resident memory (Linux) all the while.

    Raises subprocess.CalledProcessError where it fails.
    """
    started, processor_before = time.perf_counter(), _processor_seconds_of_children()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        most = _Most(process.pid)
        watcher = threading.Thread(target=most.watch, args=(process,), daemon=True)
        watcher.start()
        output, _ = process.communicate()
        watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    seconds, processor = time.perf_counter() - started, _processor_seconds_of_children() - processor_before
    return Usage(seconds, most.value, output, processor)


def _processor_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Most:
    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self.value = 0

    def watch(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            self.value = max(self.value, self._private_bytes())
            time.sleep(_PERIOD)

    def _private_bytes(self) -> int:
        try:
            lines = self._status.read_text(encoding="ascii").splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon:"))


class PeakRise:
    """By how many bytes the peak of this process's resident memory rises over what it holds at the start (Linux)."""

    bytes: int = 0

    def __enter__(self) -> "PeakRise":
        """Forget the peak so far."""
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._held = _own_status("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        """Look at the peak since."""
        self.bytes = _own_status("VmHWM") - self._held


def _own_status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{field}:"))
