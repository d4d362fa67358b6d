"""`paperclip query`."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from paperclip_cli.cli.complete import (
    cycle_names,
    filter_names,
    index_names,
    instrument_names,
    mission_names,
    proposal_numbers,
    target_names,
)
from paperclip_cli.cli.session import Session, form_of, position, session
from paperclip_cli.config import QueryConfig, configure
from paperclip_cli.config.choices import Collapse, Frame, RankBy
from paperclip_cli.errors import ExitCode, UsageError
from paperclip_cli.files import replace_file

if TYPE_CHECKING:
    from paperclip_cli.stages.query import Answer

DEFAULTS = QueryConfig()


class QueryFormat(enum.StrEnum):
    """How hits are printed."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    votable = "votable"
    ecsv = "ecsv"
    ds9 = "ds9"


def query(
    words: Annotated[
        Optional[list[str]],
        typer.Argument(
            help="What to look for; '-' reads queries from standard input, one per line."
        ),
    ] = None,
    text: Annotated[
        Optional[list[str]],
        typer.Option(help="Another text that the images should match. May be repeated."),
    ] = None,
    image: Annotated[
        Optional[list[Path]],
        typer.Option(help="An image that the hits should look like: JPEG, PNG, TIFF or FITS."),
    ] = None,
    minus: Annotated[
        Optional[list[str]], typer.Option(help="A text that the images should not match.")
    ] = None,
    weight: Annotated[
        Optional[list[float]],
        typer.Option(
            help="Weight of the images, where texts have weight 1; or one weight for each part, "
            "in the order words, --text, --image, --minus."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Number of hits.")] = DEFAULTS.k,
    index: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Index to search, or its address, or several of one model: hubble,mine. Without a "
            "default it is `default`, or the only one.",
            autocompletion=index_names,
        ),
    ] = None,
    near: Annotated[
        Optional[str],
        typer.Option(
            help='Only near "202.47 47.195" (degrees), "13:29:52 +47:11:43", "l 104.9 b 68.6" or '
            '"M 51", which is looked up among the targets of the index first.'
        ),
    ] = None,
    frame: Annotated[
        Frame, typer.Option(help="Frame of the coordinates in --near, if they name none.")
    ] = DEFAULTS.frame,
    radius: Annotated[
        str, typer.Option(help="Radius of --near, with its unit: arcmin, arcsec or deg.")
    ] = "2arcmin",
    region: Annotated[
        Optional[Path], typer.Option(help="Only what overlaps the regions of a DS9 file.")
    ] = None,
    centre_only: Annotated[
        bool,
        typer.Option(
            "--centre-only",
            help="Measure --near and --region to the centre of a footprint, not to its edge.",
        ),
    ] = False,
    moving: Annotated[
        bool, typer.Option("--moving", help="Include moving targets in --near.")
    ] = False,
    mission: Annotated[
        Optional[list[str]], typer.Option(help="Only these missions.", autocompletion=mission_names)
    ] = None,
    proposal: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Only these proposals: 15354, hst:15354 or 15354-15400.",
            autocompletion=proposal_numbers,
        ),
    ] = None,
    instrument: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Only these instruments or detectors: ACS, WFC3/UVIS.",
            autocompletion=instrument_names,
        ),
    ] = None,
    filter: Annotated[
        Optional[list[str]],
        typer.Option(
            "--filter",
            help="Only observations with one of these filters: F814W.",
            autocompletion=filter_names,
        ),
    ] = None,
    cycle: Annotated[
        Optional[list[str]],
        typer.Option(help="Only these cycles: 25-26,28.", autocompletion=cycle_names),
    ] = None,
    target: Annotated[
        Optional[list[str]],
        typer.Option(
            help='Only targets with this name: "NGC 4038", Jupiter.', autocompletion=target_names
        ),
    ] = None,
    after: Annotated[
        Optional[str], typer.Option(help="Only observations on or after this day: 2015-03-20.")
    ] = None,
    before: Annotated[
        Optional[str], typer.Option(help="Only observations before this day.")
    ] = None,
    min_score: Annotated[
        Optional[float], typer.Option(help="Only hits with at least this cosine.")
    ] = None,
    max_chance: Annotated[
        Optional[float],
        typer.Option(
            help="Only hits with at most this probability of being found by an unrelated text: 0.1."
        ),
    ] = None,
    collapse: Annotated[
        Collapse,
        typer.Option(help="Images grouped into one hit; target: those of a proposal's target."),
    ] = DEFAULTS.collapse,
    no_collapse: Annotated[
        bool, typer.Option("--no-collapse", help="Short for --collapse none.")
    ] = False,
    rank_by: Annotated[
        RankBy,
        typer.Option(
            help="Rank by cosine (semantic), by words in titles, targets and abstracts (keyword), "
            "or by both (hybrid)."
        ),
    ] = DEFAULTS.rank_by,
    form: Annotated[
        QueryFormat, typer.Option("--format", help="Output format.")
    ] = QueryFormat.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    paths: Annotated[
        bool, typer.Option("--paths", help="Print only the paths of the images.")
    ] = False,
    copy_to: Annotated[
        Optional[Path], typer.Option(help="Copy the images of the hits into this folder.")
    ] = None,
    html: Annotated[
        Optional[Path], typer.Option(help="Write a contact sheet to this file.")
    ] = None,
    thumbnails: Annotated[
        bool,
        typer.Option("--thumbnails/--no-thumbnails", help="Also show the images in the terminal."),
    ] = False,
    samp: Annotated[
        bool,
        typer.Option(
            "--samp", help="Send the table to TOPCAT and Aladin, and FITS images to DS9, over SAMP."
        ),
    ] = False,
    open_: Annotated[
        bool,
        typer.Option(
            "--open", help="Open the contact sheet (--html) or the first hit's page in the browser."
        ),
    ] = False,
) -> int:
    """Find images that match a description in plain language.

    With --near or --region and nothing to look for, it is a plain cone search, nearest first.
    """
    here, is_stream = session(), words == ["-"]
    printed = _form(form, json, paths)
    indexes = here.check_indexes(index)
    if no_collapse and collapse not in (DEFAULTS.collapse, "none"):
        raise UsageError(
            f"--no-collapse and --collapse {collapse} exclude each other", "leave out one"
        )
    if not is_stream:
        # A single query is answered sooner than BLAS can start its threads, which takes 50 ms.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if image:
        from paperclip_cli.malloc import keep_freed_pages

        keep_freed_pages()
    from paperclip_cli.stages import query as stage

    config = configure(
        QueryConfig,
        text=(*([" ".join(words)] if words and not is_stream else []), *(text or ())),
        image=image,
        minus=minus,
        weight=weight,
        index=index,
        k=k,
        min_score=min_score,
        max_chance=max_chance,
        mission=mission,
        proposal=proposal,
        instrument=instrument,
        filter=filter,
        cycle=cycle,
        target=target,
        near=position(near, frame, indexes),
        frame=frame,
        radius=radius,
        region=region,
        centre_only=centre_only,
        moving=moving,
        after=after,
        before=before,
        collapse="none" if no_collapse else collapse,
        rank_by=rank_by,
    )
    answers = _with_notes(stage.run(config, here.workspace, _lines() if is_stream else None), here)
    came = _show(answers, printed, is_stream, thumbnails)

    from paperclip_cli.output.formats import written

    shown = [answer for answer in came if not answer.failure]
    hits = [hit for answer in shown for hit in answer.hits]
    if html is not None:
        replace_file(html, written(hits, "html", _provenance(shown)))
        if not here.quiet:
            print(f"contact sheet in {html}", file=sys.stderr)
    code: int = _send(shown, here) if samp else ExitCode.OK
    if open_ and hits:
        import webbrowser

        from paperclip_cli.output.hits import link

        webbrowser.open(html.absolute().as_uri() if html is not None else link(hits[0]))
    if copy_to is not None:
        from paperclip_cli.stages import query_copy

        code = max(code, here.finish(query_copy.run(hits, copy_to)))
    return ExitCode.PARTIAL if len(shown) < len(came) and code == ExitCode.OK else code


def _form(form: QueryFormat, is_json: bool, is_paths: bool) -> str:
    """The form in which hits are printed: `paths`, or that of --format or --json."""
    chosen = form_of(form, is_json)
    if is_paths and chosen != "table":
        raise UsageError(
            f"--paths prints paths alone, and --format {chosen} is given too", "leave out one"
        )
    return "paths" if is_paths else chosen


def _lines() -> Iterator[str]:
    # Not sys.stdin: the interpreter locks it at exit, while a thread may still wait for a line.
    # A line that is not UTF-8 keeps its bytes, as surrogates, and becomes a failure of its own.
    return (line.decode("utf-8", "surrogateescape") for line in open(0, "rb", closefd=False))


def _with_notes(answers: Iterable[Answer], here: Session) -> Iterator[Answer]:
    """The answers. The notes of each are printed first, so that they are read before the hits."""
    from paperclip_cli.output import console

    for answer in answers:
        for note in () if here.quiet else answer.notes:
            print(note, file=sys.stderr)
        if answer.failure:
            line = answer.query.encode("utf-8", "replace").decode("utf-8")
            print(f"failed: {console.printable(line)}: {answer.failure}", file=sys.stderr)
        yield answer


def _show(
    answers: Iterable[Answer], form: str, is_stream: bool, is_illustrated: bool
) -> list[Answer]:
    """Prints the answers, as they come if the format allows it, and returns them all."""
    from paperclip_cli.output import console
    from paperclip_cli.output import hits as forms
    from paperclip_cli.output.formats import written

    shown: list[Answer] = []
    for answer in answers:
        shown.append(answer)
        if answer.failure:
            continue
        if form == "table":
            if is_stream:
                console.emit(f"{console.printable(answer.query)}\n")
            if answer.hits:
                console.table(*forms.hit_table(answer.hits, console.terminal_width()))
                if is_illustrated and console.has_pictures():
                    _illustrate(answer)
        elif form == "paths":
            console.emit("".join(f"{console.path_line(hit.image)}\n" for hit in answer.hits))
        elif form == "jsonl":
            console.emit(written(answer.hits, form, {}))

    answered = [answer for answer in shown if not answer.failure]
    hits = [hit for answer in answered for hit in answer.hits]
    if form not in ("table", "paths", "jsonl"):  # those were printed as they came
        console.emit(written(hits, form, _provenance(answered)))
    return shown


def _illustrate(answer: Answer) -> None:
    from paperclip_cli.output import console
    from paperclip_cli.output.thumbnails import thumbnails

    console.emit(thumbnails(answer.hits, console.terminal_width(), console.has_graphics()))


def _send(answers: Sequence[Answer], here: Session) -> int:
    """Sends the hits of all answers to the programs on the SAMP hub: one table, and FITS images.

    Returns the exit code.
    """
    from paperclip_cli.output.formats import written
    from paperclip_cli.output.samp import send

    provenance = _provenance(answers)
    hits = [hit for answer in answers for hit in answer.hits]
    images = dict.fromkeys(Path(hit.image) for hit in hits)
    sent = send(written(hits, "votable", provenance), provenance["query"], [*images])
    if not here.quiet:
        print(f"sent to {', '.join(sent.programs)}", file=sys.stderr)
    for failure in sent.failures:
        print(f"failed: {failure.item} {failure.reason}", file=sys.stderr)
    return ExitCode.PARTIAL if sent.failures else ExitCode.OK


def _provenance(answers: Sequence[Answer]) -> dict[str, str]:
    queries = {"query": "; ".join(answer.query for answer in answers)}
    return {**queries, **(vars(answers[0].provenance) if answers else {})}
