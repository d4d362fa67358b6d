"""Huge pages for the heap, asked for in a process of its own: what is set lasts as long as the process."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from paperclip_cli.data.memory import _address_space_is_free

ASK = """
from pathlib import Path
import resource
LIMIT
from paperclip_cli.data.memory import keep_freed_pages

assert keep_freed_pages() and keep_freed_pages()
import ctypes
block = ctypes.create_string_buffer(2**24)  # not of NumPy, which asks for huge pages itself
place, found = ctypes.addressof(block) + 2**23, None
for line in Path("/proc/self/smaps").read_text().splitlines():
    if "-" in line.split()[0] and ":" not in line.split()[0]:
        first, end = (int(part, 16) for part in line.split()[0].split("-"))
    elif line.startswith("VmFlags") and first <= place < end:
        found = "hg" in line.split()
print(found)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
@pytest.mark.parametrize("limit", ["", "resource.setrlimit(resource.RLIMIT_AS, (2**36, resource.RLIM_INFINITY))"])
def test_large_blocks_lie_in_huge_pages_unless_address_space_is_limited(limit: str) -> None:
    asked = subprocess.run([sys.executable, "-c", ASK.replace("LIMIT", limit)], capture_output=True, text=True, check=True)
    has_them = Path("/sys/kernel/mm/transparent_hugepage").is_dir() and _address_space_is_free()
    assert asked.stdout.split() == [str(has_them and not limit)]
