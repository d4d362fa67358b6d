"""The log of a training: one JSON object a line, with its step, and the same as CSV beside it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from paperclip_cli.files import append_lines, replace_file

COLUMNS = (
    "step",
    "loss",
    "gradient_norm",
    "logit_scale",
    "logit_bias",
    "images_per_second",
    "validation_loss",
    "validation_accuracy_10",
)


class MetricsLog:
    """A file that is appended to. A training that resumes first drops the lines after its step."""

    def __init__(self, path: Path, step: int) -> None:
        logged = read_metrics(path) if path.is_file() else []
        kept = [line for line in logged if line["step"] <= step]
        replace_file(path, "".join(json.dumps(line) + "\n" for line in kept))
        replace_file(as_csv(path), _rows([dict(zip(COLUMNS, COLUMNS, strict=True)), *kept]))
        self._path = path

    def add(self, step: int, **values: float | None) -> None:
        """Appends a line. Numbers are rounded to 6 digits; JSON has no NaN, so it becomes null."""
        line = {"step": step, **{name: _plain(value) for name, value in values.items()}}
        for path, text in (
            (self._path, json.dumps(line)),
            (as_csv(self._path), _rows([line]).rstrip("\n")),
        ):
            with append_lines(path) as append:
                append(text)


def as_csv(path: Path) -> Path:
    """The path of the CSV beside a log."""
    return path.with_suffix(".csv")


def read_metrics(path: Path) -> list[dict]:
    """The lines of a log. A torn last line, of a process that died while writing, is left out."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _rows(lines: Sequence[Mapping[str, object]]) -> str:
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _plain(value: float | None) -> float | None:
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None
