"""Keeps the C library from handing large blocks back to the kernel where they are taken again at once.

XLA on a CPU allocates the scratch space of every run of a compiled function afresh (hundreds of megabytes for a training step), and NumPy
that of every step of a picture. glibc maps such blocks and unmaps them again, so that each time every page is zeroed anew: about a tenth
of the gradient of a ViT-B/16 tower, and a quarter of what several threads need for pictures of a megabyte, as they wait for each other.
"""

from __future__ import annotations

import ctypes
import platform

# From glibc's malloc.h: one arena for all threads, no mapping of single blocks, no trimming of what is free.
_ONE_ARENA, _NO_MAPPED_BLOCKS, _NO_TRIMMING = (-8, 1), (-4, 0), (-1, -1)


def keep_freed_pages() -> bool:
    """Call it before threads are started. Gives whether anything was changed: only glibc can be told."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return sum(mallopt(name, value) for name, value in (_ONE_ARENA, _NO_MAPPED_BLOCKS, _NO_TRIMMING)) == 3
