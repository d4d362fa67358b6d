"""A memory-mapped reader of safetensors files that trusts nothing in their headers.

The format is eight bytes (little-endian length N), N bytes of JSON `{name: {dtype, shape,
data_offsets}}`, and the data. It is parsed here, and not by the library, so that tensors can be
views of the file: a query then touches only the pages it needs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paperclip_cli.errors import PaperclipError

MAX_HEADER = 100_000_000
_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "BOOL": 1}
_SIZES |= {f"{sign}{8 * size}": size for sign in "IU" for size in (1, 2, 4, 8)}


class Entry(NamedTuple):
    """A tensor's entry in the header: its type, its shape, and its first byte after the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int


class TensorFile:
    """The tensors of a safetensors file.

    Floats of any width are read as float32; those that are float32 are views of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._bytes = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise PaperclipError(
                f"{path} cannot be read ({error})", "download the file again"
            ) from error
        self._entries, self._data = _parse(path, self._bytes)

    def names(self) -> frozenset[str]:
        return frozenset(self._entries)

    def entry(self, name: str) -> Entry:
        """The header's entry of a tensor. KeyError where there is none of that name."""
        return self._entries[name]

    def bytes_of(self, entry: Entry) -> np.ndarray:
        """The bytes of a tensor as they are in the file, uint8 [n]."""
        return self._data[entry.start : entry.start + math.prod(entry.shape) * _SIZES[entry.dtype]]

    def read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """A float32 tensor of the expected shape; it may be a read-only view of the file."""
        stored, dtype = self._stored(name, shape)
        return _as_float32(stored, dtype)

    def rows(self, name: str, shape: tuple[int, ...], index: np.ndarray) -> np.ndarray:
        """Some rows of a tensor, float32. Only their pages of the file are touched."""
        stored, dtype = self._stored(name, shape)
        return _as_float32(stored[index], dtype)

    def _stored(self, name: str, shape: tuple[int, ...]) -> tuple[np.ndarray, str]:
        entry = self._checked(name, shape)
        count = math.prod(shape)
        stored = np.frombuffer(self._data, _FLOATS[entry.dtype], count, entry.start)
        return stored.reshape(shape), entry.dtype

    def _checked(self, name: str, shape: tuple[int, ...]) -> Entry:
        hint = "the weights do not belong to the config.json beside them, or the file is damaged"
        if name not in self._entries:
            raise PaperclipError(
                f"{self.path}: tensor {name} is missing (expected shape {list(shape)})", hint
            )
        entry = self._entries[name]
        if entry.shape != shape:
            raise PaperclipError(
                f"{self.path}: tensor {name} has shape {list(entry.shape)}, expected {list(shape)}",
                hint,
            )
        if entry.dtype not in _FLOATS:
            raise PaperclipError(
                f"{self.path}: tensor {name} holds {entry.dtype}, expected floats", hint
            )
        return entry


def write_some(source: TensorFile, path: Path, names: Iterable[str]) -> None:
    """Writes a safetensors file with some tensors of another, byte for byte."""
    header, offset = {}, 0
    entries = {name: source.entry(name) for name in sorted(names)}
    for name, entry in entries.items():
        size = math.prod(entry.shape) * _SIZES[entry.dtype]
        header[name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size

    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for entry in entries.values():
            file.write(source.bytes_of(entry))


def _as_float32(stored: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "BF16":  # bfloat16 is the upper half of a float32
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float32, copy=False)


def _parse(path: Path, data: np.ndarray) -> tuple[dict[str, Entry], np.ndarray]:
    try:
        length = int.from_bytes(data[:8].tobytes(), "little")
        if data.size < 8 or not 0 < length <= min(MAX_HEADER, data.size - 8):
            raise ValueError(f"header of {length} bytes in a file of {data.size}")
        header = json.loads(data[8 : 8 + length].tobytes())
        body = data[8 + length :]
        tensors = {name: values for name, values in header.items() if name != "__metadata__"}
        return {name: _entry(name, values, body.size) for name, values in tensors.items()}, body
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PaperclipError(
            f"{path} is not a valid safetensors file ({error})", "download the file again"
        ) from error


def _entry(name: str, values: dict, available: int) -> Entry:
    shape, (start, stop) = tuple(values["shape"]), values["data_offsets"]
    whole = all(type(number) is int and number >= 0 for number in (*shape, start, stop))
    if not whole or stop > available or stop - start != math.prod(shape) * _SIZES[values["dtype"]]:
        raise ValueError(
            f"tensor {name!r} of {values['dtype']} {list(shape)} "
            f"at bytes {start} to {stop} of {available}"
        )
    return Entry(values["dtype"], shape, start)
