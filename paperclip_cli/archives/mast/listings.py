"""What MAST said, kept: previews of each proposal ("none" included) and proposals around each position, with the date of the answer.

Append-only JSON Lines beside the previews, one file a shard, so that a second run asks only for what is missing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from paperclip_cli.archives.mast.rows import Listed
from paperclip_cli.records import from_dict, to_json


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the archive has of a proposal under a `rule` (what was asked for): previews, exclusions by reason, and title and PI."""

    proposal_id: int
    rule: str
    previews: tuple[Listed, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    title: str = ""
    pi: str = ""
    asked: str = ""


@dataclass(frozen=True)
class Around:
    """The proposals that have an observation in a circle: `circle` is `ra dec radius rule`."""

    circle: str
    proposals: tuple[int, ...] = ()
    asked: str = ""


class Listings:
    """The answers so far. One process appends to one file; all files are read."""

    def __init__(self, folder: Path, shard: str = "") -> None:
        self._path = folder / f"listings{shard}.jsonl"
        self._answers: dict[tuple[int, str], Answer] = {}
        self._around: dict[str, Around] = {}
        for path in sorted(folder.glob("listings*.jsonl"), key=lambda path: path.stat().st_mtime):
            self._read(path)

    def answer(self, proposal_id: int, rule: str) -> Answer | None:
        return self._answers.get((proposal_id, rule))

    def around(self, circle: str) -> Around | None:
        return self._around.get(circle)

    def add(self, answers: Iterable[Answer | Around]) -> None:
        """Remembers, on disk too, in whole lines: what a kill leaves of the last one is passed over."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lines = [
            to_json(answer)[:-1] + f',"asked":"{now}"}}\n'
            for answer in answers
            if self._keep(answer)
        ]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            file.seek(max(0, file.tell() - 1))
            torn = file.read(1) not in (b"", b"\n")
            file.write(("\n" * torn + "".join(lines)).encode())

    def _keep(self, answer: Answer | Around) -> bool:
        if isinstance(answer, Around):
            self._around[answer.circle] = answer
        else:
            self._answers[answer.proposal_id, answer.rule] = answer
        return True

    def _read(self, path: Path) -> None:
        for line in path.read_bytes().split(b"\n"):
            try:
                values = json.loads(line)
                self._keep(from_dict(Around, values) if "circle" in values else _answer(values))
            except (ValueError, TypeError, KeyError):
                continue  # blank, torn by a kill, or of another version: it is asked again


def _answer(values: dict) -> Answer:
    return from_dict(
        Answer,
        {
            **values,
            "previews": tuple(from_dict(Listed, item) for item in values.get("previews", ())),
        },
    )
