"""Classes of images: from a column of the dataset, or from a table of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from paperclip_cli.dataset import classes
from paperclip_cli.dataset.pairs import Pair, write_split
from paperclip_cli.errors import PaperclipError
from paperclip_cli.records import Key, Observation


def pair(number: int, path: str, category: str = "", **observed: str) -> Pair:
    return Pair(
        key=Key("hst", number),
        image=b"",
        path=path,
        caption="a text",
        abstract="a text",
        summary=None,
        seen_sky=None,
        seen_text=None,
        observation=Observation(**observed),  # type: ignore[arg-type]
        title="",
        category=category,
    )


PAIRS = [
    pair(1, "hst/proposal_1/m_31.jpg", "galaxies", instrument="ACS"),
    pair(1, "hst/proposal_1/m_32-0123abcd.jpg", "galaxies"),
    pair(2, "hst/proposal_2/m_31.jpg", " Solar  System "),
    pair(3, "hst/proposal_3/x.jpg", "--", instrument="NaN"),
]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_split(tmp_path / "set", "validation", PAIRS[:1])
    write_split(tmp_path / "set", "test", PAIRS[1:])
    return tmp_path / "set"


def test_a_column_gives_each_image_its_class(dataset: Path) -> None:
    splits = ("validation", "test")
    found = classes.of_column(dataset, splits, "category")
    assert found == ["galaxies", "galaxies", "Solar System", None]
    assert classes.of_column(dataset, splits, "instrument") == ["ACS", None, None, None]
    assert classes.of_column(dataset, splits, "proposal_id") == ["1", "1", "2", "3"]


@pytest.mark.parametrize(
    "blank", ["", " ", "-", "--", "—", "N/A", "n/a", "None", "NULL", "nan", "<NA>"]
)
def test_what_says_that_it_is_unknown_is_no_class(tmp_path: Path, blank: str) -> None:
    made = [pair(1, "hst/proposal_1/a.jpg", blank), pair(2, "hst/proposal_2/b.jpg", "galaxies")]
    write_split(tmp_path / "set", "test", made)
    assert classes.of_column(tmp_path / "set", ("test",), "category") == [None, "galaxies"]
    path = table(tmp_path, f"image,kind\na.jpg,{blank}\nb.jpg,x\n")
    assert classes.of_table(path, "kind", made) == [None, "x"]


@pytest.mark.parametrize("column", ["class10", "s_ra", "filters", "image"])
def test_what_holds_no_classes_is_refused_with_what_does(dataset: Path, column: str) -> None:
    with pytest.raises(PaperclipError, match=f"no column '{column}'") as caught:
        classes.of_column(dataset, ("test",), column)
    assert "category" in str(caught.value.hint) and "--labels-from" in str(caught.value.hint)
    assert "s_ra" not in str(caught.value.hint)


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "image,proposal_id,kind\nobservations/proposal_1/m 31.png,1,a\nm 32.fits,hst:1,b\n"
            "m_31.tif,2,c\nx.png,7,d\n",
            ["a", "b", "c", None],
        ),
        ("image,kind\nm 32.png,b\nx.jpg,\n", [None, "b", None, None]),
        ("proposal_id,kind\n1,a\nhst:2,b\njwst:3,c\n", ["a", "a", "b", None]),
        ("image,proposal_id,kind\n,1,whole\nm_31,1,own\n", ["own", "whole", None, None]),
        ("image,proposal_id,kind\nm_32,1,b\nm_32.jpg,1,b\n", [None, "b", None, None]),
        ("\ufeffkind,image\nb,m_32.jpg\n", [None, "b", None, None]),
    ],
)
def test_a_table_names_images_by_file_proposal_or_both(
    tmp_path: Path, text: str, expected: list[str | None]
) -> None:
    assert classes.of_table(table(tmp_path, text), "kind", PAIRS) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,other\nm_31,a\n", "no column 'kind'"),
        ("name,kind\nm_31,a\n", "no column `image` or `proposal_id`"),
        ("", "no column 'kind'"),
        ("image,kind\nm_31.jpg,a\np/m_31.png,b\n", "record 3: m_31 is 'b', but was 'a'"),
        ("image,kind\nother,a\n", "no line gives a class to an image"),
    ],
)
def test_a_table_that_says_nothing_clear_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PaperclipError, match=said):
        classes.of_table(table(tmp_path, text), "kind", PAIRS)


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    for path in (table(tmp_path, "image,kind\nä,a\n", "latin-1"), tmp_path / "none.csv", tmp_path):
        with pytest.raises(PaperclipError, match="cannot be read"):
            classes.of_table(path, "kind", PAIRS)
