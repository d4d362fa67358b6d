"""Memory that is freed and allocated again costs no new pages, and the pages are huge.

Each test runs in a process of its own, because the settings last as long as the process.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from paperclip_cli.malloc import _address_space_is_free

SCRIPT = """
import ctypes, resource, sys
from paperclip_cli.malloc import keep_freed_pages
if sys.argv[1] == "keep":
    assert keep_freed_pages()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
size = 128 << 20
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(size)
    libc.memset(block, 1, size)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

ASK = """
from pathlib import Path
import resource
LIMIT
from paperclip_cli.malloc import keep_freed_pages

assert keep_freed_pages() and keep_freed_pages()
import ctypes
block = ctypes.create_string_buffer(2**24)  # not from NumPy, which asks for huge pages itself
place, found = ctypes.addressof(block) + 2**23, None
for line in Path("/proc/self/smaps").read_text().splitlines():
    if "-" in line.split()[0] and ":" not in line.split()[0]:
        first, end = (int(part, 16) for part in line.split()[0].split("-"))
    elif line.startswith("VmFlags") and first <= place < end:
        found = "hg" in line.split()
print(found)
"""


def faults(mode: str) -> int:
    """The number of page faults when 128 MB are allocated and filled for the second time."""
    return int(
        subprocess.run(
            [sys.executable, "-c", SCRIPT, mode], capture_output=True, text=True, check=True
        ).stdout
    )


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_freed_pages_are_used_again() -> None:
    assert faults("keep") < 100 < faults("leave")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
@pytest.mark.parametrize(
    "limit", ["", "resource.setrlimit(resource.RLIMIT_AS, (2**36, resource.RLIM_INFINITY))"]
)
def test_large_blocks_lie_in_huge_pages_unless_address_space_is_limited(limit: str) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ASK.replace("LIMIT", limit)],
        capture_output=True,
        text=True,
        check=True,
    )
    has_them = Path("/sys/kernel/mm/transparent_hugepage").is_dir() and _address_space_is_free()
    assert asked.stdout.split() == [str(has_them and not limit)]
