"""A file appears whole or not at all, even if its writer fails."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast.files import (
    OutputExistsError,
    UnwritableOutputError,
    atomic_write,
    check_output,
    check_writable,
)


def run(code: str, *arguments: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )


def test_nothing_is_there_before_the_end(tmp_path):
    path = tmp_path / "out.bin"
    with atomic_write(path) as file:
        file.write(b"abc")
        assert not path.exists()
    assert path.read_bytes() == b"abc"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_the_new_file_has_the_mode_of_any_file(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    with atomic_write(tmp_path / "ours") as file:
        file.write(b"x")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "usual").stat().st_mode
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("x"), SystemExit(3), MemoryError()])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")

    def write_and_fail() -> None:
        with atomic_write(path, overwrite=True) as file:
            file.write(b"new" * 1_000_000)
            raise error

    with pytest.raises(type(error)):
        write_and_fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.bin"]


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_ctrl_c_in_the_middle_loses_nothing(tmp_path, monkeypatch, suffix, failure):
    if suffix == ".pt":
        pytest.importorskip("torch")
    path = tmp_path / f"out{suffix}"
    rf.save_params(path, {"w": np.zeros(4)})
    before = path.read_bytes()

    def fail(_):
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    expected = UnwritableOutputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        rf.save_params(path, {"w": np.ones(4)}, overwrite=True)
    if isinstance(failure, OSError):
        assert "no space is left" in str(caught.value)
        assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the device exists on Linux only")
@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt"])
def test_a_device_without_space(tmp_path, monkeypatch, suffix):
    if suffix == ".pt":
        pytest.importorskip("torch")
    true_open = os.open

    def open_full(path, flags, mode=0o777):
        if str(path).endswith(".tmp") and flags & os.O_CREAT:
            true_close = true_open(path, flags, mode)
            os.close(true_close)
            return true_open("/dev/full", os.O_RDWR)
        return true_open(path, flags, mode)

    params = {"w": np.zeros(1 << 19)}
    monkeypatch.setattr(os, "open", open_full)
    with pytest.raises(UnwritableOutputError, match="no space is left"):
        rf.save_params(tmp_path / f"out{suffix}", params)
    assert os.listdir(tmp_path) == []


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.safetensors"
    rf.save_params(path, {"w": np.arange(4.0)})
    before = path.read_bytes()
    writer = run(
        """
        import sys, time
        from rebasin_fast.files import atomic_write
        with atomic_write(sys.argv[1], overwrite=True) as file:
            file.write(b"x" * (4 << 20))
            print("half", flush=True)
            time.sleep(60)
        """,
        path,
    )
    assert writer.stdout.readline() == b"half\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert path.read_bytes() == before
    assert np.array_equal(rf.load_params(path)["w"], np.arange(4.0))
    rf.save_params(path, {"w": np.ones(4)}, overwrite=True)
    assert np.array_equal(rf.load_params(path)["w"], np.ones(4))


TWO_WRITERS = """
    import sys
    from rebasin_fast.files import OutputExistsError, atomic_write
    path, letter, overwrite = sys.argv[1], sys.argv[2].encode(), sys.argv[3] == "yes"
    try:
        with atomic_write(path, overwrite=overwrite) as file:
            file.write(letter * (1 << 20))
            print("ready", flush=True)
            sys.stdin.readline() if sys.stdin else None
            file.write(letter * (1 << 20))
        print("won", flush=True)
    except OutputExistsError:
        print("refused", flush=True)
    """


@pytest.mark.parametrize("overwrite", ["no", "yes"])
def test_two_writers_at_once(tmp_path, overwrite):
    path = tmp_path / "out.bin"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(TWO_WRITERS), str(path), letter, overwrite],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        for letter in "ab"
    ]
    for writer in writers:
        assert writer.stdout.readline() == b"ready\n"
    outcomes = [writer.communicate(b"\n")[0].strip() for writer in writers]
    data = path.read_bytes()
    assert len(data) == 2 << 20
    assert len(set(data)) == 1
    assert outcomes == ([b"won", b"won"] if overwrite == "yes" else [b"won", b"refused"])
    assert os.listdir(tmp_path) == ["out.bin"]


def test_a_file_system_without_hard_links(tmp_path, monkeypatch):
    def no_links(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with atomic_write(tmp_path / "a", text=True) as file:
        file.write("ä")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "ä"
    with pytest.raises(OutputExistsError), atomic_write(tmp_path / "b") as file:
        (tmp_path / "b").write_bytes(b"the other's")
    assert (tmp_path / "b").read_bytes() == b"the other's"


def test_existing_output_is_refused_before_anything_is_done(tmp_path):
    path = tmp_path / "out.npz"
    path.write_bytes(b"precious")
    for refused in (
        lambda: check_writable(path),
        lambda: check_output(path),
        lambda: rf.save_params(path, {"w": np.ones(2)}),
    ):
        with pytest.raises(FileExistsError, match="--force") as caught:
            refused()
        assert isinstance(caught.value, rf.errors.RebasinError)
        assert caught.value.errno == errno.EEXIST
    assert path.read_bytes() == b"precious"
    check_writable(path, overwrite=True)


def test_unwritable_outputs_are_found_early(tmp_path, monkeypatch):
    with pytest.raises(UnwritableOutputError, match="mkdir -p"):
        check_writable(tmp_path / "missing" / "out.npz")
    with pytest.raises(UnwritableOutputError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(UnwritableOutputError, match="neither a file nor free"):
        check_writable("/dev/null", overwrite=True)
    with pytest.raises(UnwritableOutputError, match=r"has .* left"):
        check_writable(tmp_path / "out.npz", needed_bytes=1 << 60)
    with pytest.raises(rf.errors.FileFormatError, match=r"\.safetensors"):
        check_output(tmp_path / "out.xyz")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnwritableOutputError):
        check_writable(tmp_path / "file" / "out.npz")
    true_open = os.open

    def denied(path, flags, *rest):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied")
        return true_open(path, flags, *rest)

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(UnwritableOutputError, match="not permitted"):
        check_writable(tmp_path / "out.npz")


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "target").write_bytes(b"target")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OutputExistsError), atomic_write(tmp_path / "link"):
        pass
    with atomic_write(tmp_path / "link", overwrite=True) as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    (tmp_path / "dangling").symlink_to("nowhere")
    with atomic_write(tmp_path / "dangling", overwrite=True) as file:
        file.write(b"new")
    assert (tmp_path / "nowhere").read_bytes() == b"new"


def test_the_mode_of_the_earlier_file_is_kept(tmp_path):
    path = tmp_path / "private"
    for mode in (0o600, 0o640, 0o444):
        path.write_bytes(b"old") if not path.exists() else None
        path.chmod(mode)
        with atomic_write(path, overwrite=True) as file:
            file.write(b"new")
        assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("name", ["fsync", "replace", "link"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ENOSPC, errno.EROFS])
def test_faults_of_the_disk_are_told_and_leave_nothing(tmp_path, monkeypatch, name, code):
    path = tmp_path / "out.npz"
    if name != "link":
        path.write_bytes(b"old")

    def fail(*_args, **_options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, name, fail)
    if name == "link" and code == errno.EACCES:  # a file system without hard links
        rf.save_params(path, {"w": np.ones(2)})
        return
    with pytest.raises(UnwritableOutputError, match=r"cannot write .*out\.npz") as caught:
        rf.save_params(path, {"w": np.ones(2)}, overwrite=True) if name != "link" else rf.save_params(
            path, {"w": np.ones(2)}
        )
    assert caught.value.errno == code
    assert os.listdir(tmp_path) == ([] if name == "link" else ["out.npz"])
    assert name == "link" or path.read_bytes() == b"old"


def test_leftovers_of_killed_writers_are_removed_when_they_are_old(tmp_path):
    old, young = tmp_path / ".a.npz.12-0123abcd.rebasin.tmp", tmp_path / ".b.npz.12-0123abcd.rebasin.tmp"
    other = tmp_path / ".c.npz.tmp"
    folder = tmp_path / ".model.12-0123abcd.rebasin.tmp"
    folder.mkdir()
    for path in (old, young, other, folder / "shard"):
        path.write_bytes(b"half")
    for path in (old, other, folder):
        os.utime(path, (0, 0))
    rf.save_params(tmp_path / "out.npz", {"w": np.ones(2)})
    assert sorted(os.listdir(tmp_path)) == sorted([young.name, other.name, "out.npz"])


def test_overwriting_a_mapped_input_keeps_its_arrays(tmp_path):
    path = tmp_path / "model.safetensors"
    rf.save_params(path, {"w": np.arange(1000.0)})
    params = rf.load_params(path)
    rf.save_params(path, {"w": params["w"] + 1}, overwrite=True)
    assert np.array_equal(params["w"], np.arange(1000.0))
    assert np.array_equal(rf.load_params(path)["w"], np.arange(1000.0) + 1)


def test_names_up_to_the_limit(tmp_path):
    name = "ü" * 127
    with atomic_write(tmp_path / name) as file:
        file.write(b"x")
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_torch_s_own_account_of_a_failed_write_is_not_the_user_s(tmp_path, monkeypatch, failure):
    pytest.importorskip("torch")
    from rebasin_fast.files.torch import watched_file

    class Failing(watched_file.WatchedFile):
        def write(self, data):
            self.failure = failure
            raise failure

    monkeypatch.setattr("rebasin_fast.files.torch.format.WatchedFile", Failing)
    expected = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else UnwritableOutputError
    with pytest.raises(expected):
        rf.save_params(tmp_path / "out.pt", {"w": np.ones(2)})
    assert os.listdir(tmp_path) == []
