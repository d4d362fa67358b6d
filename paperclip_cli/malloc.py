"""Allocator settings for programs that allocate hundreds of megabytes again and again.

XLA does so for every run of a compiled function on a CPU, and NumPy for pictures. glibc maps such
blocks and unmaps them again, so every page is zeroed anew each time. That costs about a tenth of
the gradient of a ViT-B/16 tower, and a quarter of the time that several threads need for pictures
of a megabyte, because they wait for each other.

glibc also takes memory in pages of 4 kB, of which a training step of ViT-B/16 needs a million. With
pages of 2 MB the step is a tenth faster, and the first step a fifth.
"""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache
from pathlib import Path

# From glibc's malloc.h: one arena for all threads, no mapping of single blocks, no trimming of
# freed memory.
_ONE_ARENA, _NO_MAPPED_BLOCKS, _NO_TRIMMING = (-8, 1), (-4, 0), (-1, -1)
_MADV_HUGEPAGE = 14  # Linux, asm-generic/mman-common.h
_HUGE = 2**21
_STRICT = "2"  # vm.overcommit_memory: allocated memory counts even before it is touched


def physical_memory() -> int:
    """The memory of the machine, in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@cache
def keep_freed_pages() -> bool:
    """Makes glibc keep freed memory, and returns whether it does. Call before starting threads."""
    if platform.libc_ver()[0] != "glibc":
        return False

    library = ctypes.CDLL(None)
    settings = (_ONE_ARENA, _NO_MAPPED_BLOCKS, _NO_TRIMMING)
    kept = sum(library.mallopt(name, value) for name, value in settings) == len(settings)
    if kept and _address_space_is_free():
        _ask_for_huge_pages(library)
    return kept


def _address_space_is_free() -> bool:
    """Whether untouched memory is free: neither a limit of the process nor the kernel counts it."""
    import resource

    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    try:
        policy = Path("/proc/sys/vm/overcommit_memory").read_text(encoding="ascii").strip()
    except OSError:
        return False
    return policy != _STRICT and set(limits) == {resource.RLIM_INFINITY}


def _ask_for_huge_pages(library: ctypes.CDLL) -> None:
    """Grows the heap by half of the machine's memory, untouched, and advises huge pages for it.

    The block is freed at once. As nothing is trimmed, the heap keeps its length, and later
    allocations lie in it.
    """
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    size = physical_memory() // 2
    block = library.malloc(size)
    if block is None:
        return

    start = -(-block // _HUGE) * _HUGE
    library.madvise(start, (block + size - start) // _HUGE * _HUGE, _MADV_HUGEPAGE)
    library.free(block)
