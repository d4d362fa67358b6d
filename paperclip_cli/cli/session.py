"""The session: global options that the parser passes on to the command, and option helpers."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, NamedTuple, Optional, TypeAlias, TypeVar

import typer

from paperclip_cli.cli.complete import dataset_names
from paperclip_cli.config import readers
from paperclip_cli.config.checks import is_in_engine
from paperclip_cli.config.choices import Frame, Stretch
from paperclip_cli.config.summaries import KEYWORDS, LLAMA_CPP, OPENAI
from paperclip_cli.config.user_file import Value
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.progress import Progress, libraries_may_draw
from paperclip_cli.report import Report
from paperclip_cli.workspace import Workspace


class Format(enum.StrEnum):
    """How results are printed."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


Form = TypeVar("Form", bound=enum.StrEnum)


def form_of(given: Form, is_json: bool) -> Form:
    """The one form in which results are printed: that of --format, or --json, short for one.

    Raises:
        UsageError: they contradict each other.
    """
    if is_json and given not in ("table", "json"):
        raise UsageError(
            f"--json is short for --format json, and --format {given} is given too",
            "leave out one of the two",
        )
    return type(given)("json") if is_json else given


DatasetOption: TypeAlias = Annotated[
    str,
    typer.Option(
        help="A dataset: its name in the cache, a folder that datasets.load_dataset reads, or "
        "a Hub name (org/name@revision).",
        autocompletion=dataset_names,
    ),
]
ImageColumnOption: TypeAlias = Annotated[
    Optional[str],
    typer.Option(
        help="Column of the images, in a dataset that others made. [default: the only one]"
    ),
]
TextColumnOption: TypeAlias = Annotated[
    Optional[str],
    typer.Option(
        help="Column of the texts; of a list the first, of a class its name. "
        "[default: caption, else text, else the only one]"
    ),
]
GroupColumnOption: TypeAlias = Annotated[
    Optional[str],
    typer.Option(
        help="Column of what stands for a proposal. [default: mission and proposal_id, else "
        "equal texts are one group]"
    ),
]
HduOption: TypeAlias = Annotated[
    Optional[str],
    typer.Option(
        help="Number or name of the image HDU in a FITS file: 1 or SCI. "
        "[default: the science image]"
    ),
]
StretchOption: TypeAlias = Annotated[
    Optional[Stretch],
    typer.Option(help="Intensity stretch of FITS images; preview: as the archive does."),
]


class SetByUser(NamedTuple):
    """The values that a user has set for a command (`paperclip config`), as if they were typed.

    `fault` is what is wrong with them. It is told when the command starts, so that help comes even
    with a damaged file.
    """

    values: Mapping[str, Value]
    fault: PaperclipError | None = None

    @classmethod
    def of(cls, command: str) -> SetByUser:
        from paperclip_cli.config.user import presets

        try:
            return cls(presets(command))
        except PaperclipError as error:
            return cls({}, error)

    def options(self) -> dict[str, object]:
        """The defaults of the command's options, by parameter. Others depend on the backend."""
        found = {name: value for name, value in self.values.items() if name in _OPTIONS}
        return {name: [value] if name == "index" else value for name, value in found.items()}


_OPTIONS = ("index", "k", "thumbnails")
_NOTHING_SET = SetByUser({})


@dataclass(frozen=True, kw_only=True)
class Session:
    """The global options, and what the user has set for the command.

    `workspace` and `progress` are created at first use, so that `--help` pays for neither.
    """

    cache_dir: Path | None
    offline: bool
    verbose: bool
    quiet: bool
    set_by_user: SetByUser = _NOTHING_SET

    @cached_property
    def workspace(self) -> Workspace:
        return Workspace.locate(self.cache_dir, self.offline)

    @cached_property
    def progress(self) -> Progress:
        from paperclip_cli.output import bars

        return bars.progress(quiet=self.quiet)

    def prepare_jax(self) -> None:
        """Lets JAX keep compiled programs in the cache, so that a second run starts at once.

        Call it before JAX is imported. A user's own JAX_COMPILATION_CACHE_DIR is left alone. A
        JAX_ENABLE_X64 is not, because the models here have numbers of 32 bits and fewer.
        """
        os.environ.pop("JAX_ENABLE_X64", None)
        if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
            os.environ["JAX_COMPILATION_CACHE_DIR"] = str(self.workspace.root / "jax")
            os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

    def check_indexes(self, given: Sequence[str] | None) -> tuple[str, ...]:
        """The indexes of `--index`.

        Raises:
            PaperclipError: the user has set one for all commands that this cache lacks.
        """
        if not given:
            return ()
        names = readers.index_names(given, "--index")
        kept = self.set_by_user.values.get("index")
        if kept is not None and names == readers.index_names(kept):
            for name in names:
                if not is_in_engine(name) and name not in self.workspace.names("indexes"):
                    raise PaperclipError(
                        f"there is no index {name!r} in {self.workspace.root}, and your settings "
                        "name it",
                        "name another with --index; `paperclip config` shows where it is set",
                    )
        return names

    def language_model(
        self, backend: str, llm: str | None, base_url: str | None
    ) -> tuple[str | None, str | None]:
        """`--llm` and `--base-url`, else what the user has set, for a backend that uses them."""
        kept = self.set_by_user.values
        if llm is None and backend != KEYWORDS and "llm" in kept:
            llm = str(kept["llm"])
        if base_url is None and backend == OPENAI and "base-url" in kept:
            base_url = str(kept["base-url"])
        return llm, base_url

    def give_contact(self) -> None:
        """Tells archives the address that the user has set. Call it before one is asked."""
        contact = self.set_by_user.values.get("contact")
        if contact is not None:
            os.environ["PAPERCLIP_CONTACT"] = str(contact)

    def finish(self, report: Report, max_failures: int | None = None) -> int:
        """Prints a report to stderr and returns the exit code.

        More than `max_failures` failures are an error instead of a partial success.
        """
        from paperclip_cli.errors import ExitCode
        from paperclip_cli.output import console

        console.report(report, quiet=self.quiet, verbose=self.verbose)
        if max_failures is not None and len(report.failures) > max_failures:
            return ExitCode.ERROR
        return report.exit_code

    def tell(self, report: Report) -> None:
        """Prints a report of many to stderr: one line, with the time."""
        from paperclip_cli.output import console

        console.report_line(report, quiet=self.quiet, verbose=self.verbose)


_current: ContextVar[Session] = ContextVar("session")


def open_session(new: Session) -> None:
    """Sets the session. The parser of the global options calls it once per run."""
    _current.set(new)
    libraries_may_draw.set(not new.quiet)


def session() -> Session:
    """The session of the command that is running.

    Raises:
        PaperclipError: what the user has set for it is wrong.
    """
    found = _current.get()
    if found.set_by_user.fault is not None:
        raise found.set_by_user.fault
    return found


def spin_no_threads(backend: str) -> None:
    """Makes the threads of llama.cpp sleep while they wait. Call it before that is imported.

    Threads that spin block one another on a busy machine: 2 s per token instead of 0.07 s.
    """
    if backend == LLAMA_CPP:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def position(
    near: str | None, frame: Frame = "icrs", indexes: Sequence[str] | None = None
) -> tuple[float, float] | None:
    """The position of `--near` in degrees, from coordinates or from a name that is resolved.

    `indexes` are those that are searched: their own targets come first (`stages.place`).
    """
    if near is None:
        return None
    from paperclip_cli.stages import place

    here = session()

    def tell(note: str) -> None:
        from paperclip_cli.output import console

        if not here.quiet:
            print(console.printable(note), file=sys.stderr)

    return place.run(near, here.workspace, frame, indexes, tell)
