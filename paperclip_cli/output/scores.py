"""Results of `evaluate` as tables and files."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence

from paperclip_cli.config.evaluation import PAPER_BATCH, TEXT_TO_IMAGE
from paperclip_cli.dataset import paper
from paperclip_cli.evaluation.class_table import ByClass
from paperclip_cli.evaluation.ranks import TOPS, Ranks
from paperclip_cli.evaluation.relevance import TOP, Judgement
from paperclip_cli.evaluation.seeds import SeedResult
from paperclip_cli.evaluation.table import ALL, BASELINE, CONTROL, Result
from paperclip_cli.output import class_scores, console, seed_scores
from paperclip_cli.wording import counted

PERCENT = 10  # the percentage whose interval a table shows
CIRCULAR = (
    "This test is circular: images are judged by texts such as models are trained to match, so a "
    "search for words in these texts may win it."
)


def show(
    rows: Sequence[Result],
    judgement: Judgement | None,
    split: str,
    form: str,
    classes: ByClass | None = None,
    seeds: Sequence[SeedResult] = (),
) -> None:
    """Prints results in one of the formats of `cli.session.Format`."""
    protocol = rows[0].protocol
    if form == "table":
        ordered = sorted(rows, key=lambda row: row.direction)
        for direction, group in itertools.groupby(ordered, key=lambda row: row.direction):
            same = list(group)
            _table(direction, same)
            _ranks_table(direction, same)
        if classes:
            class_scores.table(classes)
        seed_scores.tables(seeds)
        if judgement:
            _relevance_table(judgement)
    elif form == "json":
        more: dict[str, object] = {}
        if classes:
            more["labels"] = class_scores.as_object(classes, split, protocol)
        if seeds:
            more["seeds"] = seed_scores.values(seeds, split, protocol)
        if judgement:
            more["judge"] = _judge_object(judgement, split)
        console.emit(json.dumps(_object(rows, split) | more, indent=2) + "\n")
    elif form == "jsonl":
        lines = [values(row, split) for row in rows]
        lines += class_scores.values(classes, split, protocol) if classes else []
        lines += seed_scores.values(seeds, split, protocol)
        lines += _judged(judgement, split)
        console.emit(console.rows(lines, form))
    else:
        lines = [line for row in rows for line in _lines(row, split)]
        lines += class_scores.lines(classes, split, protocol) if classes else []
        lines += seed_scores.lines(seeds, split, protocol)
        lines += map(_judged_line, _judged(judgement, split))
        console.emit(console.rows(lines, form))


def values(row: Result, split: str) -> dict:
    """A row with the names that the command line promises."""
    accuracy = row.accuracy
    similarity = row.similarity and dict(
        zip(("true_mean", "shuffled_mean"), map(_finite, row.similarity), strict=True)
    )
    return _whose(row, split) | {
        "n_images": row.n_images,
        "n_captions": row.n_captions,
        "n_proposals": row.n_proposals,
        "trained_on": row.trained_on,
        "loss": _finite(row.loss),
        "retrieval_accuracy": _by_name(accuracy.by_image),
        "retrieval_accuracy_by_proposal": _by_name(accuracy.by_proposal),
        "interval": _by_name(accuracy.interval),
        "chance": _by_name(accuracy.chance),
        "similarity": similarity,
        **_rank_values(row.ranks),
    }


def _rank_values(ranks: Ranks) -> dict:
    """Recall by its k, the other measures of ranks, and their intervals and chance by name."""
    measured = {name: _finite(value) for name, value in ranks.named().items()}
    return {
        "recall": _by_name(ranks.recall),
        **{name: measured[name] for name in ("median_rank", "mrr", "ndcg")},
        "rank_interval": _by_name({name: ranks.interval[name] for name in measured}),
        "rank_chance": _by_name(ranks.chance),
    }


def _object(rows: Sequence[Result], split: str) -> dict:
    """The first row, the baseline's row of the same subset and direction, and all rows."""
    same = (rows[0].subset, rows[0].direction)
    baseline = next(
        (row for row in rows if row.role == BASELINE and (row.subset, row.direction) == same), None
    )
    reported = {
        name: {"retrieval_accuracy": {str(PERCENT): value}, "loss": loss}
        for name, (value, loss) in _paper(rows).items()
    }

    return (
        values(rows[0], split)
        | ({"baseline": values(baseline, split)} if baseline else {})
        | {"rows": [values(row, split) for row in rows]}
        | ({"paper": reported} if reported else {})
    )


def _lines(row: Result, split: str) -> list[dict]:
    """One line per percentage, for CSV."""
    accuracy = row.accuracy
    true, others = row.similarity or (None, None)
    shared = _whose(row, split) | {"n_images": row.n_images, "n_captions": row.n_captions}

    return [
        shared
        | {
            "percent": k,
            "retrieval_accuracy": by_image,
            "by_proposal": accuracy.by_proposal[k],
            "low": low,
            "high": high,
            "chance": accuracy.chance[k],
            "loss": row.loss,
            "similarity_true": _finite(true),
            "similarity_shuffled": _finite(others),
            **{name: _finite(value) for name, value in row.ranks.named().items()},
        }
        for k, by_image in accuracy.by_image.items()
        for low, high in [accuracy.interval[k] or (None, None)]
    ]


def _whose(row: Result, split: str) -> dict:
    return {
        "model": row.name,
        "role": row.role,
        "subset": row.subset,
        "split": split,
        "protocol": row.protocol,
        "direction": row.direction,
    }


def _table(direction: str, rows: Sequence[Result]) -> None:
    """One line per row, then the paper's values.

    Models cut captions to different lengths, so that their number, and chance, differ by row.
    """
    first = rows[0]
    console.emit(
        f"\n{direction.replace('-', ' ')}, protocol {first.protocol}, "
        f"{counted(first.n_images, 'images')}\n"
    )

    percents = [k for k in first.accuracy.chance if k in (5, PERCENT, 20)]
    lines = [_cells(row, percents) for row in rows]
    heads = [f"{k} %" for k in percents]
    names = ["Model", "Images", "Capt.", *heads, f"95 % at {PERCENT} %", "Chance", "Prop.", "Loss"]
    widths = [None, 6, 6, *(5 for _ in percents), 13, 6, 5, 5]
    columns = [
        console.TableColumn(name, width, "right" if place > 1 else "left")
        for place, (name, width) in enumerate(zip(names, widths, strict=True))
    ]
    console.table(columns, lines)
    _paper_table(rows)

    for row in rows:
        if row.similarity and row.subset == ALL and row.role != CONTROL:
            true, others = row.similarity
            apart = "" if math.isnan(others) else f", of shuffled ones {others:.3f}"
            console.emit(f"{row.name}: similarity of true pairs {true:.3f}{apart}\n")


def _paper_table(rows: Sequence[Result]) -> None:
    """The paper's values, if they were measured in the same way."""
    reported = _paper(rows)
    if not reported:
        return
    console.emit("\n")
    columns = [
        console.TableColumn("Paper"),
        console.TableColumn(f"{PERCENT} %", 6, "right"),
        console.TableColumn("Loss", 6, "right"),
    ]
    lines = [
        [name, _number(value), _number(loss) if loss else "-"]
        for name, (value, loss) in reported.items()
    ]
    console.table(columns, lines)


def _cells(row: Result, percents: Iterable[int]) -> list[str]:
    accuracy, bounds = row.accuracy, row.accuracy.interval[PERCENT]
    return [
        row.name,
        row.subset,
        f"{row.n_captions:,}",
        *(_number(accuracy.by_image[k]) for k in percents),
        f"{bounds[0]:.3f} - {bounds[1]:.3f}" if bounds else "-",
        _number(accuracy.chance[PERCENT]),
        _number(accuracy.by_proposal[PERCENT]),
        _number(row.loss),
    ]


def _ranks_table(direction: str, rows: Sequence[Result]) -> None:
    """Recall, median rank, MRR and nDCG. Chance is last: it depends on the candidates alone.

    Models that cut captions to different lengths have different numbers of candidates.
    """
    console.emit(f"\nranks, {direction.replace('-', ' ')}\n")
    shown = [(row.name, row.subset, row.ranks.named()) for row in rows]
    chances = {tuple(_rank_cells(row.ranks.chance)): row for row in reversed(rows)}
    for row in reversed(chances.values()):
        whose = ("chance", "") if len(chances) == 1 else (f"chance: {row.name}", row.subset)
        shown.append((*whose, row.ranks.chance))

    heads = [*(f"R@{k}" for k in TOPS), "Median", "MRR", "nDCG"]
    columns = [console.TableColumn("Model"), console.TableColumn("Images", 6)]
    columns += [console.TableColumn(name, 6, "right") for name in heads]
    console.table(columns, [[name, subset, *_rank_cells(one)] for name, subset, one in shown])


def _rank_cells(measured: Mapping[str, float]) -> list[str]:
    return [
        f"{value:,.1f}" if name == "median_rank" else f"{value:.3f}"
        for name, value in measured.items()
    ]


def _paper(rows: Sequence[Result]) -> dict[str, tuple[float, float | None]]:
    """Accuracy at 10 % and loss of the paper's models, for rows in the paper's protocol only.

    The loss is there only beside a model trained with the logit scale of the paper's code.
    """
    alike = [row for row in rows if (row.protocol, row.direction) == (PAPER_BATCH, TEXT_TO_IMAGE)]
    if not alike:
        return {}
    has_loss = any(row.has_paper_loss for row in alike)
    return {
        name: (value, paper.LOSS.get(name) if has_loss else None)
        for name, value in paper.TOP_10.items()
    }


def _judge(judgement: Judgement) -> str:
    return " ".join(filter(None, (judgement.backend, judgement.model)))


def _judge_object(judgement: Judgement, split: str) -> dict:
    return {"by": _judge(judgement), "circular": CIRCULAR, "rows": _judged(judgement, split)}


def _judged_line(row: dict) -> dict:
    """A row of `_judged` for CSV."""
    low, high = row["interval"] or (None, None)
    kept = {name: value for name, value in row.items() if name not in ("interval", "by_query")}
    return kept | {"low": low, "high": high}


def _judged(judgement: Judgement | None, split: str) -> list[dict]:
    """One row per contestant; `relevance` is the share of relevant images."""
    if judgement is None:
        return []
    return [
        {
            "model": row.name,
            "role": row.role,
            "split": split,
            "protocol": f"judge {_judge(judgement)}",
            "direction": TEXT_TO_IMAGE,
            "relevance": _finite(row.share),
            "interval": row.interval and [round(bound, 6) for bound in row.interval],
            "by_query": {query: _finite(share) for query, share in row.by_query.items()},
        }
        for row in judgement.rows
    ]


def _relevance_table(judgement: Judgement) -> None:
    """One line per query and one column per contestant.

    Below them stands the share over all queries, with its interval.
    """
    rows = judgement.rows
    console.emit(
        f"\nrelevant among the {TOP} best images of a query, "
        f"judged by {_judge(judgement)} from the abstracts\n"
    )

    columns = [console.TableColumn("Query")]
    columns += [console.TableColumn(row.name, 15, "right") for row in rows]
    bounds = [row.interval or (None, None) for row in rows]
    numbers: dict[str, list[float | None]] = {
        **{query: [row.by_query[query] for row in rows] for query in rows[0].by_query},
        "all queries": [row.share for row in rows],
        "95 % from": [low for low, _ in bounds],
        "95 % to": [high for _, high in bounds],
    }
    console.table(columns, [[name, *map(_number, found)] for name, found in numbers.items()])

    if judgement.model:
        reported = ", ".join(f"{name} {value:.2f}" for name, value in paper.RELEVANCE.items())
        console.emit(f"paper (Hubble): {reported}\n")
    console.emit(CIRCULAR + "\n")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _by_name(given: Mapping) -> dict[str, object]:
    return {
        str(k): [round(bound, 6) for bound in value] if isinstance(value, tuple) else _finite(value)
        for k, value in given.items()
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 6)
