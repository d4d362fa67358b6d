"""The hits of a query, for notebooks and programs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.files import expanded, replace_file
from paperclip_cli.records import Hit

if TYPE_CHECKING:
    import pandas
    from astropy.table import QTable

    from paperclip_cli.indexes.query import Answer

_SHOWN = 40  # hits that a notebook or a prompt shows
_FORMS = {
    ".vot": "votable",
    ".xml": "votable",
    ".ecsv": "ecsv",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".reg": "ds9",
    ".html": "html",
}


@dataclass(frozen=True, eq=False)
class Hits(Sequence[Hit]):
    """The hits of one query, best first; those of a plain cone search, nearest first.

    A slice is `Hits`, too. A notebook shows them as pictures with titles and links.

    Attributes:
        query: the query in one line.
        notes: what the command would print before the hits, such as "no strong match".
        provenance: the software, the index, the model and its fingerprint.
    """

    _hits: tuple[Hit, ...]
    query: str
    notes: tuple[str, ...]
    provenance: dict[str, str]

    @classmethod
    def of(cls, answer: Answer) -> Hits:
        """The hits of an answer."""
        return cls(answer.hits, answer.query, answer.notes, dict(vars(answer.provenance)))

    @overload
    def __getitem__(self, place: int) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> Hits: ...
    def __getitem__(self, place: int | slice) -> Hit | Hits:
        if isinstance(place, slice):
            return Hits(self._hits[place], self.query, self.notes, self.provenance)
        return self._hits[place]

    def __len__(self) -> int:
        return len(self._hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self._hits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hits) and (self.query, self._hits) == (other.query, other._hits)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        from paperclip_cli.output.hits import one_line

        shown = [one_line(hit) for hit in self._hits[:_SHOWN]]
        more = [f"... and {len(self) - _SHOWN} more"] if len(self) > _SHOWN else []
        return "\n  ".join([f"<Hits {self.query!r}: {len(self)}>", *shown, *more])

    def _repr_html_(self) -> str:
        from paperclip_cli.output.contact_sheet import fragment

        return fragment(self, self.notes, _SHOWN)

    def to_table(self) -> QTable:
        """An astropy table with a row for each hit: the columns of `query --format votable`.

        Positions, angles and times are quantities, and what is unknown is masked. `meta` says what
        gave the answer.
        """
        from paperclip_cli.output.hits import values
        from paperclip_cli.output.tables import table

        return table(map(values, self), self._meta())

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas data frame with the same columns, without units.

        Raises:
            PaperclipError: pandas is not installed.
        """
        from importlib.util import find_spec

        from paperclip_cli.install import library_line

        if find_spec("pandas") is None:
            raise PaperclipError("pandas is not installed", library_line("pandas"))
        return self.to_table().to_pandas()

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Writes the hits to a file, in the format of its suffix, and returns its path.

        The formats are those of `paperclip query`: `.vot` or `.xml` (VOTable), `.ecsv`, `.csv`,
        `.json`, `.jsonl`, `.reg` (regions for DS9), and `.html` (a contact sheet). An existing file
        is replaced.

        Raises:
            UsageError: the suffix is another one.
            PaperclipError: the file cannot be written.
        """
        from paperclip_cli.output.formats import written

        place = expanded(path)
        form = _FORMS.get(place.suffix.lower())
        if form is None:
            raise UsageError(
                f"{place}: there is no format for the suffix {place.suffix!r}",
                f"use one of {', '.join(_FORMS)}",
            )
        content = written(self, form, self._meta())
        try:
            replace_file(place, content)
        except OSError as error:
            raise PaperclipError(
                f"{place} cannot be written ({error.strerror or error})",
                "give a file in a folder that you may write to",
            ) from error
        return place

    def _meta(self) -> dict[str, str]:
        return {"query": self.query, **self.provenance}
