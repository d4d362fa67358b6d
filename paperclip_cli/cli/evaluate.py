"""`paperclip evaluate`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from paperclip_cli.cli.session import Format, session
from paperclip_cli.config import EvaluateConfig

if TYPE_CHECKING:
    from paperclip_cli.stages.evaluate import Evaluation, Result

DEFAULTS = EvaluateConfig()


def evaluate(
    model: Annotated[Optional[str], typer.Option(help="A trained model, a folder or a Hub name. [default: the only model]")] = None,
    baseline: Annotated[Optional[str], typer.Option(help="Another model, to compare with.")] = None,
    dataset: Annotated[str, typer.Option(help="A dataset's name in the cache, or its folder.")] = DEFAULTS.dataset,
    split: Annotated[Optional[str], typer.Option(help="validation, test or all. [default: test, else validation]")] = None,
    protocol: Annotated[str, typer.Option(help="unique: ranks over distinct captions.")] = DEFAULTS.protocol,
    direction: Annotated[str, typer.Option(help="image-to-text or text-to-image.")] = DEFAULTS.direction,
    batch_size: Annotated[int, typer.Option(help="Images embedded at a time.")] = DEFAULTS.batch_size,
    form: Annotated[Format, typer.Option("--format", help="How results are printed.")] = Format.table,
    json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
) -> int:
    """Measure loss, retrieval accuracy and similarity on held-out pairs."""
    from paperclip_cli.stages import evaluate as stage

    here = session()
    done = stage.run(EvaluateConfig(model=model, baseline=baseline, dataset=dataset, split=split, protocol=protocol, direction=direction,
                                    batch_size=batch_size), here.workspace, here.progress)
    _show(done, Format.json if json else form)
    return here.finish(done.report)


def _show(done: Evaluation, form: Format) -> None:
    import json

    from paperclip_cli import render

    results = [done.result] + ([done.baseline] if done.baseline else [])
    if form == Format.json:
        values = _values(done.result) | ({"baseline": _values(done.baseline)} if done.baseline else {})
        render.emit(json.dumps(values, indent=2) + "\n")
    elif form == Format.jsonl:
        render.emit(render.rows([_values(result) for result in results], form.value))
    elif form == Format.csv:
        render.emit(render.rows([row for result in results for row in _rows(result)], form.value))
    else:
        _table(results)


def _values(result: Result) -> dict:
    """A result as the command line promises it."""
    accuracy, (true, shuffled) = result.accuracy, result.similarity
    return {
        "model": result.model, "split": "+".join(result.splits), "protocol": result.protocol, "direction": result.direction,
        "n_images": result.n_images, "n_captions": result.n_captions, "n_proposals": result.n_proposals, "trained_on": result.trained_on,
        "loss": round(result.loss, 6), "retrieval_accuracy": _by_percent(accuracy.by_image),
        "retrieval_accuracy_by_proposal": _by_percent(accuracy.by_proposal), "interval": _by_percent(accuracy.interval),
        "chance": _by_percent(accuracy.chance), "similarity": {"true_mean": round(true, 6), "shuffled_mean": _finite(shuffled)},
    }


def _rows(result: Result) -> list[dict]:
    """One row a percentage: for tables and CSV."""
    shared = {"model": result.model, "split": "+".join(result.splits), "protocol": result.protocol, "direction": result.direction,
              "n_images": result.n_images, "n_captions": result.n_captions}
    accuracy = result.accuracy
    return [shared | {"percent": k, "retrieval_accuracy": by_image, "by_proposal": accuracy.by_proposal[k],
                      "low": low, "high": high, "chance": accuracy.chance[k], "loss": result.loss,
                      "similarity_true": result.similarity[0], "similarity_shuffled": _finite(result.similarity[1])}
            for k, by_image in accuracy.by_image.items() for low, high in [accuracy.interval[k] or (None, None)]]


def _table(results: list[Result]) -> None:
    from paperclip_cli import render

    rows = [row for result in results for row in _rows(result)]

    def cells(name: str) -> list[str]:
        return ["-" if row[name] is None else f"{row[name]:.3f}" for row in rows]

    intervals = [f"{row['low']:.3f} - {row['high']:.3f}" if row["low"] is not None else "-" for row in rows]
    render.table([
        render.TableColumn("Model", [row["model"] for row in rows]),
        render.TableColumn("Top", [f"{row['percent']} %" for row in rows], 5, "right"),
        render.TableColumn("Accuracy", cells("retrieval_accuracy"), 8, "right"),
        render.TableColumn("95 %", intervals, 13, "right"),
        render.TableColumn("By proposal", cells("by_proposal"), 11, "right"),
        render.TableColumn("Chance", cells("chance"), 6, "right"),
    ])
    for result in results:
        true, shuffled = result.similarity
        apart = "" if math.isnan(shuffled) else f", of shuffled ones {shuffled:.3f}"
        render.emit(f"{result.model}: loss {result.loss:.3f}; similarity of true pairs {true:.3f}{apart}\n")


def _by_percent(values: Mapping) -> dict[str, object]:
    return {str(k): [round(bound, 6) for bound in value] if isinstance(value, tuple) else _finite(value) for k, value in values.items()}


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 6)
