"""Retrieval by class as a table, and as the values of the other formats."""

from __future__ import annotations

from paperclip_cli.evaluation.class_table import ByClass, ClassResult
from paperclip_cli.evaluation.classes import TOP, Measured
from paperclip_cli.output import console
from paperclip_cli.wording import counted


def table(found: ByClass) -> None:
    """One line per model and subset, then chance, then the most frequent class."""
    images = counted(sum(found.sizes.values()), "images")
    console.emit(f"\nby class ({found.column}), {images} in {len(found.sizes):,} classes\n")
    lines = [
        [
            row.name,
            row.subset,
            _number(row.precision),
            _number(row.average),
            _bounds(row.average),
            _number(row.zero_shot),
            _bounds(row.zero_shot),
        ]
        for row in found.rows
    ]
    first = found.rows[0]
    chance = [_chance(one) for one in (first.precision, first.average, first.zero_shot)]
    lines.append(["chance", first.subset, chance[0], chance[1], "", chance[2], ""])
    lines.append(["most frequent class", first.subset, "", "", "", f"{first.majority:.3f}", ""])

    heads = {f"P@{TOP}": 5, "mAP": 5, "95 % of mAP": 13, "0-shot": 6, "95 % of it": 13}
    columns = [console.TableColumn("Model"), console.TableColumn("Images", 6)]
    columns += [console.TableColumn(name, width, "right") for name, width in heads.items()]
    console.table(columns, lines)


def values(found: ByClass, split: str, protocol: str) -> list[dict]:
    """One row per model and subset, for JSON Lines."""
    return [_values(row, found, split, protocol) for row in found.rows]


def lines(found: ByClass, split: str, protocol: str) -> list[dict]:
    """The same for CSV: a column for each number."""
    return [_flat(row) for row in values(found, split, protocol)]


def as_object(found: ByClass, split: str, protocol: str) -> dict:
    """The same as an object, with the images of each class."""
    return {
        "column": found.column,
        "classes": found.sizes,
        "n_unlabelled": found.unlabelled,
        "rows": values(found, split, protocol),
    }


def _values(row: ClassResult, found: ByClass, split: str, protocol: str) -> dict:
    return {
        "model": row.name,
        "role": row.role,
        "subset": row.subset,
        "split": split,
        "protocol": protocol,
        "labels": found.column,
        "n_images": row.n_images,
        "n_classes": len(found.sizes),
        "n_alone": row.alone,
        **_named(f"precision_at_{TOP}", row.precision),
        **_named("mean_average_precision", row.average),
        **_named("zero_shot_accuracy", row.zero_shot),
        "majority_class": round(row.majority, 6),
    }


def _named(name: str, measured: Measured | None) -> dict:
    """A measure with its mean over classes, its interval and its chance; None where it has none."""
    if measured is None:
        return dict.fromkeys((name, *(f"{name}_{part}" for part in _parts())))
    by_class, interval, chance = measured[1:]
    bounds = [round(bound, 6) for bound in interval]
    parts = dict(zip(_parts(), (round(by_class, 6), bounds, round(chance, 6)), strict=True))
    return {name: round(measured.value, 6)} | {f"{name}_{part}": one for part, one in parts.items()}


def _parts() -> tuple[str, ...]:
    """What stands beside a measure, by its name."""
    return Measured._fields[1:]


def _flat(row: dict) -> dict:
    found: dict = {}
    for name, value in row.items():
        if name.endswith("_interval"):
            stem = name.removesuffix("_interval")
            found[f"{stem}_low"], found[f"{stem}_high"] = value or (None, None)
        else:
            found[name] = value
    return found


def _number(measured: Measured | None) -> str:
    return "-" if measured is None else f"{measured.value:.3f}"


def _chance(measured: Measured | None) -> str:
    return "-" if measured is None else f"{measured.chance:.3f}"


def _bounds(measured: Measured | None) -> str:
    return "-" if measured is None else f"{measured.interval[0]:.3f} - {measured.interval[1]:.3f}"
