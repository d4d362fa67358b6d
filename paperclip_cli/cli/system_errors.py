"""Errors of the operating system in words: what failed, with which file, and what to do."""

from __future__ import annotations

import errno

_ROOM = "free some space, or put the cache elsewhere with --cache-dir"
_RIGHTS = "check who may read and write there, or use another --cache-dir or output folder"
_REMEDIES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENOENT: "check the path; where it is in the cache, use another --cache-dir",
    errno.ENOTDIR: "one of its folders is a file: check the path",
    errno.EEXIST: "a file of this name is in the way: give another name",
    errno.EISDIR: "it is a folder: give a file",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.ENFILE: "close other programs, or ask who runs this machine",
    errno.EIO: "check the disk; if it is a network drive, try again",
    errno.ESTALE: "the network drive was away: try again",
}


def told(error: OSError) -> tuple[str, str | None]:
    """The message and the hint for an error: `/x/y: No space left on device`, without its number.

    Where Python does not know the file, as when a disk fills up, the message is the reason alone.
    """
    reason = error.strerror or str(error) or type(error).__name__
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([" -> ".join(names), reason] if names else [reason]), _REMEDIES.get(
        error.errno or 0
    )
