"""The Hugging Face Hub: names, what a repository holds, and the errors of its client in words.

Only the Hub's own client talks to it, so that its settings (`HF_ENDPOINT`, `HF_TOKEN`, proxies,
certificates) count here as everywhere. A token is never read here, and never printed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from paperclip_cli import __version__
from paperclip_cli.errors import PaperclipError
from paperclip_cli.http.settings import HUB_TOKEN, check_address, check_proxies, key_in
from paperclip_cli.progress import libraries_may_draw
from paperclip_cli.wording import in_bytes

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Kind = Literal["model", "dataset"]
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_NAME = re.compile(rf"({_PART}/{_PART})(?:@({_PART}(?:/{_PART})*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,60}")
_NO_LICENCE = "not stated"
README = "README.md"
HUB_ADDRESS = "HF_ENDPOINT"
# Bytes of files without which an artefact is usable.
_MOST_CARD, _MOST_TEXT = 2**20, 2**26
_TIMEOUT = 30.0  # seconds for what a repository holds


def is_name(name: str) -> bool:
    """Whether `name` has the form `org/name` or `org/name@revision`."""
    return _NAME.fullmatch(name) is not None


def is_repository(name: str) -> bool:
    """Whether `name` has the form `org/name`."""
    return is_name(name) and "@" not in name


def is_commit(revision: str | None) -> bool:
    """Whether a revision is the full name of a commit, which always holds the same."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def is_licence(text: object) -> bool:
    """Whether `text` can be the name of a licence in a card's header."""
    return isinstance(text, str) and _LICENCE.fullmatch(text) is not None


def split_name(name: str) -> tuple[str, str | None]:
    """`org/name@revision` -> (`org/name`, `revision`); the revision is None where none is given."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"not a Hub name: {name!r}")
    return match[1], match[2]


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository: its bytes, and the SHA-256 or the name in git of its content."""

    size: int
    sha256: str | None
    git: str | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What a repository holds at a commit, as the Hub lists it. File names are not to be trusted.

    `licence` is printable: one word, or `not stated`.
    """

    repository: str
    kind: Kind
    commit: str
    licence: str
    is_private: bool
    files: Mapping[str, RemoteFile]


@functools.cache
def import_client() -> None:
    """Imports the Hub's client, and with it tqdm, by which it and other libraries draw bars.

    In a notebook without ipywidgets tqdm warns while it is imported, and only then. So this is
    called before any other library that imports tqdm is imported. Those are not imported here,
    because their own filters of warnings would be taken back with ours.

    Raises:
        PaperclipError: `HF_ENDPOINT` is no URL.
    """
    check_address(HUB_ADDRESS)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")
        # The client loads its parts when they are used. This one imports tqdm.
        from huggingface_hub.utils import are_progress_bars_disabled  # noqa: F401


def client() -> HfApi:
    """The Hub's client. It takes the token of `hf auth login` or of `HF_TOKEN`.

    Raises:
        PaperclipError: the token or a proxy of the environment is one that it cannot use.
    """
    import_client()
    key_in(HUB_TOKEN)
    check_proxies()
    from huggingface_hub import HfApi

    return HfApi(library_name="paperclip", library_version=__version__)


def endpoint() -> str:
    """The address of the Hub: huggingface.co, or `HF_ENDPOINT`."""
    import_client()
    from huggingface_hub import constants

    return constants.ENDPOINT


def address(repository: str, kind: Kind) -> str:
    """The address of a repository's page."""
    return f"{endpoint()}/{'datasets/' if kind == 'dataset' else ''}{repository}"


def find(repository: str, revision: str | None, kinds: Sequence[Kind]) -> Snapshot:
    """What a repository holds at a revision: of the first of the `kinds` that there is.

    Raises:
        PaperclipError: there is none, or none that may be seen, or the Hub does not answer.
    """
    found = None
    for kind in kinds:
        with told(repository, revision, _nothing(kinds), "could not be looked up"):
            found = look(repository, revision, kind, may_be_missing=kind != kinds[-1])
        if found is not None:
            break
    assert found is not None  # `look` raises for the last kind
    return found


def _nothing(kinds: Sequence[Kind]) -> str:
    return f"no {' or '.join(kinds)} of this name on the Hub that you may see"


def look(
    repository: str, revision: str | None, kind: Kind, may_be_missing: bool = False
) -> Snapshot | None:
    """What a repository holds at a revision. With `may_be_missing`, None where there is none.

    The client's own errors come through: call it inside `told`.
    """
    from huggingface_hub import errors

    try:
        info = client().repo_info(
            repository, repo_type=kind, revision=revision, files_metadata=True, timeout=_TIMEOUT
        )
    except errors.GatedRepoError:  # a kind of RepositoryNotFoundError
        raise
    except errors.RepositoryNotFoundError:
        if may_be_missing:
            return None
        raise

    commit = info.sha or ""
    if not is_commit(commit):
        raise ValueError("the Hub names no commit")
    files = {
        one.rfilename: RemoteFile(
            one.size, one.lfs.sha256 if one.lfs is not None else None, one.blob_id
        )
        for one in getattr(info, "siblings", None) or ()
        if type(one.size) is int and one.size >= 0
    }
    licence = getattr(getattr(info, "card_data", None), "license", None)
    return Snapshot(
        repository=repository,
        kind=kind,
        commit=commit,
        licence=str(licence) if is_licence(licence) else _NO_LICENCE,
        is_private=bool(getattr(info, "private", False)),
        files=files,
    )


def in_clients_cache(
    repository: str, revision: str | None, kind: Kind, files: Sequence[str]
) -> Path | None:
    """The snapshot in the Hub's own cache (`HF_HOME`), if another program has fetched it.

    It may be a part of what the repository holds. Where the client keeps the list of what that is
    (version 2), all of `files` that are listed are there. No request is made.
    """
    try:
        found = client().snapshot_download(
            repository,
            repo_type=kind,
            revision=revision,
            local_files_only=True,
            allow_patterns=list(files),
        )
    except (OSError, ValueError):
        return None
    return Path(found)


def texts_among(snapshot: Snapshot, names: Sequence[str]) -> list[str]:
    """Those files for people that a repository has and that are not absurdly long."""
    most = {README: _MOST_CARD}
    held = [name for name in names if name in snapshot.files]
    return [name for name in held if snapshot.files[name].size <= most.get(name, _MOST_TEXT)]


def refuse_large(snapshot: Snapshot, name: str, most: int) -> None:
    """PaperclipError if a file of a repository has more than `most` bytes."""
    size = snapshot.files[name].size
    if size > most:
        raise PaperclipError(
            f"{name} of {snapshot.repository} has {in_bytes(size)}, and no such file of ours has "
            f"more than {in_bytes(most)}",
            "tell the owner of the repository",
        )


@contextlib.contextmanager
def told(
    name: str,
    revision: str | None,
    missing: str,
    failed: str = "could not be downloaded",
    instead: str = "",
) -> Iterator[None]:
    """Turns the errors of the Hub's client into a PaperclipError about the repository `name`.

    `missing` says that there is no such repository, `failed` what did not work, and `instead` is
    another way, added to the hints.
    """
    import_client()
    from huggingface_hub import errors

    def error(message: str, hint: str) -> PaperclipError:
        return PaperclipError(message, f"{hint}, or {instead}" if instead else hint)

    try:
        yield
    except PaperclipError:  # a setting that the client cannot use
        raise
    except errors.GatedRepoError as gated:
        raise error(
            f"{name}: its licence must be accepted first", "do so on the Hub and log in"
        ) from gated
    except errors.RevisionNotFoundError as no_revision:
        raise PaperclipError(
            f"{split_name(name)[0]} on the Hub has no revision {revision!r}",
            "look at its branches and tags",
        ) from no_revision
    except errors.RepositoryNotFoundError as no_repository:
        private = "log in if it is private"
        hint = f"check the name, {private}" if instead else f"check the name, or {private}"
        raise error(f"{name}: {missing}", hint) from no_repository
    except (OSError, ValueError, RuntimeError, *transport_errors()) as other:  # type: ignore[misc]
        reason, hint = _reason(other)
        raise error(f"{name} {failed}: {reason}", hint) from other


def transport_errors() -> tuple[type[Exception], ...]:
    """The errors of the library that the client speaks HTTP with: httpx, or later httpx2."""
    from huggingface_hub.utils import get_session

    library = importlib.import_module(type(get_session()).__module__.partition(".")[0])
    return (library.HTTPError, library.InvalidURL)


def status_of(error: BaseException | None) -> int | None:
    """The HTTP status that an error of the client came from, if it came from one."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        error = error.__cause__
    return None


def is_passing(error: Exception) -> bool:
    """Whether another try may well succeed: the connection broke, or the Hub is busy."""
    status = status_of(error)
    if status is not None:
        return status in (408, 429) or status >= 500
    return isinstance(error, transport_errors())


def _reason(error: BaseException) -> tuple[str, str]:
    """Why a request failed, and what to do."""
    status = status_of(error)
    if status == 401:
        return "the Hub does not accept the token", "log in again: `hf auth login`, or set HF_TOKEN"
    if status == 403:
        return "the token does not allow it", "use a token that may, or another repository"
    if status == 412:
        return "somebody else changed the repository in the meantime", "try again"
    if status == 429:
        return "the Hub asks for a pause (HTTP 429)", "try again in some minutes"
    if status is not None and status >= 500:
        return f"the Hub fails (HTTP {status})", "try again later"
    if isinstance(error, RuntimeError) and error.__cause__ is not None:  # it only adds a file name
        error = error.__cause__
    return first_line(error), "try again"


def first_line(error: BaseException) -> str:
    """What the Hub says about an error, or the error's first line, or its type; printable."""
    said = getattr(error, "server_message", None) or str(error)
    line = (str(said).strip() or type(error).__name__).splitlines()[0][:200]
    return "".join(sign if sign.isprintable() else " " for sign in line)


@contextlib.contextmanager
def bars_on_a_terminal_only() -> Iterator[None]:
    """Keeps the client's progress bars off a log."""
    import_client()
    from huggingface_hub import utils

    if (libraries_may_draw.get() and sys.stderr.isatty()) or utils.are_progress_bars_disabled():
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()
