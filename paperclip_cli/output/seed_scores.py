"""The spread over seeds of one model as tables, and as the values of the other formats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from paperclip_cli.evaluation.seeds import SeedResult, Spread
from paperclip_cli.output import console
from paperclip_cli.wording import counted

SEEDS = "seeds"  # the role of these rows


def tables(found: Sequence[SeedResult]) -> None:
    """For each task one line per figure, with the mean and the standard deviation by subset."""
    for (names, task), some in groupby(found, key=lambda one: (one.names, one.task)):
        _table(names, task, list(some))


def _table(names: Sequence[str], task: str, some: Sequence[SeedResult]) -> None:
    console.emit(
        f"\n{task.replace('-', ' ')}, {counted(len(names), 'seeds')} of one model: mean and "
        f"standard deviation\n({', '.join(names)})\n"
    )
    columns = [console.TableColumn("Figure")]
    columns += [console.TableColumn(one.subset, 18, "right") for one in some]
    lines = [
        [_words(name), *(cell(one.figures.get(name)) for one in some)] for name in some[0].figures
    ]
    console.table(columns, lines)


def benchmark_values(found: Iterable[SeedResult]) -> list[dict]:
    """The same for a benchmark, which has neither splits nor subsets."""
    return [
        {"models": list(one.names), "n_seeds": len(one.names)}
        | {"figures": {name: _rounded(spread) for name, spread in one.figures.items()}}
        for one in found
    ]


def values(found: Iterable[SeedResult], split: str, protocol: str) -> list[dict]:
    """One row per group of models, task and subset, for JSON and JSON Lines."""
    return [
        _whose(one, split, protocol)
        | {"figures": {name: _rounded(spread) for name, spread in one.figures.items()}}
        for one in found
    ]


def lines(found: Iterable[SeedResult], split: str, protocol: str) -> list[dict]:
    """One row per figure, for CSV."""
    return [
        _whose(one, split, protocol) | {"figure": name, **_rounded(spread)}
        for one in found
        for name, spread in one.figures.items()
    ]


def cell(spread: Spread | None) -> str:
    """`0.512 ± 0.013`, mean and standard deviation."""
    if spread is None or math.isnan(spread.mean):
        return "-"
    digits = 1 if spread.mean >= 100 else 3
    return f"{spread.mean:,.{digits}f} ± {spread.deviation:.{digits}f}"


def _whose(one: SeedResult, split: str, protocol: str) -> dict:
    return {
        "model": "+".join(one.names),
        "role": SEEDS,
        "subset": one.subset,
        "split": split,
        "protocol": protocol,
        "direction": one.task,
        "n_seeds": len(one.names),
    }


def _rounded(spread: Spread) -> Mapping[str, float | None]:
    return {
        name: None if math.isnan(value) else round(value, 6)
        for name, value in spread._asdict().items()
    }


def _words(name: str) -> str:
    """`recall_10` as `recall at 10`."""
    stem, _, last = name.replace("_at_", "_").rpartition("_")
    percent = " %" if stem == "retrieval_accuracy" else ""
    words = f"{stem} at {last}{percent}" if last.isdecimal() else name
    return words.replace("_", " ").replace("mrr", "MRR").replace("ndcg", "nDCG")
