"""Files that change while their arrays are in use: refused with the file's name, never a dead process or a result."""

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast import _core
from rebasin_fast._arrays.derived import DerivedParams
from rebasin_fast.files import ChangedFileError, load_permutation
from rebasin_fast.files.mapping.unchanged import maps_of

guarded = pytest.mark.skipif(
    not _core.mapping_guard_available(), reason="faults of mappings are told by signals"
)

# A child for each case: a fault that nothing guards ends it, and is reported as its signal.
PROGRAM = """
import json, os, pathlib, sys
import numpy as np
import rebasin_fast as rf
from rebasin_fast._arrays.derived import DerivedParams

if sys.argv[2].endswith(".pt"):
    import torch  # once, not in each child

folder, suffix = pathlib.Path(sys.argv[1]), sys.argv[2]
a, b = folder / ("a" + suffix), folder / ("b" + suffix)
spec = rf.specs.mlp(["fc1", "fc2"])
shapes = {"fc1.weight": (256, 300), "fc1.bias": (256,), "fc2.weight": (90, 256), "fc2.bias": (90,)}
small, other = ({n: rng.standard_normal(s).astype("f4") for n, s in shapes.items()}
                for rng in map(np.random.default_rng, (1, 2)))


def write(path, params):
    if suffix == ".packed.npz":
        np.savez_compressed(path, **params)
    elif suffix == ".old.pt":
        tensors = {n: torch.from_numpy(x) for n, x in params.items()}
        torch.save(tensors, path, _use_new_zipfile_serialization=False)
    else:
        rf.save_params(path, params, overwrite=True)


def shorten():
    os.truncate(b, 4096)


def rewrite():
    with open(b, "r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data[::-1])
    os.utime(b, ns=(1, 1))  # another time than before, however coarse the clock is


def rename():
    os.replace(a, b)


def remove():
    b.unlink()


class Once:
    def __init__(self, change):
        self.change = change

    def __call__(self, *_):
        change, self.change = self.change, None
        if change is not None:
            change()


def triggered(params, change):
    once = Once(change)

    def compute(name):
        once()
        return params[name]

    return DerivedParams(params, compute)


def matching(params, once):
    return rf.weight_matching(spec, small, params, progress=once)


def many(params, once):
    return rf.merge_many(spec, [small, params], progress=once)


def applied(params, once):
    swapped = rf.permutation.random_permutation(spec, spec.sizes(small), np.random.default_rng(0))
    rf.apply_permutation(spec, swapped, triggered(params, once))


def merged(params, once):
    rf.interpolate(triggered(small, once), params, 0.5)


def curve(params, once):
    rf.loss_curve(lambda at: {"loss": float(once() or np.sum(np.asarray(at["fc1.weight"])))}, small, params, 3)


def saved(params, once):
    rf.save_params(folder / "out.npz", triggered(params, once))


def accessed(params, once):
    once()
    sum(float(np.sum(np.asarray(array))) for array in params.values())


def child(change, call):
    for path, params in ((a, small), (b, other)):
        write(path, params)
    params = rf.load_params(b)
    try:
        call(params, Once(change))
    except rf.FileFormatError as error:
        wrong = type(error).__name__ != "ChangedFileError" or str(b) not in str(error)
        return 9 if wrong or (folder / "out.npz").exists() or ".tmp" in str(list(folder.iterdir())) else 5
    return 0


found = {}
for call in (matching, saved, accessed, many, applied, merged, curve)[: int(sys.argv[3])]:
    for change in (shorten, rewrite, rename, remove):
        for out in folder.glob("out*"):
            out.unlink()
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(child(change, call))
            except BaseException as error:
                sys.stderr.write(f"{call.__name__} {change.__name__} {error!r}")
                os._exit(8)
        found[f"{call.__name__} {change.__name__}"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps(found))
"""


@guarded
@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "calls"), [(".safetensors", 7), (".npz", 7), (".packed.npz", 3), (".pt", 3), (".old.pt", 3)]
)
def test_a_change_during_a_call_is_an_error_and_another_file_of_that_name_is_none(tmp_path, suffix, calls):
    if suffix.endswith(".pt"):
        pytest.importorskip("torch")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), suffix, str(calls)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert len(found) == 4 * calls
    expected = {case: 5 if case.endswith(("shorten", "rewrite")) else 0 for case in found}
    assert found == expected, ran.stderr


def written(folder, suffix=".safetensors"):
    path = folder / f"model{suffix}"
    rf.save_params(path, {"w": np.arange(100_000.0), "v": np.ones(5)})
    return path


@guarded
def test_a_reading_thread_goes_on_and_the_file_stays_refused(tmp_path):
    path = written(tmp_path)
    params = rf.load_params(path)
    array = params["w"]
    with pytest.raises(
        ChangedFileError, match=r"model.*changed while it was read.*shortened from .* to 4,096"
    ):
        rf.interpolate(cut_by_a_thread(params, path), {"w": array, "v": array[:5]}, 0.5)
    with pytest.raises(ChangedFileError, match="Load it again"):
        rf.interpolate(params, params, 0.5)
    with pytest.raises(ChangedFileError):
        rf.save_params(tmp_path / "out.npz", {"renamed": array[10:]})
    assert not (tmp_path / "out.npz").exists()


def cut_by_a_thread(params, path):
    def compute(name):
        thread = threading.Thread(target=os.truncate, args=(path, 4096))
        thread.start()
        thread.join()
        return params[name]

    return DerivedParams(params, compute)


@guarded
def test_a_part_that_was_missing_for_a_while_is_told(tmp_path):
    path = written(tmp_path)
    before = path.stat()
    params = rf.load_params(path)

    def compute(name):
        data = path.read_bytes()
        os.truncate(path, 4096)
        total = params["w"].sum()  # zeros behind the cut
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return params[name] * total

    params["w"], params["v"]
    with pytest.raises(ChangedFileError, match="a part was missing for a while, or its disk failed"):
        rf.interpolate(DerivedParams(params, compute), {"w": np.ones(100_000), "v": np.ones(5)}, 0.5)


def test_the_error_of_numbers_that_changed_is_the_change(tmp_path):
    path = written(tmp_path)
    params = rf.load_params(path)

    def compute(name):
        os.utime(path, ns=(1, 1))
        raise rf.ParamsError("nonsense")

    with pytest.raises(ChangedFileError, match="rewritten in place") as caught:
        dict(params), rf.interpolate(DerivedParams(params, compute), params, 0.5)
    assert isinstance(caught.value.__cause__, rf.ParamsError)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_the_files_of_arrays_are_known_from_their_memory(tmp_path, library):
    if library == "torch":
        pytest.importorskip("torch")
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path in paths:
        rf.save_params(path, {"w": np.ones((4, 4)), "e": np.ones((0, 3))})
    a, b = (rf.load_params(path, library=library) for path in paths)
    held = dict(b)
    part = {"w": held["w"][1:], "own": np.ones(3), "text": "none"}
    assert [found.path for found in maps_of(a)] == [paths[0]]
    assert [found.path for found in maps_of([part])] == [paths[1]]
    assert {found.path for found in maps_of([DerivedParams(a, a.__getitem__, [a, held])])} == set(paths)
    assert maps_of([{"own": np.ones(3)}, None, "text"]) == []


def test_mappings_are_guarded_as_long_as_their_arrays_live(tmp_path):
    path = written(tmp_path)
    array = rf.load_params(path)["w"]
    assert len(maps_of({"w": array})) == 1
    del array
    assert all(found.path != path for found in maps_of({"w": np.ones(3)}))


def test_a_file_that_changes_while_it_is_opened(tmp_path, monkeypatch):
    path = written(tmp_path, ".npz")

    def meanwhile(*_args):
        os.truncate(path, 300)
        raise ValueError("nonsense")

    monkeypatch.setattr("rebasin_fast.files.numpy_format.checked_shape", meanwhile)
    with pytest.raises(ChangedFileError, match="rewritten in place"):
        rf.load_params(path)


def test_a_compressed_archive_that_is_replaced_is_read_from_the_old_file(tmp_path):
    path, new = tmp_path / "model.npz", tmp_path / "new.npz"
    np.savez_compressed(path, w=np.arange(5000.0))
    params = rf.load_params(path)
    np.savez_compressed(new, w=np.zeros(9))
    os.replace(new, path)
    np.testing.assert_array_equal(params["w"], np.arange(5000.0))


def test_permutation_files_are_read_whole(tmp_path):
    path = tmp_path / "p.npz"
    from rebasin_fast.files import save_permutation

    save_permutation(path, {"P": [2, 0, 1]})
    found = load_permutation(path).permutation
    os.truncate(path, 3)
    assert found["P"].tolist() == [2, 0, 1]
