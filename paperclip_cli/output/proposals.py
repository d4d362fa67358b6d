"""A proposal with its texts and images, for a person or as data."""

from __future__ import annotations

import textwrap
from dataclasses import asdict

from paperclip_cli.config.quantities import day_of
from paperclip_cli.output.console import emit, path_line, printable, terminal_width
from paperclip_cli.output.hits import with_detector
from paperclip_cli.records import Dossier, Observation

_WIDEST = 100  # cells of a line of text


def show(known: Dossier) -> None:
    """Prints a proposal."""
    proposal = known.proposal
    facts = [
        f"PI {proposal.pi}" if proposal.pi else "",
        f"cycle {proposal.cycle}" if proposal.cycle else "",
        proposal.proposal_type,
        proposal.category,
    ]
    emit(_text(f"{proposal.key}  {proposal.title}") + _text(", ".join(filter(None, facts))))
    emit(_text(known.page) + "\n" + _text(proposal.abstract or "There is no abstract."))
    for name, summary in known.summaries.items():
        emit(f"\nSummary ({printable(name)})\n")
        emit(_text(f"objects and phenomena: {'; '.join(summary.objects_and_phenomena)}"))
        emit(_text(f"science use cases: {'; '.join(summary.science_use_cases)}"))
    emit("\n")
    if not known.images:
        emit("There are no images.\n")
        return
    for path, observation in known.images.items():
        emit(f"{path_line(path)}\n" + _text(_facts(observation), indent="    "))


def fields(known: Dossier) -> dict:
    """The same as data. Names are those of the hits of a query."""
    return {
        **asdict(known.proposal),
        "access_url": known.page,
        "summaries": {
            name: {
                "objects_and_phenomena": list(summary.objects_and_phenomena),
                "science_use_cases": list(summary.science_use_cases),
            }
            for name, summary in known.summaries.items()
        },
        "images": [{"image": path} | asdict(one) for path, one in known.images.items()],
    }


def _facts(observation: Observation) -> str:
    """`NGC 4038, ACS/WFC, F435W F814W, 2004-07-18, 180.47084 -18.86750`."""
    place = ""
    if observation.s_ra is not None and observation.s_dec is not None:
        place = f"{observation.s_ra:.5f} {observation.s_dec:+.5f}"
    facts = [
        observation.target,
        with_detector(observation.instrument, observation.detector),
        " ".join(observation.filters),
        None if observation.t_min is None else day_of(observation.t_min),
        place,
    ]
    return ", ".join(filter(None, facts))


def _text(text: str, indent: str = "") -> str:
    """Text in lines that fit the terminal; empty for none."""
    lines = textwrap.wrap(
        printable(text),
        min(terminal_width(), _WIDEST),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    return "".join(f"{line}\n" for line in lines)
