"""One program on one pair in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

RUN = Path(__file__).with_name("run.py")


def run_apart(
    job: str, seed: int, program: str, *options: str, package: Path | None = None
) -> dict[str, Any]:
    """Return the record that ``run.py`` prints; ``package`` is the folder of another build of rebasin_fast."""
    environment = dict(os.environ)
    if package is not None:
        paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment |= {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(RUN), "--job", job, "--seed", str(seed), "--program", program, *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    record: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return record
