"""Arrays in `.npy` files, written and read by rows and never mapped into memory.

The pages of a mapped file count as memory of the process that touched them, and SLURM ends a job
that has more of them than it asked for. A read leaves them to the system, which takes them back.
"""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import replacing


@dataclass(frozen=True, kw_only=True)
class StoredArray:
    """An array in an open file, whose rows are read when they are asked for.

    They begin at byte `begin`. The array outlives the removal of the file.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    handle: int
    begin: int

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Successive rows, as of an array."""
        first, stop, _ = rows.indices(len(self))
        found = np.empty((max(0, stop - first), *self.shape[1:]), self.dtype)
        self._read(found, first)
        return found

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Any rows, int [B], in this order."""
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for place, row in enumerate(rows.tolist()):
            self._read(found[place : place + 1], row)
        return found

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def _read(self, into: np.ndarray, row: int) -> None:
        """Reads as many rows as `into` has, from a row on."""
        left = memoryview(into.reshape(-1).view(np.uint8))
        place = self.begin + row * math.prod(self.shape[1:]) * self.dtype.itemsize
        while left:  # a single read ends at 2 GB
            count = os.preadv(self.handle, [left], place)
            if not count:
                raise PaperclipError(f"{self.path} was cut", "remove it, and it is made again")
            left, place = left[count:], place + count


def open_array(path: Path) -> StoredArray | None:
    """The array in a file that `new_array` made; None where there is none, or no whole one."""
    try:
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                return None
            shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
            size = file.tell() + math.prod(shape) * dtype.itemsize
            if by_columns or dtype.hasobject or os.fstat(file.fileno()).st_size != size:
                return None
            found = StoredArray(
                path=path, shape=shape, dtype=dtype, handle=os.dup(file.fileno()), begin=file.tell()
            )
    except (OSError, ValueError):
        return None
    weakref.finalize(found, os.close, found.handle)
    return found


@contextmanager
def new_array(
    path: Path, dtype: type, shape: tuple[int, ...]
) -> Iterator[Callable[[np.ndarray], None]]:
    """Yields a function that appends rows to an array, which becomes `path` if the block ends well.

    All rows of `shape` must be appended.
    """
    row, kind = shape[1:], np.dtype(dtype)
    header = {"descr": kind.str, "fortran_order": False, "shape": shape}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        size = file.tell() + math.prod(shape) * kind.itemsize

        def append(rows: np.ndarray) -> None:
            if rows.shape[1:] != row or rows.dtype != kind:
                raise ValueError(f"rows {rows.dtype} {rows.shape} for {kind} {shape}")
            file.write(np.ascontiguousarray(rows).data)

        yield append
        if file.tell() != size:
            raise ValueError(f"{path} has {file.tell()} bytes after all rows, and not {size}")
