"""Images of an index by the name of their target."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from paperclip_cli.indexes.open_index import Words
from paperclip_cli.text.object_names import designations, names_in, parts_of, spellings
from paperclip_cli.wording import counted


class NamedImage(NamedTuple):
    """The first row of an image, the number of its rows, and its target."""

    row: int
    tiles: int
    target: str
    is_placed: bool


def images_named(observations: Words, name: str) -> list[NamedImage]:
    """The images whose target has this name, however it is spaced and written."""
    wanted = designations(name)
    if not wanted:
        return []
    phrases = {f'"{" ".join(parts)}"' for parts in spellings(name)}
    found = observations.execute(
        "SELECT images.id, tiles, images.target, sky_dec IS NOT NULL AND NOT coalesce(moving, 0)"
        " FROM image_words JOIN images ON images.id = image_words.rowid"
        " WHERE image_words MATCH ? ORDER BY images.id",
        (" OR ".join(sorted(phrases)),),
    )
    return [NamedImage(*image) for image in found if parts_of(image[2]) in wanted]


def images_named_in(observations: Words, text: str) -> list[tuple[str, list[NamedImage]]]:
    """The names of targets in a text, and their images. Names of one target are named once."""
    return found_in(partial(images_named, observations), text)


def found_in(
    find: Callable[[str], list[NamedImage]], text: str
) -> list[tuple[str, list[NamedImage]]]:
    """The same, by what finds the images of a name."""
    found: dict[tuple[NamedImage, ...], str] = {}
    for name in names_in(text):
        if images := find(name):
            found.setdefault(tuple(images), name)
    return [(name, list(images)) for images, name in found.items()]


def named_note(observations: Words, text: str, best: str | None) -> str:
    """How to ask for the objects that a text names; empty if the `best` hit's target is one."""
    return note_by(partial(images_named, observations), text, best)


def note_by(find: Callable[[str], list[NamedImage]], text: str, best: str | None) -> str:
    """The same, by what finds the images of a name."""
    said = []
    for name, images in found_in(find, text):
        if best in {image.target for image in images}:
            return ""
        ways = ["--rank-by hybrid"]
        if any(image.is_placed for image in images):
            ways.insert(0, f'--near "{name}"')
        count = counted(len(images), "images")
        said.append(f"{name} is a target of the index ({count}): {' or '.join(ways)} finds it")
    return "; ".join(said)
