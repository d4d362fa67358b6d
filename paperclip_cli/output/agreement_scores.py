"""Agreement of models with people on the similarity of images, as a table and in other formats."""

from __future__ import annotations

import json
from collections.abc import Sequence

from paperclip_cli.evaluation.agreement import Agreement
from paperclip_cli.evaluation.seeds import SeedResult
from paperclip_cli.output import console, seed_scores
from paperclip_cli.wording import counted

Named = tuple[str, str, Agreement]  # a model's name and role, and its agreement


def show(
    kind: str,
    rows: Sequence[Named],
    images: int,
    missing: int,
    form: str,
    seeds: Sequence[SeedResult] = (),
) -> None:
    """Prints results in one of the formats of `cli.session.Format`."""
    plain = [_values(kind, *row, images) for row in rows]
    if form == "table":
        _table(kind, rows, images, seeds)
    elif form == "json":
        shared = {"benchmark": kind, "n_images": images, "n_missing": missing}
        spreads = {"seeds": seed_scores.benchmark_values(seeds)} if seeds else {}
        console.emit(json.dumps(plain[0] | shared | {"rows": plain} | spreads, indent=2) + "\n")
    elif form == "jsonl":
        console.emit(console.rows(plain, form))
    else:
        console.emit(console.rows([_flat(row) for row in plain], form))


def _values(kind: str, name: str, role: str, found: Agreement, images: int) -> dict:
    return {
        "model": name,
        "role": role,
        "benchmark": kind,
        "n_images": images,
        "n_pairs": found.pairs,
        "rank_correlation": round(found.correlation, 6),
        "interval": [round(bound, 6) for bound in found.interval],
        "rank_correlation_by_image": round(found.by_image, 6),
        "interval_by_image": [round(bound, 6) for bound in found.interval_by_image],
        "chance": 0.0,
    }


def _flat(row: dict) -> dict:
    """A row for CSV: a column for each number."""
    found = {name: value for name, value in row.items() if not name.startswith("interval")}
    found["low"], found["high"] = row["interval"]
    found["low_by_image"], found["high_by_image"] = row["interval_by_image"]
    return found


def _table(kind: str, rows: Sequence[Named], images: int, seeds: Sequence[SeedResult]) -> None:
    pairs = counted(rows[0][2].pairs, "pairs")
    console.emit(
        f"\n{kind}: rank correlation with the distances that people see, "
        f"{counted(images, 'images')}, {pairs}\n"
    )
    heads = {"All pairs": 9, "95 %": 15, "By image": 8, "95 % of it": 15}
    columns = [console.TableColumn("Model")]
    columns += [console.TableColumn(name, width, "right") for name, width in heads.items()]
    lines = [
        [
            name,
            f"{found.correlation:.3f}",
            _bounds(found.interval),
            f"{found.by_image:.3f}",
            _bounds(found.interval_by_image),
        ]
        for name, _, found in rows
    ]
    for one in seeds:
        both, by_image = map(seed_scores.cell, one.figures.values())
        mean = f"mean of {counted(len(one.names), 'seeds')}"
        lines.append([mean, "", both, "", by_image])
    console.table(columns, [*lines, ["chance", "0.000", "", "0.000", ""]])


def _bounds(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.3f} - {interval[1]:.3f}"
