"""Files of safetensors: zeros of every type are counted off the bits, and what is broken is told in one line."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from bisparse.configs.errors import CaptureError
from bisparse.training.own_weights import load_weights


def written(path, tensors, metadata=None):
    """Tensors as name: (type, shape, bytes)."""
    header, data = ({} if metadata is None else {"__metadata__": metadata}), b""
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


SINGLE = np.array([0.0, -0.0, 1.5, -2.0, 1e-40, 0.0], dtype="<f4")
BITS = {
    "F64": SINGLE.astype("<f8").tobytes(),
    "F32": SINGLE.tobytes(),
    # The smallest number of each type in the place of what it does not hold.
    "F16": np.array([0, 0x8000, 0x3E00, 0xC000, 1, 0], dtype="<u2").tobytes(),
    "BF16": np.array([0, 0x8000, 0x3FC0, 0xC000, 1, 0], dtype="<u2").tobytes(),
    "F8_E4M3": bytes([0, 0x80, 0x3C, 0xC0, 1, 0]),
    "F8_E5M2": bytes([0, 0x80, 0x3E, 0xC0, 1, 0]),
    "I8": bytes([0, 0, 255, 3, 128, 0]),
    "U16": np.array([0, 0, 1, 2, 65535, 0], dtype="<u2").tobytes(),
    "I64": np.array([0, 0, -1, 2, -(2**63), 0], dtype="<i8").tobytes(),
    "BOOL": bytes([0, 0, 1, 1, 1, 0]),
}


@pytest.mark.parametrize("kind", BITS)
def test_zeros_of_every_type_are_found(tmp_path, kind):
    file = written(tmp_path / "w.safetensors", {"pad": ("U8", [1], b"\1"), "w": (kind, [2, 3], BITS[kind])}, {"a": "b"})
    held = load_weights(file).tensors
    assert list(held) == ["pad", "w"]
    assert held["w"].nonzero().tolist() == [[False, False, True], [True, True, False]]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("F32", np.array([1, np.nan], dtype="<f4").tobytes()),
        ("F64", np.array([-np.inf, 0], dtype="<f8").tobytes()),
        ("F16", np.array([0x7E00, 0], dtype="<u2").tobytes()),
        ("BF16", np.array([0xFF80, 0], dtype="<u2").tobytes()),
        ("F8_E4M3", bytes([0xFF, 0])),
        ("F8_E5M2", bytes([0x7C, 0])),
    ],
)
def test_what_is_no_number_is_refused_with_file_and_tensor(tmp_path, kind, content):
    held = load_weights(written(tmp_path / "w.safetensors", {"w": (kind, [2], content)})).tensors["w"]
    with pytest.raises(CaptureError, match=r"w\.safetensors: w: got 1 of 2 values that are not finite"):
        held.nonzero()


def test_the_largest_finite_numbers_are_numbers(tmp_path):
    tensors = {
        "f16": ("F16", [1], struct.pack("<H", 0x7BFF)),
        "bf16": ("BF16", [1], struct.pack("<H", 0x7F7F)),
        "e4m3": ("F8_E4M3", [1], bytes([0x7E])),
        "e5m2": ("F8_E5M2", [1], bytes([0xFB])),
        "f32": ("F32", [1], np.array([np.finfo("f4").max], dtype="<f4").tobytes()),
    }
    for held in load_weights(written(tmp_path / "w.safetensors", tensors)).tensors.values():
        assert held.nonzero().all()


def test_empty_and_lonely_tensors(tmp_path):
    tensors = {"none": ("F32", [0, 4], b""), "one": ("F32", [], np.float32(3).tobytes())}
    held = load_weights(written(tmp_path / "w.safetensors", tensors)).tensors
    assert held["none"].nonzero().shape == (0, 4)
    assert held["one"].nonzero().shape == ()


def test_a_type_that_nobody_counts_is_told_when_it_is_needed(tmp_path):
    file = written(tmp_path / "w.safetensors", {"w": ("F4", [4], b"\1\1"), "v": ("F32", [1], b"\0\0\0\0")})
    held = load_weights(file).tensors
    assert not held["v"].nonzero().any()
    with pytest.raises(CaptureError, match="w: got values of type F4, need one of F64"):
        held["w"].nonzero()


def header(document):
    text = json.dumps(document).encode()
    return struct.pack("<Q", len(text)) + text


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "got 0 bytes that do not begin as safetensors do"),
        (b"\1\2\3", "got 3 bytes that do not begin"),
        (struct.pack("<Q", 2**63) + b"{}", "got 10 bytes that do not begin"),
        (struct.pack("<Q", 2) + b"{]", "got a header that is no JSON"),
        (struct.pack("<Q", 2) + b"\xff\xfe", "got a header that is no JSON"),
        (struct.pack("<Q", 4) + b"[[]]", "got a header that is list, need an object"),
        (struct.pack("<Q", 200) + b"[" * 100 + b"]" * 100, "got values nested too deeply"),
        (header({}), "got no tensors, need some"),
        (header({"__metadata__": {"a": "b"}}), "got no tensors, need some"),
        (header({"w": ONE}) + b"\0" * 7, "got w to end at byte"),
        (header({"w": {**ONE, "shape": [3]}}) + b"\0" * 8, r"got w in 8 bytes, need 12 of F32 \[3\]"),
        (header({"w": {**ONE, "shape": [-2]}}) + b"\0" * 8, "got w of shape"),
        (header({"w": {**ONE, "shape": [2**70, 0]}}) + b"\0" * 8, "got w in 8 bytes, need 0 of F32"),
        (header({"w": {**ONE, "data_offsets": [8, 0]}}) + b"\0" * 8, "need whole numbers that rise"),
        (header({"w": {**ONE, "data_offsets": [0, True]}}) + b"\0" * 8, "need whole numbers that rise"),
        (header({"w": {**ONE, "data_offsets": [0]}}), "got w without dtype, shape or data_offsets"),
        (header({"w": 3}), "got w without dtype, shape or data_offsets"),
        (header({"w": {**ONE, "dtype": 3}}), "got w with a dtype or shape of the wrong type"),
    ],
)
def test_what_is_broken_is_one_line(tmp_path, content, told):
    file = tmp_path / "w.safetensors"
    file.write_bytes(content)
    with pytest.raises(CaptureError, match=told) as refused:
        load_weights(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert "\n" not in str(refused.value)
