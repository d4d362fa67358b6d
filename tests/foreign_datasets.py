"""Datasets as others make them: pictures and texts in the layouts that `load_dataset` reads."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.factories import KINDS, draw

Rows = Sequence[Mapping[str, object]]


def picture(number: int, side: int = 48) -> Image.Image:
    """A grey picture that is wider than high."""
    kind = KINDS[number % len(KINDS)][0]
    pixels = draw(kind, side, np.random.default_rng([7, number]))
    return Image.fromarray(pixels[: side * 3 // 4])


def text(number: int) -> str:
    return KINDS[number % len(KINDS)][2].format(n=100 + number)


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def rows(first: int, count: int) -> list[dict]:
    """Rows with the bytes of a PNG, a text and a group."""
    return [
        {"image": encoded(picture(number)), "caption": text(number), "source": f"field {number}"}
        for number in range(first, first + count)
    ]


def write_parquet(folder: Path, **splits: Rows) -> Path:
    """`<split>-00000-of-00001.parquet` in `data`, as `push_to_hub` names them."""
    for split, members in splits.items():
        path = folder / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(parquet_table(members), path)
    return folder


def parquet_table(members: Rows) -> pa.Table:
    """The rows, with the features that make `image` an image of `datasets`."""
    kept = [
        {**row, "image": row["image"] if isinstance(row["image"], dict) else as_image(row["image"])}
        for row in members
    ]
    table = pa.Table.from_pylist(kept)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = table.set_column(0, "image", pa.array([row["image"] for row in kept], kind))
    features = {
        field.name: {"_type": "Image"}
        if field.name == "image"
        else {"dtype": str(field.type), "_type": "Value"}
        for field in table.schema
        if not pa.types.is_nested(field.type) or field.name == "image"
    }
    if len(features) < len(table.schema):
        return table
    said = json.dumps({"info": {"features": features}})
    return table.replace_schema_metadata({"huggingface": said})


def as_image(data: object) -> dict | None:
    return None if data is None else {"bytes": data, "path": None}


def write_image_folder(
    folder: Path, members: Rows, split: str = "train", form: str = "csv"
) -> Path:
    """Pictures beside a `metadata.csv` or `metadata.jsonl`."""
    place = folder / split
    place.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, row in enumerate(members):
        name = str(row.get("file_name", f"{number}.png"))
        if isinstance(row["image"], bytes):
            (place / name).write_bytes(row["image"])
        lines.append(
            {"file_name": name}
            | {key: value for key, value in row.items() if key not in ("image", "file_name")}
        )
    if form == "jsonl":
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (place / "metadata.jsonl").write_text(text)
    else:
        with (place / "metadata.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
    return folder


def write_class_folders(folder: Path, count: int) -> Path:
    """`train/<class>/<number>.png`."""
    for number in range(count):
        name = f"{KINDS[number % 2][0]}_galaxy"
        (folder / "train" / name).mkdir(parents=True, exist_ok=True)
        picture(number).save(folder / "train" / name / f"{number}.png")
    return folder


def write_tar(
    folder: Path, members: Rows, split: str = "train", others: Mapping[str, bytes] | None = None
) -> Path:
    """A WebDataset: `<number>.png` and `<number>.txt`, and `others` by their suffixes."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / f"{split}-000.tar", "w") as archive:
        for number, row in enumerate(members):
            texts = {"png": row["image"], "txt": str(row["caption"]).encode()}
            for suffix, data in (texts | dict(others or {})).items():
                info = tarfile.TarInfo(f"{number:04}.{suffix}")
                info.size = len(data)  # type: ignore[arg-type]
                archive.addfile(info, io.BytesIO(data))  # type: ignore[arg-type]
    return folder
