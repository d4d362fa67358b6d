"""Safetensors files, good and hostile."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers.safetensors import TensorFile


def raw(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with any header, valid or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype: str = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "wide": rng.normal(size=(3, 4)).astype(np.float32),
        "half": rng.normal(size=(5,)).astype(np.float16),
        "double": rng.normal(size=(2, 1, 2)),
        "scalar": np.asarray(2.5, np.float32),
        "none": np.zeros((0, 3), np.float32),
    }
    save_file(arrays, tmp_path / "x.safetensors", metadata={"format": "pt"})
    file = TensorFile(tmp_path / "x.safetensors")
    assert file.names() == arrays.keys()
    for name, array in arrays.items():
        found = file.read(name, array.shape)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, array.astype(np.float32))
    np.testing.assert_array_equal(
        file.rows("wide", (3, 4), np.array([[2, 0], [1, 1]])), arrays["wide"][[[2, 0], [1, 1]]]
    )


def test_float32_is_a_read_only_view_of_the_file(tmp_path: Path) -> None:
    save_file({"a": np.arange(6, dtype=np.float32)}, tmp_path / "x.safetensors")
    found = TensorFile(tmp_path / "x.safetensors").read("a", (6,))
    assert not found.flags.owndata and not found.flags.writeable


def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path: Path) -> None:
    wanted = np.array([1.0, -2.5, 3.140625, 1e30, 0.0], np.float32)
    upper = (wanted.view(np.uint32) >> 16).astype("<u2")
    (tmp_path / "x").write_bytes(raw(entry("BF16", (5,), (0, 10)), upper.tobytes()))
    expected = (upper.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(TensorFile(tmp_path / "x").read("a", (5,)), expected)
    np.testing.assert_allclose(expected, wanted, rtol=2**-7)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        raw(b"{"),
        raw(b"[]"),
        raw(b"{}", length=10**6),
        raw(b"{}", length=2**63),
        raw(b"\xff\xfe"),
        raw(b"[" * 100_000),
        raw({"a": 1}),
        raw({"a": {}}),
        raw(entry("F128"), bytes(8)),
        raw(entry("F32", (2,), (0, 8)), bytes(7)),
        raw(entry(shape=(3,)), bytes(8)),
        raw(entry(shape=(-1, -2)), bytes(8)),
        raw(entry(offsets=(-8, 0)), bytes(8)),
        raw(entry(offsets=(8, 0)), bytes(8)),
        raw(entry(offsets=(0, 8, 9)), bytes(8)),
        raw(entry(shape=(2.0,)), bytes(8)),
        raw(entry(shape=(True, 2)), bytes(8)),
        raw(entry(shape=(2**40, 2**40)), bytes(8)),
        raw(entry(shape="ab"), bytes(8)),
        raw(entry(shape=None), bytes(8)),
        raw(entry(dtype=None), bytes(8)),
        raw(entry(dtype=["F32"]), bytes(8)),
    ],
)
def test_a_hostile_header_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(PaperclipError) as raised:
        TensorFile(tmp_path / "model.safetensors")
    message = raised.value.message
    assert "model.safetensors" in message and "\n" not in message and len(message) < 500


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_no_bytes_do_more_than_raise_our_error(
    tmp_path_factory: pytest.TempPathFactory, header: bytes, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("raw") / "x"
    path.write_bytes(raw(header, data))
    try:
        file = TensorFile(path)
    except PaperclipError:
        return
    assert isinstance(file.names(), frozenset)


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        ("b", (2,), "tensor b is missing (expected shape [2])"),
        ("a", (2, 2), "tensor a has shape [4], expected [2, 2]"),
        ("n", (2,), "tensor n holds I64, expected floats"),
    ],
)
def test_a_tensor_that_is_not_as_expected_is_named_with_both_shapes(
    name: str, shape: tuple, says: str, tmp_path: Path
) -> None:
    save_file({"a": np.zeros(4, np.float32), "n": np.zeros(2, np.int64)}, tmp_path / "x")
    with pytest.raises(PaperclipError) as raised:
        TensorFile(tmp_path / "x").read(name, shape)
    assert says in raised.value.message and raised.value.hint
