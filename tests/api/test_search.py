"""Search from Python: the answers of the command, as records, tables, files and pictures."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from PIL import Image

from paperclip_cli.api.hits import Hits
from paperclip_cli.api.search import Index, open_index, query
from paperclip_cli.config import IndexConfig
from paperclip_cli.errors import MissingStage, PaperclipError, UsageError
from paperclip_cli.output.hits import COLUMNS, IMAGE_COLUMNS
from paperclip_cli.stages import index as stage
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import towers


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """An index of 20 previews with random vectors."""
    workspace = Workspace(tmp_path_factory.mktemp("cache"), offline=True)
    write_fetched(workspace, "hst", proposals=12)
    stage.run(IndexConfig(model=str(tiny_model)), workspace, **towers())  # type: ignore[arg-type]
    return workspace.root


@pytest.fixture(scope="module")
def opened(cache: Path) -> Index:
    return open_index("default", cache)


def command(cache: Path, *arguments: str) -> str:
    line = [sys.executable, "-m", "paperclip_cli", "--cache-dir", str(cache), "--quiet", "query"]
    return subprocess.run(
        [*line, *arguments], capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout


NEAR = {"near": "00:40:00 -55:00:00", "radius": "25deg"}
AS_OPTIONS = ["--near", "00:40:00 -55:00:00", "--radius", "25deg"]


@pytest.mark.parametrize(
    ("text", "options", "arguments"),
    [
        ("spiral galaxy", {"k": 3}, ["-k", "3"]),
        (
            "dust",
            {"instrument": "ACS", "cycle": "21-24"},
            ["--instrument", "ACS", "--cycle", "21-24"],
        ),
        (
            "dust",
            {"minus": "stars", "weight": [1, 0.5]},
            ["--minus", "stars", "--weight", "1", "--weight", "0.5"],
        ),
        ("dust", {**NEAR, "collapse": "none"}, [*AS_OPTIONS, "--no-collapse"]),
        (None, {**NEAR, "k": 100}, [*AS_OPTIONS, "-k", "100"]),
        ("NGC 108", {"rank_by": "hybrid"}, ["--rank-by", "hybrid"]),
    ],
)
def test_python_and_the_command_answer_alike(
    cache: Path, tmp_path: Path, text: str | None, options: dict, arguments: list[str]
) -> None:
    hits = query(text, cache=cache, **options)
    words = [text] if text else []
    assert len(hits) > 0
    assert hits.write(tmp_path / "hits.json").read_text("utf-8") == command(
        cache, *words, *arguments, "--json"
    )
    for name, form in {"hits.vot": "votable", "hits.ecsv": "ecsv", "hits.csv": "csv"}.items():
        written = hits.write(tmp_path / name).read_text("utf-8")
        assert written == command(cache, *words, *arguments, "--format", form)


def test_a_hit_has_the_names_of_the_json(opened: Index, tmp_path: Path) -> None:
    hits = opened.search("dust", k=5)
    (first, *_) = json.loads(hits.write(tmp_path / "hits.json").read_text("utf-8"))
    for name, value in first.items():
        found = getattr(hits[0], name)
        found = list(found) if name == "filters" else found
        assert found == (pytest.approx(value, abs=1e-3) if isinstance(value, float) else value)


def test_hits_are_a_sequence(opened: Index) -> None:
    hits = opened.search("dust", k=5)
    assert len(hits) == 5 and [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert isinstance(hits[1:3], Hits) and list(hits[1:3]) == [hits[1], hits[2]]
    assert hits[-1] in hits and hits == opened.search("dust", k=5) != opened.search("x", k=5)
    assert hits.query == "dust" and hits.provenance["index"].startswith("default of")
    assert repr(hits).splitlines()[0] == "<Hits 'dust': 5>" and len(repr(hits).splitlines()) == 6
    assert "no image meets --near" in opened.search("dust", near=(200.0, 80.0)).notes[0]


@pytest.mark.parametrize("name", ["hits.vot", "hits.ecsv"])
def test_the_table_is_the_written_one_with_units(opened: Index, tmp_path: Path, name: str) -> None:
    hits = opened.search("dust", k=100, collapse="none", **NEAR)
    table, read = hits.to_table(), Table.read(hits.write(tmp_path / name))
    assert table.colnames == read.colnames == [column.name for column in COLUMNS]
    assert table["s_ra"].unit == u.deg and table["separation"].unit == u.arcmin
    assert SkyCoord(table["s_ra"], table["s_dec"]).separation(
        SkyCoord(10 * u.deg, -55 * u.deg)
    ).to_value("arcmin") == pytest.approx(table["separation"].to_value("arcmin"), abs=1e-4)
    for column in COLUMNS:
        ours, theirs = plain(table[column.name]), np.ma.asarray(read[column.name])
        if theirs.dtype.kind in "OU":  # in a VOTable, an unknown text is an empty one
            ours, theirs = ours.filled("").astype(str), np.ma.filled(theirs, "").astype(str)
        hidden = np.ma.getmaskarray(ours)
        np.testing.assert_array_equal(hidden, np.ma.getmaskarray(theirs), column.name)
        assert ours[~hidden].tolist() == theirs[~hidden].tolist(), column.name


def plain(column: object) -> np.ma.MaskedArray:
    values = np.asarray(getattr(column, "unmasked", column))
    return np.ma.MaskedArray(values, getattr(column, "mask", False))


def test_what_is_unknown_is_masked(opened: Index) -> None:
    table = opened.search("dust", k=100, collapse="none").to_table()
    assert table["separation"].mask.all() and table["tile_region"].mask.all()
    assert len(opened.search("dust", target="nothing").to_table()) == 0
    frame = opened.search("dust", k=3, **NEAR).to_pandas()
    assert frame["separation"].tolist() == pytest.approx(
        [round(hit.separation, 5) for hit in opened.search("dust", k=3, **NEAR)]
    )


def test_no_other_suffix_is_written(opened: Index, tmp_path: Path) -> None:
    hits = opened.search("dust")
    for name in ("hits.pickle", "hits"):
        with pytest.raises(UsageError, match="no format for the suffix"):
            hits.write(tmp_path / name)
    assert not list(tmp_path.iterdir())
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(PaperclipError, match=r"folder\.csv cannot be written \(Is a directory"):
        hits.write(tmp_path / "folder.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]
    assert "<h1>dust</h1>" in hits.write(tmp_path / "hits.HTML").read_text("utf-8")
    assert len(hits.write(tmp_path / "a.jsonl").read_text("utf-8").splitlines()) == len(hits)


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append(tag)


def test_a_notebook_shows_pictures_titles_and_notes(opened: Index) -> None:
    from dataclasses import replace

    hits = opened.search("dust", k=3)
    shown = hits._repr_html_()
    assert shown.count("data:image/jpeg;base64,") == 3 and all(hit.title in shown for hit in hits)
    evil = "<script>alert(1)</script>"
    spoiled = replace(hits[0], title=evil, target=evil, access_url="javascript:alert(1)")
    page = Hits((spoiled,) * 50, evil, (evil,), {})._repr_html_()
    assert not {"script", "a", "iframe", "link"} & set(Elements(page).tags)
    assert "... and 10 more" in page and page.count("<figure>") == 40


def test_ten_threads_search_one_index(opened: Index) -> None:
    asked = [f"galaxy number {number % 7}" for number in range(40)]
    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(opened.search, asked))
    assert together == [opened.search(text) for text in asked]


def images_of(hits: Hits) -> list[tuple[str, float]]:
    return [(hit.image, round(hit.score or 0, 4)) for hit in hits]


def test_an_image_is_a_path_an_array_or_of_pillow(opened: Index) -> None:
    (hit,) = opened.search("dust", k=1)
    with Image.open(hit.image) as picture:
        found = [
            opened.search(Path(hit.image), k=4),
            opened.search(picture, k=4),
            opened.search(np.asarray(picture), k=4),
            opened.search(image=hit.image, k=4),
        ]
    assert all(images_of(hits) == images_of(found[0]) for hits in found)
    name = Path(hit.image).name
    assert [hits.query for hits in found] == [name, "image", "image", name]
    pair = [Path(hit.image), np.zeros((8, 9), np.uint8)]
    assert images_of(opened.search(pair)) == images_of(opened.search(image=pair))
    assert opened.search("dust", image=hit.image).query == f"dust + {Path(hit.image).name}"
    with pytest.raises(PaperclipError, match=r"nowhere\.jpg: cannot be read"):
        opened.search(Path("nowhere.jpg"))


def test_a_vector_is_an_array_or_a_list(opened: Index) -> None:
    vector = opened.vectors[3]
    for given in (vector, 2 * vector, vector.tolist()):
        (hit,) = opened.search(given, k=1)
        assert hit.score == pytest.approx(1, abs=1e-6)
    combined = opened.search("dust", vector=vector, k=1)
    assert combined.query == "dust + vector"
    size = len(vector)
    for wrong in ("abc", [None] * size, [1, 2], [1e300] * size, [float("nan")] * size):
        with pytest.raises(UsageError, match=f"a vector of {size} finite numbers is needed"):
            opened.search(vector=wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="two vectors"):
        opened.search(vector, vector=vector)


def test_the_observations_are_all_images(opened: Index) -> None:
    table = opened.observations()
    assert len(table) == len(opened) == len(opened.vectors) == 20
    assert table.colnames == [column.name for column in IMAGE_COLUMNS]
    row = next(row for row in table if row["image"] == opened.search("dust", k=1)[0].image)
    assert row["proposal_id"] == opened.search("dust", k=1)[0].proposal_id
    assert table.meta["model"] == opened.model and repr(opened).startswith("<Index 'default': 20")


def test_positions_are_texts_pairs_or_of_astropy(opened: Index) -> None:
    places = ["00:40:00 -55:00:00", "10 -55", (10.0, -55.0), SkyCoord(10, -55, unit="deg")]
    radii = ["25deg", 25 * u.deg]
    found = [opened.search("dust", near=near, radius=radius) for near in places for radius in radii]
    assert len(found[0]) > 1
    assert all([one.image for one in hits] == [one.image for one in found[0]] for hits in found)


def test_wrong_calls_are_one_clear_error(cache: Path, opened: Index, tmp_path: Path) -> None:
    with pytest.raises(MissingStage, match="there is no index 'mine'"):
        query("dust", index="mine", cache=cache)
    with pytest.raises(MissingStage, match="there is no index"):
        query("dust", cache=tmp_path)
    with pytest.raises(UsageError, match="name 3 is not a text"):
        open_index(3, cache)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the query is empty"):
        opened.search()
    with pytest.raises(TypeError, match="'instruments'; did you mean 'instrument'"):
        opened.search("dust", instruments="ACS")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="there is no option 'index'"):
        opened.search("dust", index="another")  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="not an angle with a unit"):
        opened.search("dust", near=(10, -55), radius=2)  # type: ignore[arg-type]
    with pytest.raises(PaperclipError, match="--offline: the position of 'M 51'"):
        query("dust", cache=cache, offline=True, near="M 51")


def test_near_may_name_a_target_of_the_index_or_a_frame(opened: Index, cache: Path) -> None:
    table = opened.observations()
    target, ra, dec = table["target"][0], table["s_ra"][0].value, table["s_dec"][0].value
    (first, *_) = opened.search(near=f"{target}".lower())
    assert first.target == target and first.separation is not None and first.separation < 1
    there = SkyCoord(float(ra), float(dec), unit="deg").galactic
    lon, lat = float(there.l.deg), float(there.b.deg)
    for near in (f"{lon} {lat}", (lon, lat)):
        (again, *_) = opened.search(near=near, frame="galactic")
        assert again.image == first.image
    with pytest.raises(PaperclipError, match="the position of 'Nobody 5' cannot be looked up"):
        query(near="Nobody 5", cache=cache, offline=True)
