"""The columns of a dataset that others made: images, texts, and the groups that texts belong to.

A group takes the place of a proposal: pairs of one group are never told apart.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pyarrow as pa

from paperclip_cli.dataset.pairs import OBSERVATION_COLUMNS, Pair, schema
from paperclip_cli.errors import PaperclipError
from paperclip_cli.records import Key, Observation
from paperclip_cli.workspace import is_name

IMAGE, TEXT, TEXTS = "image", "string", "list of strings"
BYTES, CLASS, NUMBER, OTHER = "bytes", "class", "number", "other"
_USUAL_TEXTS = ("caption", "text")
_OWN_KEY = ("mission", "proposal_id")
_LARGEST = 2**63 - 1  # of the column `proposal_id`


class Wanted(NamedTuple):
    """The columns that a user names; None is the usual one."""

    image: str | None = None
    text: str | None = None
    group: str | None = None


class Column(NamedTuple):
    """The kind of a column, its type in the words of `datasets`, and the names of its classes."""

    kind: str
    type: str
    classes: tuple[str, ...] = ()


class LeftOut(Exception):
    """A row that is no pair by rule; its text says which rows those are, in the plural."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a dataset that are read, and how.

    `group` None means that equal texts are one group, unless `has_keys`: then `mission` and
    `proposal_id` are a proposal, as in a dataset of ours that was published. `mission` is that of
    all other keys. `text_classes` are the texts where the text column holds numbers of classes.
    """

    image: str
    text: str
    group: str | None
    has_keys: bool
    mission: str
    text_classes: tuple[str, ...] = ()

    def text_of(self, row: Mapping) -> str:
        """The text of a row in one line.

        It is the first of a list of texts, or the name of a class, with blanks for underscores.

        Raises:
            LeftOut: it has none.
        """
        value = row.get(self.text)
        if self.text_classes:
            is_class = type(value) is int and 0 <= value < len(self.text_classes)
            value = self.text_classes[value].replace("_", " ") if is_class else None  # type: ignore[index]
        texts = value if isinstance(value, list | tuple) else [value]
        lines = (" ".join(text.split()) for text in texts if isinstance(text, str))
        found = next(filter(None, lines), None)
        if found is None:
            raise LeftOut("rows without a text")
        return found

    def key_of(self, row: Mapping, text: str) -> Key:
        """The key of a row's group.

        The number of a group with a name is a hash of it, so that it is the same in every split and
        every revision of a dataset.

        Raises:
            LeftOut: the row belongs to no group.
        """
        if self.has_keys:
            mission, number = row.get("mission"), _number(row.get("proposal_id"))
            if isinstance(mission, str) and is_name(mission) and number is not None:
                return Key(mission, number)
            raise LeftOut("rows without a mission and a proposal")

        value = text if self.group is None else row.get(self.group)
        if isinstance(value, str) and value.strip():
            digest = hashlib.sha256(value.strip().encode("utf-8", "surrogatepass")).digest()
            return Key(self.mission, int.from_bytes(digest[:8], "big") >> 1)
        number = _number(value)
        if number is None:
            raise LeftOut("rows without a group")
        return Key(self.mission, number)

    def pair(self, row: Mapping) -> Pair:
        """The pair of a row, still without its image.

        What a dataset of ours holds beside image and text is kept where it has the right type.

        Raises:
            LeftOut: the row has no text, or belongs to no group.
        """
        text = self.text_of(row)
        observed = {name: _known(row, name) for name in OBSERVATION_COLUMNS if name != "filters"}
        filters = tuple(_known(row, "filters") or ())
        return Pair(
            key=self.key_of(row, text),
            image=b"",
            caption=text,
            abstract=_known(row, "abstract") or text,
            summary=_known(row, "summary"),
            seen_sky=_known(row, "seen_sky"),
            seen_text=_known(row, "seen_text"),
            observation=replace(Observation(**observed), filters=filters),
            title=_known(row, "title") or "",
            category=_known(row, "category") or "",
        )

    def words(self) -> str:
        """`images from image, texts from caption; groups by source`."""
        if self.has_keys:
            groups = "proposals as in the dataset"
        elif self.group is None:
            groups = "pairs with equal texts are a group"
        else:
            groups = f"groups by {self.group}"
        return f"images from {self.image}, texts from {self.text}; {groups}"

    def used(self, columns: Mapping[str, Column]) -> list[str]:
        """Those `columns` that are read."""
        group = [] if self.group is None else [self.group]
        names = {self.image, self.text, *group, *_OWN_KEY, *_KINDS}
        return [name for name in columns if name in names]


def choose(columns: Mapping[str, Column], wanted: Wanted, mission: str, dataset: str) -> Columns:
    """The columns to read: those that are wanted, or else the usual ones.

    Raises:
        PaperclipError: a column is missing or of another kind, or it is not clear which one to use.
    """
    image = wanted.image or _usual_image(columns)
    _check(columns, image, dataset, "--image-column", {IMAGE, BYTES, TEXT})
    text = wanted.text or _usual_text(columns, image)
    _check(columns, text, dataset, "--text-column", {TEXT, TEXTS, CLASS})
    if wanted.group is not None:
        _check(columns, wanted.group, dataset, "--group-column", {NUMBER, TEXT, CLASS})
    kinds = [columns[name].kind if name in columns else None for name in _OWN_KEY]
    return Columns(
        image=image,  # type: ignore[arg-type]
        text=text,  # type: ignore[arg-type]
        group=wanted.group,
        has_keys=wanted.group is None and kinds == [TEXT, NUMBER],
        mission=mission,
        text_classes=columns[text].classes,  # type: ignore[index]
    )


def _usual_image(columns: Mapping[str, Column]) -> str | None:
    images = [name for name, column in columns.items() if column.kind == IMAGE]
    return images[0] if len(images) == 1 else "image" if "image" in columns else None


def _usual_text(columns: Mapping[str, Column], image: str | None) -> str | None:
    """`caption`, else `text`, else the only column of strings or, without one, of classes."""
    for name in _USUAL_TEXTS:
        if name in columns:
            return name
    for kinds in ({TEXT, TEXTS}, {CLASS}):
        # WebDataset adds `__key__` and `__url__`.
        found = [
            name
            for name, column in columns.items()
            if column.kind in kinds and name != image and not name.startswith("__")
        ]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _check(
    columns: Mapping[str, Column], name: str | None, dataset: str, option: str, kinds: set[str]
) -> None:
    listed = ", ".join(f"{name} ({column.type})" for name, column in columns.items())
    hint = f"its columns are {listed}" if listed else "it has no columns"
    what = option.removeprefix("--").removesuffix("-column")
    if name is None:
        raise PaperclipError(
            f"{dataset}: it is not clear which column holds the {what}", f"give {option}; {hint}"
        )
    if name not in columns:
        raise PaperclipError(f"{dataset} has no column {name!r} ({option})", hint)
    if columns[name].kind not in kinds:
        raise PaperclipError(
            f"{dataset}: column {name!r} cannot be the {what}: it is {columns[name].type}", hint
        )


def _number(value: object) -> int | None:
    """The number of a group; None where there is none. With gaps, a CSV file's are floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _LARGEST else None


_KINDS = {field.name: field.type for field in schema() if field.name != "image"}


def _known(row: Mapping, name: str) -> Any:
    """The value of a column of ours, or None where its type is not ours."""
    value, kind = row.get(name), _KINDS[name]
    if pa.types.is_list(kind):
        fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    elif pa.types.is_floating(kind):
        fits = type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    else:
        fits = type(value) is (bool if pa.types.is_boolean(kind) else str)
    return value if fits else None
