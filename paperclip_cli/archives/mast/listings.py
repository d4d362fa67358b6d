"""MAST's answers, kept so that a second run asks only for what is missing.

They are the previews of each proposal ("none" included) and the proposals around each position,
with the date of the answer. They lie beside the previews as append-only JSON Lines, in one file for
each shard.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from paperclip_cli.archives.mast.rows import Listed
from paperclip_cli.files import append_lines
from paperclip_cli.records import from_dict, to_json


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The archive's answer about a proposal under a `rule`, which names what was requested.

    It holds previews, counts of what was left out by reason, and title and PI.
    """

    proposal_id: int
    rule: str
    previews: tuple[Listed, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    title: str = ""
    pi: str = ""
    asked: str = ""


@dataclass(frozen=True)
class Around:
    """The proposals with an observation in a circle; `circle` is `ra dec radius rule`."""

    circle: str
    proposals: tuple[int, ...] = ()
    asked: str = ""


class Listings:
    """The answers so far. Every process appends to its own file, and reads all files."""

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
        """Remember answers, in memory and as whole lines on disk; readers skip a torn last line."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with append_lines(self._path) as append:
            for answer in answers:
                if self._keep(answer):
                    append(to_json(answer)[:-1] + f',"asked":"{now}"}}')

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
                continue  # blank, torn by a kill, or of another version: it is requested again


def _answer(values: dict) -> Answer:
    previews = tuple(from_dict(Listed, item) for item in values.get("previews", ()))
    return from_dict(Answer, {**values, "previews": previews})
