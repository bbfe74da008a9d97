"""Files of a few bytes that describe far more: refused in bounded work, whichever part of a reader meets them."""

import functools
import io
import json
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

import rebasin_fast as rf
from rebasin_fast._untrusted import brief, parse_json
from rebasin_fast.errors import FileFormatError, SpecError

pytestmark = pytest.mark.timeout(120)

EMPTY, DOUBLE = b")", b"2\x86"  # the empty tuple; a tuple of the object on the stack, twice
BOMB = EMPTY + DOUBLE * 60  # 2^60 parts by reference
MANY_DIGITS = b"\x8b" + struct.pack("<i", 5000) + b"\x01" * 5000
DEEP = EMPTY + b"\x85" * 5000
GLOBAL = b"ctorch._utils\n_rebuild_tensor_v2\n"
ORDERED = b"ccollections\nOrderedDict\n"
DTYPE = b"cnumpy\ndtype\n"
FRAME = b"cnumpy._core.numeric\n_frombuffer\n"


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def entry(value: bytes) -> bytes:
    """A state dict with one entry."""
    return b"}" + text("w") + value + b"s."


DESCRIPTIONS = {
    "key": b"}" + BOMB + b"Ns.",
    "deep key": b"}" + DEEP + b"Ns.",
    "keys at once": b"}(" + BOMB + b"Nu.",
    "key of a dict by DICT": b"(" + BOMB + b"Nd.",
    "member of a set": b"\x8f(" + BOMB + b"\x90.",
    "member of a frozenset": b"(" + BOMB + b"\x91.",
    "persistent identifier": BOMB + b"Q.",
    "kind of a storage": b"(" + text("storage") + BOMB + text("0") + text("cpu") + b"K\x02tQ.",
    "name of a class": BOMB + BOMB + b"\x93.",
    "function": BOMB + b")R.",
    "class": BOMB + b")\x81.",
    "object of a mark": b"(" + BOMB + b"o.",
    "arguments": entry(GLOBAL + b"(" + BOMB * 4 + b"tR"),
    "arguments as a call": entry(GLOBAL + BOMB + b"R"),
    "calls within calls": entry(b"ctorch._utils\n_rebuild_parameter\n" * 500 + BOMB + b"\x85R" * 500),
    "class of a tensor": entry(b"ctorch._tensor\n_rebuild_from_type_v2\n(" + BOMB * 3 + b"tR"),
    "pairs of an OrderedDict": ORDERED + b"](" + BOMB + b"N\x86e\x85R.",
    "key of an OrderedDict": ORDERED + b")R" + BOMB + b"Ns.",
    "list as a key": b"}]Ns.",
    "number of bytes as a dtype": entry(FRAME + b"(C\x04abcd" + DTYPE + BOMB + b"\x85RK\x01\x85" + text("C") + b"tR"),
    "text of thousands of digits": entry(GLOBAL + b"(NK\x00" + MANY_DIGITS + b"\x85)tR"),
    "too few arguments": entry(GLOBAL + b")R"),
    "half of a pair of surrogates": b"}X\x03\x00\x00\x00\xed\xa0\x80Ns.",
}  # fmt: skip


def torch_file(description: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + description)
        archive.writestr("archive/version", b"3\n")
    return out.getvalue()


@pytest.mark.parametrize("kind", DESCRIPTIONS)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_objects_that_multiply_through_the_memo(tmp_path, kind, library):
    if library == "torch":
        pytest.importorskip("torch")
    path = tmp_path / "bomb.pt"
    path.write_bytes(torch_file(DESCRIPTIONS[kind]))
    with pytest.raises(FileFormatError, match=r"bomb\.pt") as caught:
        dict(rf.load_params(path, library=library))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("kind", ["key", "persistent identifier", "name of a class", "function"])
def test_objects_that_multiply_in_the_older_container(tmp_path, kind):
    path = tmp_path / "bomb.pt"
    path.write_bytes(b"\x80\x02" + DESCRIPTIONS[kind])
    with pytest.raises(FileFormatError, match=r"bomb\.pt"):
        rf.load_params(path)


def test_what_multiplies_beside_the_tensors_is_left_out(tmp_path):
    torch = pytest.importorskip("torch")
    path, bombed = tmp_path / "good.pt", tmp_path / "bombed.pt"
    torch.save({"w": torch.ones(2), "note": ()}, path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(bombed, "w") as out:
        for info in archive.infolist():
            data = archive.read(info)
            if info.filename.endswith("data.pkl"):
                at = data.index(b"note") + 4
                rest = data[at:].lstrip(b"q")[1:] if data[at : at + 1] == b"q" else data[at:]
                assert rest[:1] == EMPTY
                data = data[:at] + BOMB + rest[1:]
            out.writestr(info, data)
    params = rf.load_params(bombed)
    assert list(params) == ["w"]
    assert "nested too deeply" in params.source.left_out["note"]


@pytest.mark.parametrize("flood", [b")", b"]", b"}", b"(", b"N0"])
def test_a_flood_of_instructions_is_cut_off(tmp_path, flood, monkeypatch):
    from rebasin_fast.files.torch import pickle_reader

    monkeypatch.setattr(pickle_reader, "FREE_INSTRUCTIONS", 1000)
    path = tmp_path / "flood.pt"
    path.write_bytes(torch_file(flood * 100_000 + b"."))
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match="instructions"):
            rf.load_params(path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def safetensors_file(header: str | bytes, data: bytes = b"") -> bytes:
    raw = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(raw)) + raw + data


HEADERS = {
    "deep": '{"__metadata__":' + '{"a":' * 200 + "1" + "}" * 201,
    "lists": '{"w":[' + "[]," * 100_000 + "[]]}",
    "many names twice": "{" + ",".join(['"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'] * 5000) + "}",
    "a list of digits": '{"w":{"dtype":"F32","shape":[' + "9" * 5000 + '],"data_offsets":[0,0]}}',
    "half of a pair of surrogates": r'{"\ud800":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
    "a deep element type": '{"w":{"dtype":' + "[" * 40 + "]" * 40 + ',"shape":[0],"data_offsets":[0,0]}}',
}  # fmt: skip


@pytest.mark.parametrize("kind", HEADERS)
def test_headers_that_multiply(tmp_path, kind):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(safetensors_file(HEADERS[kind]))
    with pytest.raises(FileFormatError, match=r"bad\.safetensors") as caught:
        rf.load_params(path)
    assert len(str(caught.value)) < 1000


def test_a_name_given_twice_is_found_in_linear_time():
    pairs = ",".join(f'"n{number}":0' for number in range(100_000))
    with pytest.raises(ValueError, match="'n0' occurs twice"):
        parse_json("{" + pairs + "," + pairs + "}")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "[[[[", "b": ["}", "\\"]"]}',
        r'{"a": "\ud83d\ude00", "b\\ud800": "\\\\"}',
        "[1e5, null, true]",
        "[]",
    ],
)
def test_json_within_the_bounds_is_that_of_the_standard_library(text):
    assert parse_json(text) == json.loads(text)
    assert parse_json(text.encode()) == json.loads(text)


def test_indexes_and_specs_have_the_same_bounds(tmp_path):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text('{"weight_map": ' + "[" * 200 + "]" * 200 + "}")
    with pytest.raises(FileFormatError, match="64 levels"):
        rf.load_params(path)
    spec = '{"format": "rebasin_fast.permutation_spec/1", "axes": {"w": [%s"P"%s]}}'
    with pytest.raises(SpecError, match="64 levels"):
        rf.PermutationSpec.from_json(spec % ('{"joined": ' * 200, "}" * 200))
    with pytest.raises(SpecError, match="text, got NoneType"):
        rf.PermutationSpec.from_json(None)


@pytest.mark.parametrize(
    ("grown", "words"),
    [
        (lambda entry: rf.axis.Concat(entry, entry), "17 levels deep with 131,072 parts"),
        (rf.axis.Concat, "33 levels"),
        (lambda entry: rf.axis.Product(entry, entry), "64 factors"),
        (lambda entry: rf.axis.Product(entry, "Q"), "33 factors"),
        (lambda entry: rf.axis.Product(rf.axis.Concat("P", "Q"), rf.axis.Concat(entry, "R")), r"1,\d\d\d"),
    ],
)
def test_axis_entries_that_nest_without_end(grown, words):
    with pytest.raises(SpecError, match=words):
        functools.reduce(lambda entry, _: grown(entry), range(40), rf.axis.Fixed(1))


def test_a_compressed_array_is_unpacked_into_its_own_memory(tmp_path):
    path = tmp_path / "packed.npz"
    array = np.repeat(np.random.default_rng(0).random(10_000), 400)
    np.savez_compressed(path, w=array)
    params = rf.load_params(path)
    tracemalloc.start()
    try:
        found = params["w"]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found, array)
    assert peak < array.nbytes + (4 << 20)


def test_values_in_messages_are_short():
    shared = ()
    for _ in range(60):
        shared = (shared, shared)
    for value in (
        shared,
        "x" * 10**6,
        10**10_000,
        {1: shared},
        [shared] * 9,
        {1, 2},
        object(),
    ):
        assert len(brief(value)) <= 80
    assert brief({"a": [1, 2]}) == "{'a': [1, 2]}"


# Each was work or memory of the square of its size: the timeout of this file, or the limit, would tell.

STORAGE = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x01tQ"
TENSOR = GLOBAL + b"(" + STORAGE + b"K\x00" + b"K\x01\x85" * 2 + b"\x89N"
FILLED = b"](" + b"N" * 90_000 + b"eq\x00"
KEYS = b"}(" + b"".join(b"J" + struct.pack("<i", key) + b"N" for key in range(90_000)) + b"uq\x00"
BIG_ENDIAN = (
    DTYPE + text(">f4") + b"\x85R(K\x03" + text(">") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


def named(value: bytes, count: int) -> bytes:
    """A dictionary of ``count`` names for values of these instructions."""
    return b"}(" + b"".join(text(f"n{number}") + value for number in range(count)) + b"u."


def array(count: int) -> bytes:
    """The bytes of one array under ``count`` names; each of its own byte order has to be converted."""
    data = (
        b"B"
        + struct.pack("<I", 4 << 20)
        + bytes(4 << 20)
        + b"q\x00"
        + BIG_ENDIAN
        + b"q\x01"
        + FRAME
        + b"q\x02"
    )
    shape = b"J" + struct.pack("<i", 1 << 20) + b"\x85"
    return data + named(b"h\x02(h\x00h\x01" + shape + text("C") + b"tR", count)


SHARED = {
    "the arguments of many calls": (FILLED + GLOBAL + b"q\x01" + b"h\x01h\x00R0" * 20_000 + b".", "no arguments"),
    "the notes of many names": (FILLED + named(b"h\x00", 20_000), "no named tensors"),
    "the dictionary of many names": (KEYS + named(b"h\x00", 20_000), "no named tensors"),
    "the pairs of many dictionaries": (FILLED + named(ORDERED + b"h\x00\x85R", 20_000), "without end"),
    "the bytes of many arrays": (array(90), "far larger"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SHARED)
def test_objects_that_many_others_share(tmp_path, kind):
    path = tmp_path / "shared.pt"
    description, words = SHARED[kind]
    path.write_bytes(torch_file(description))
    with pytest.raises(FileFormatError, match=words):
        dict(rf.load_params(path, library="numpy"))


def test_tensors_that_share_their_arguments_and_notes(tmp_path):
    path = tmp_path / "shared.pt"
    out = io.BytesIO()
    arguments = TENSOR + b"}" + b"N" * 90_000 + b"tq\x00"
    with zipfile.ZipFile(out, "w") as archive:
        body = b"0" * 2 + named(GLOBAL + b"h\x00R", 3000)[:-1]
        archive.writestr(
            "a/data.pkl", b"\x80\x02" + arguments + b"0" + FILLED.replace(b"q\x00", b"q\x01") + body + b"."
        )
        archive.writestr("a/data/0", bytes(4))
    path.write_bytes(out.getvalue())
    assert len(rf.load_params(path, library="numpy")) == 3000


def test_an_archive_of_many_compressed_members_is_listed_once(tmp_path):
    path = tmp_path / "many.npz"
    np.savez_compressed(path, **{f"w{number}": np.full(2, number) for number in range(4000)})
    params = rf.load_params(path)
    assert all(int(params[name][0]) == int(name[1:]) for name in params)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_a_member_that_holds_more_than_it_announces(tmp_path, compression):
    honest, path = np.lib.format, tmp_path / "bomb.npz"
    head = io.BytesIO()
    honest.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (10,)})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.writestr("w.npy", head.getvalue() + bytes(32 << 20))
    data = bytearray(out.getvalue())
    size = struct.pack("<I", len(head.getvalue()) + 40)
    data[22:26] = size
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = size
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match="more than announced"):
            dict(rf.load_params(path))
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("filler", [b"\\\\", b'\\"', b"]", b"x"])
def test_the_structure_of_json_takes_little_memory(filler):
    text = b'{"a": "' + filler * (4 << 20) + b'"}'
    tracemalloc.start()
    try:
        assert len(parse_json(text)["a"]) == 4 << 20
        assert tracemalloc.get_traced_memory()[1] < 12 * len(text)
    finally:
        tracemalloc.stop()


def test_many_unmatched_names_are_compared_in_linear_time():
    names = [f"w{number}" for number in range(20_000)]
    spec = {
        "format": "rebasin_fast.permutation_spec/1",
        "axes": {name: ["P"] for name in names},
        "unmatched": names,
    }
    assert len(rf.PermutationSpec.from_json(json.dumps(spec)).unmatched) == len(names)
