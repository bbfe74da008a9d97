"""Run as a program under tests/helpers/faults.c: every output of the package written, with a fault at every call.

A process is forked for each call of the system, which a run without faults counts. Prints one JSON object: for each
output and each fault a list of [call, exit code, state, files left, clean after the next run].
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import sys
from pathlib import Path

import numpy as np

import rebasin_fast as rf
from rebasin_fast._terminal import signals
from rebasin_fast.evaluation.curve import LossCurve
from rebasin_fast.files import atomic_write, load_permutation, save_permutation, together
from rebasin_fast.files.errors import MissingFileError
from rebasin_fast.files.writing.journal import finish_interrupted

FAULTS = {
    "kill": -1, "SIGINT": -2, "SIGTERM": -3, "EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EACCES": errno.EACCES,
}  # fmt: skip
FINISHED, AT_NONE, REFUSED, SIGNALLED, WRONG = 6, 0, 7, 5, 8
OLD, NEW = ({"w": np.arange(6.0) + shift, "v": np.ones(3) * shift} for shift in (1.0, 2.0))

layer = ctypes.CDLL(None)


def same(found, params):
    return set(found) == set(params) and all(np.array_equal(found[name], params[name]) for name in params)


def labelled(found):
    return "old" if same(found, OLD) else "new" if same(found, NEW) else "a mixture"


class Output:
    """One kind of output in a folder of its own: written with old or new contents, and read."""

    names: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def write(self, params) -> None:
        raise NotImplementedError

    def state(self) -> str:
        raise NotImplementedError


class Model(Output):
    """A single file."""

    def __init__(self, folder, suffix):
        super().__init__(folder)
        self.path = folder / f"model{suffix}"

    def write(self, params):
        rf.save_params(self.path, params, overwrite=True)

    def state(self):
        return labelled(rf.load_params(self.path, library="numpy")) if self.path.exists() else "none"


class Set(Output):
    """A folder of shards with an index."""

    def __init__(self, folder, like=None):
        super().__init__(folder)
        self.path = folder / "set"
        like = like or folder.with_name("like")
        like.mkdir()
        for name, array in OLD.items():
            rf.save_params(like / f"{name}.safetensors", {name: array})
        weight_map = {name: f"{name}.safetensors" for name in OLD}
        (like / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
        (like / "config.json").write_text("{}")
        self.like = rf.load_params(like, library="numpy")

    def write(self, params):
        rf.save_params(self.path, params, like=self.like, overwrite=True)

    def state(self):
        return labelled(rf.load_params(self.path, library="numpy")) if self.path.exists() else "none"


class State(Output):
    """A state file: of a result, as those of checkpoints."""

    def __init__(self, folder):
        super().__init__(folder)
        self.path = folder / "curve.npz"

    def write(self, params):
        LossCurve(np.arange(6.0), {"loss": params["w"]}).save(self.path, overwrite=True)

    def state(self):
        if not self.path.exists():
            return "none"
        values = LossCurve.load(self.path).values["loss"]
        return (
            "old"
            if np.array_equal(values, OLD["w"])
            else "new"
            if np.array_equal(values, NEW["w"])
            else "a mixture"
        )


class Together(Output):
    """Permutation, report and model of one command."""

    def __init__(self, folder):
        super().__init__(folder)
        self.paths = [folder / name for name in ("permutation.npz", "report.html", "model.npz")]

    def write(self, params):
        permutation, report, model = self.paths
        order = np.arange(6) if params is OLD else np.arange(6)[::-1]
        with together():
            save_permutation(permutation, {"P": order}, overwrite=True)
            with atomic_write(report, overwrite=True, text=True) as page:  # as write_report does
                page.write(f"{labelled(params)} </html>")
            rf.save_params(model, params, overwrite=True)

    def state(self):
        permutation, report, model = self.paths
        states = ["none"] * 3
        if any(path.exists() for path in self.paths):
            finish_interrupted(self.folder)  # as every reading and writing does
        if permutation.exists():
            states[0] = "old" if load_permutation(permutation).permutation["P"][0] == 0 else "new"
        if report.exists():
            page = report.read_text(encoding="utf-8")
            states[1] = page.split()[0] if page.endswith("</html>") else "a part"
        if model.exists():
            states[2] = labelled(rf.load_params(model, library="numpy"))
        return states[0] if len(set(states)) == 1 else ", ".join(states)


class ThreePlaces(Output):
    """A transform in one folder, a file of weights in a second, a set of files in a third."""

    def __init__(self, folder):
        super().__init__(folder)
        self.set = Set(folder / "models", folder.with_name("three_like"))
        self.paths = [folder / "one" / "permutation.npz", folder / "two" / "normal.npz"]

    def write(self, params):
        for path in self.paths:
            path.parent.mkdir(exist_ok=True)
        self.set.folder.mkdir(exist_ok=True)
        permutation, normal = self.paths
        with together():
            save_permutation(permutation, {"P": np.arange(6)[:: 1 if params is OLD else -1]}, overwrite=True)
            rf.save_params(normal, params, overwrite=True)
            self.set.write(params)

    def state(self):
        """Each part read, whether it is there or not; first the one that does not decide."""
        permutation, normal = self.paths
        states = ["none"] * 3
        with contextlib.suppress(MissingFileError):
            states[1] = labelled(rf.load_params(normal, library="numpy"))
        with contextlib.suppress(MissingFileError):
            states[0] = "old" if load_permutation(permutation).permutation["P"][0] == 0 else "new"
        with contextlib.suppress(MissingFileError):
            states[2] = labelled(rf.load_params(self.set.path, library="numpy"))
        return states[0] if len(set(states)) == 1 else ", ".join(states)


def child(output, at, action):
    heard = signals.Heard()
    try:
        with signals.raised(heard):
            layer.faults_arm(os.fsencode(output.folder), at, action)
            output.write(NEW)
            seen = layer.faults_disarm()
        code = FINISHED if seen >= at else AT_NONE
    except rf.RebasinError:
        code = REFUSED
    except (KeyboardInterrupt, signals.Terminated):
        code = SIGNALLED
    except BaseException as error:
        sys.stderr.write(f"{type(output).__name__} {at} {action}: {error!r}\n")
        code = WRONG
    layer.faults_disarm()
    os._exit(code)


def plain_names(folder):
    """The files, shards by one name: they take turns with names of `.alt`."""
    return sorted(str(path.relative_to(folder)).replace(".alt.", ".") for path in folder.rglob("*"))


def temporary(folder):
    return list(folder.rglob("*.tmp"))


def history(output, action, *, existing):
    """Until a run in which the call is not reached."""
    found = []
    output.write(OLD)
    whole = plain_names(output.folder)
    for at in range(1, 1000):
        if existing:
            output.write(OLD)
        else:
            remove_all(output.folder)
        process = os.fork()
        if process == 0:
            child(output, at, action)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        state, left = output.state(), temporary(output.folder)
        for path in left:
            os.utime(path, (0, 0))
        output.write(NEW)
        is_clean = output.state() == "new" and plain_names(output.folder) == whole
        found.append([code, state, len(left), is_clean])
        if code == AT_NONE:
            return found
    raise RuntimeError("there is no end to the calls")


def remove_all(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def faults_of(kind, existing):
    """All of them on a single file; what differs for others."""
    if kind == ".npz":
        return list(FAULTS)
    if kind in ("set", "together", "three places"):
        return ["kill", "SIGINT", "EIO"] if existing else ["kill", "SIGTERM"]
    return ["kill", "SIGINT", "ENOSPC"] if existing else []


def main(folder, *kinds):
    made = {
        **{suffix: lambda folder, suffix=suffix: Model(folder, suffix) for suffix in (".npz", ".safetensors", ".pt")},
        "set": Set, "state": State, "together": Together, "three places": ThreePlaces,
    }  # fmt: skip
    results = {}
    for number, kind in enumerate(kinds):
        output = made[kind](Path(folder, str(number)))
        for existing in (True, False):
            for fault in faults_of(kind, existing):
                key = f"{kind} {fault} {'replaced' if existing else 'new'}"
                results[key] = history(output, FAULTS[fault], existing=existing)
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
