"""A memory-mapped reader of safetensors files that trusts nothing in their headers.

The format is eight bytes (little-endian length N), N bytes of JSON `{name: {dtype, shape,
data_offsets}}`, and the data. It is parsed here, and not by the library, so that tensors can be
views of the file: a query then touches only the pages it needs. A large model may be in several
files (shards), which `TensorFiles` reads as one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from paperclip_cli.errors import PaperclipError

MAX_HEADER = 100_000_000
_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
# Bits of a number of each type. Only those in `_FLOATS` are read.
_BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "BOOL": 8, "C64": 64}
_BITS |= {f"{sign}{2**power}": 2**power for sign in "IU" for power in range(3, 7)}
_BITS |= {"F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8}
_BITS |= {"F6_E2M3": 6, "F6_E3M2": 6, "F4": 4}
_OPEN_CLIP = ("visual.", "transformer.resblocks.", "text.transformer.")  # how its names begin
_QUANTISED = ("F4", "F6", "F8", "I8", "U8")  # how the names of such types begin
AS_BEFORE = "choose the model as it was before it was quantised: float32, float16 or bfloat16"
_HINT = "the weights do not belong to the config.json beside them, or the file is damaged"


class Entry(NamedTuple):
    """A tensor's entry in the header: its type, its shape, and its first byte after the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return math.prod(self.shape) * _BITS[self.dtype] // 8


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

    def bytes_of(self, name: str) -> np.ndarray:
        """The bytes of a tensor as they are in the file, uint8 [n]."""
        entry = self._entries[name]
        return self._data[entry.start : entry.start + entry.size]

    def check(self, name: str, shape: tuple[int, ...]) -> None:
        """PaperclipError unless there is a tensor of that name, with that shape, of floats."""
        self._checked(name, shape)

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
        if name not in self._entries:
            raise _no_tensor(self.path, name, shape, self._entries)
        entry = self._entries[name]
        if entry.shape != shape:
            raise PaperclipError(
                f"{self.path}: tensor {name} has shape {list(entry.shape)}, expected {list(shape)}",
                _HINT,
            )
        if entry.dtype not in _FLOATS:
            named = "fp8, " if entry.dtype.startswith("F8") else ""
            quantised = entry.dtype.startswith(_QUANTISED)
            raise PaperclipError(
                f"{self.path}: tensor {name} holds {named}{entry.dtype}, expected floats of 16 "
                "bits or more",
                AS_BEFORE if quantised else _HINT,
            )
        return entry


class TensorFiles:
    """The tensors of several safetensors files, as of one. `path` is the index that names them."""

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self.path = path
        self._file_of: dict[str, TensorFile] = {}
        for file in map(TensorFile, files):
            for name in file.names():
                if name in self._file_of:
                    raise PaperclipError(
                        f"{path}: tensor {name} is in {self._file_of[name].path.name} and in "
                        f"{file.path.name}",
                        "download the files again",
                    )
                self._file_of[name] = file

    def names(self) -> frozenset[str]:
        return frozenset(self._file_of)

    def entry(self, name: str) -> Entry:
        """As for one file."""
        return self._file_of[name].entry(name)

    def bytes_of(self, name: str) -> np.ndarray:
        """As for one file."""
        return self._file_of[name].bytes_of(name)

    def check(self, name: str, shape: tuple[int, ...]) -> None:
        """As for one file."""
        self._file(name, shape).check(name, shape)

    def read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """As for one file."""
        return self._file(name, shape).read(name, shape)

    def rows(self, name: str, shape: tuple[int, ...], index: np.ndarray) -> np.ndarray:
        """As for one file."""
        return self._file(name, shape).rows(name, shape, index)

    def _file(self, name: str, shape: tuple[int, ...]) -> TensorFile:
        if name not in self._file_of:
            raise _no_tensor(self.path, name, shape, self._file_of)
        return self._file_of[name]


Tensors: TypeAlias = TensorFile | TensorFiles


def _no_tensor(
    path: Path, name: str, shape: tuple[int, ...], there: Iterable[str]
) -> PaperclipError:
    hint = _HINT
    if any(other.startswith(_OPEN_CLIP) for other in there):
        hint = "its tensors have open_clip's names: choose the same model in transformers' layout"
    return PaperclipError(f"{path}: tensor {name} is missing (expected shape {list(shape)})", hint)


def write_some(source: Tensors, path: Path, names: Iterable[str]) -> None:
    """Writes a safetensors file with some tensors of another, byte for byte."""
    header, offset = {}, 0
    entries = {name: source.entry(name) for name in sorted(names)}
    for name, entry in entries.items():
        header[name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [offset, offset + entry.size],
        }
        offset += entry.size

    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in entries:
            file.write(source.bytes_of(name))


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
    bits = math.prod(shape) * _bits(name, values["dtype"]) if whole else 0
    if not whole or stop > available or 8 * (stop - start) != bits:
        raise ValueError(
            f"tensor {name!r} of {values['dtype']} {list(shape)} "
            f"at bytes {start} to {stop} of {available}"
        )
    return Entry(values["dtype"], shape, start)


def _bits(name: str, dtype: object) -> int:
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise ValueError(f"tensor {name!r} of an unknown type {dtype!r}")
    return _BITS[dtype]
