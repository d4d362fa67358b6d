"""`evaluate --benchmark hisp`: agreement with people, on a small file of the published layout.

The archive gives the names of the files. The names of HDUs and columns could not be confirmed, so
several are tried.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from scipy.stats import spearmanr

import paperclip_cli
from paperclip_cli.cli import app
from paperclip_cli.config import BenchmarkConfig
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.evaluation import hisp
from paperclip_cli.images.pictures import centre_view, make_canvas, read_picture
from paperclip_cli.images.view import View
from paperclip_cli.progress import SilentProgress
from paperclip_cli.stages import evaluate_benchmark
from paperclip_cli.towers.embedder import ImageEmbedder
from paperclip_cli.towers.folder import resolve
from paperclip_cli.workspace import Workspace
from tests.clip_models import write_model
from tests.hisp_files import (
    COUNT,
    NAMES,
    PRODUCT,
    cutouts,
    human,
    write_benchmark,
    write_images,
    write_table,
)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("ready"), offline=True)
    for seed, name in enumerate(("one", "two")):
        write_model(workspace.model(name), name, seed=seed, view=View(crop=0.9, size=64))
    return workspace


def test_it_is_the_correlation_over_all_pairs(ready: Workspace, tmp_path: Path) -> None:
    """Compared with views and embeddings made by hand."""
    folder = write_benchmark(tmp_path / "hisp")
    config = BenchmarkConfig(kind="hisp", folder=folder, model="one", baseline="two", batch_size=5)
    done = evaluate_benchmark.run(config, ready)
    assert [(row.name, row.role) for row in done.rows] == [("one", "model"), ("two", "baseline")]
    pairs = np.triu_indices(COUNT, 1)
    for row in done.rows:
        model = resolve(row.name, ready)
        pictures = [read_picture(folder / "images" / name) for name in NAMES]
        views = [centre_view(make_canvas(one, 512, model.view.pad), model.view) for one in pictures]
        vectors = ImageEmbedder(model, 12).embed(np.stack(views)).astype(float)
        truth = spearmanr((1 - vectors @ vectors.T)[pairs], human()[pairs]).statistic
        assert row.agreement.correlation == pytest.approx(truth, abs=1e-3)
        assert row.agreement.pairs == COUNT * (COUNT - 1) // 2
    assert done.images == COUNT and done.missing == 0 and not done.report.failures
    assert "2504.17688" in done.report.notes[0]


def test_the_models_own_distances_agree_perfectly(ready: Workspace, tmp_path: Path) -> None:
    write_benchmark(tmp_path / "first")
    compared = hisp.read(tmp_path / "first")
    model = resolve("one", ready)
    vectors, _ = evaluate_benchmark._embedded(model, compared, 32, SilentProgress())
    apart = np.maximum(1 - vectors.astype(float) @ vectors.T.astype(float), 0)
    np.fill_diagonal(apart, 0)
    folder = write_benchmark(tmp_path / "second", (apart + apart.T) / 2)
    done = evaluate_benchmark.run(BenchmarkConfig(kind="hisp", folder=folder, model="one"), ready)
    assert done.rows[0].agreement.correlation == pytest.approx(1, abs=1e-3)


def in_matrix_image(folder: Path) -> None:
    write_images(folder)
    fits.PrimaryHDU(human()).writeto(folder / f"{PRODUCT}_similarity.fits")
    write_table(folder / f"{PRODUCT}_images.fits", *cutouts(NAMES, "FILE"))


def in_column_of_vectors(folder: Path) -> None:
    write_images(folder / "jpegs" / "deep")
    vectors = fits.Column("distance", f"{COUNT}E", array=human())
    write_table(folder / f"{PRODUCT}_similarity.fits", *cutouts([n[:-4] for n in NAMES]), vectors)


def in_zip(folder: Path) -> None:
    write_benchmark(folder)
    with zipfile.ZipFile(folder / f"{PRODUCT}_images.zip", "w") as archive:
        for path in sorted((folder / "images").iterdir()):
            archive.write(path, f"some/where/{path.name}")
            path.unlink()


def named_by_a_list(folder: Path) -> None:
    write_images(folder)
    fits.PrimaryHDU(human()).writeto(folder / f"{PRODUCT}_distances.fits")
    (folder / "names.txt").write_text("\n".join(NAMES) + "\n")


def beside_another_matrix(folder: Path) -> None:
    write_benchmark(folder)
    fits.PrimaryHDU(np.eye(COUNT)).writeto(folder / f"{PRODUCT}_counts.fits")


@pytest.mark.parametrize(
    "write",
    [
        write_benchmark,
        in_matrix_image,
        in_column_of_vectors,
        in_zip,
        named_by_a_list,
        beside_another_matrix,
    ],
)
def test_the_matrix_and_its_images_are_found_by_their_form(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "hisp")
    found = hisp.read(tmp_path / "hisp")
    assert [Path(name).stem for name in found.names] == [Path(name).stem for name in NAMES]
    np.testing.assert_allclose(found.distance, human(), rtol=1e-6)
    assert found.missing == []
    for number, cutout in enumerate(found.cutouts):
        write_images(tmp_path / "own")
        assert np.array_equal(cutout.picture(), read_picture(tmp_path / "own" / NAMES[number]))


def test_missing_and_damaged_images_are_counted_and_named(
    ready: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_benchmark(tmp_path / "hisp")
    (folder / "images" / NAMES[3]).unlink()
    (folder / "images" / NAMES[7]).write_bytes(b"no picture")
    command = ["--cache-dir", str(ready.root), "evaluate", "--model", "one", "--batch-size", "5"]
    command += ["--benchmark", "hisp", str(folder)]
    assert app.run([*command, "--json"]) == 3
    printed = capsys.readouterr()
    done = json.loads(printed.out)
    assert done["n_images"] == COUNT - 2 and done["n_missing"] == 2
    assert done["n_pairs"] == (COUNT - 2) * (COUNT - 3) // 2
    assert NAMES[3] in printed.err and "no image of that name" in printed.err
    assert NAMES[7] in printed.err

    kept = [place for place in range(COUNT) if place not in (3, 7)]
    smaller = tmp_path / "smaller"
    write_images(smaller)
    fits.PrimaryHDU(human()[np.ix_(kept, kept)].astype(np.float32)).writeto(
        smaller / f"{PRODUCT}_distances.fits"
    )
    (smaller / "names.txt").write_text("\n".join(NAMES[place] for place in kept))
    assert app.run([*command[:-1], str(smaller), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == done["rows"]


def test_every_form(ready: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_benchmark(tmp_path / "hisp")
    command = ["--cache-dir", str(ready.root), "evaluate", "--model", "one,two"]
    command += ["--benchmark", "hisp", str(folder)]
    assert app.run([*command, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in printed["rows"]] == ["one", "two"]
    for row in printed["rows"]:
        for value, interval in (
            ("rank_correlation", "interval"),
            ("rank_correlation_by_image", "interval_by_image"),
        ):
            low, high = row[interval]
            assert -1 <= low <= row[value] <= high <= 1
        assert row["chance"] == 0 and row["benchmark"] == "hisp"
    assert app.run([*command, "--format", "jsonl"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == printed["rows"]
    assert app.run([*command, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["low"]) for row in rows] == [row["interval"][0] for row in printed["rows"]]
    assert app.run(command) == 0
    table = capsys.readouterr().out
    assert "12 images, 66 pairs" in table and "chance" in table
    assert max(map(len, table.splitlines())) <= 80
    api = paperclip_cli.benchmark("hisp", folder, model=["one", "two"], cache=ready.root)
    assert [round(row.agreement.correlation, 6) for row in api.rows] == [
        row["rank_correlation"] for row in printed["rows"]
    ]


def spoilt(folder: Path, matrix: np.ndarray) -> None:
    write_images(folder)
    fits.PrimaryHDU(matrix).writeto(folder / f"{PRODUCT}_distances.fits")
    (folder / "names.txt").write_text("\n".join(NAMES[: len(matrix)]))


def test_what_is_no_benchmark_is_refused(tmp_path: Path) -> None:
    def refuses(said: str, folder: Path = tmp_path / "here") -> None:
        with pytest.raises(PaperclipError, match=said):
            hisp.read(folder)

    refuses("is no folder")
    (tmp_path / "here").mkdir()
    refuses("with a square matrix")
    (tmp_path / "here" / f"{PRODUCT}_distances.fits").write_bytes(b"SIMPLE  = nothing")
    refuses("cannot be read|with a square matrix")

    lopsided = human()
    lopsided[0, 1] += 1
    for number, (said, matrix) in enumerate(
        (
            ("no distances", 1 - human()),
            ("no distances", human() - 2),
            ("not symmetric", lopsided),
            ("2 images", human()[:2, :2]),
        )
    ):
        spoilt(tmp_path / str(number), matrix)
        refuses(said, tmp_path / str(number))

    spoilt(tmp_path / "short", human())
    (tmp_path / "short" / "names.txt").write_text("\n".join(NAMES[:-1]))
    refuses("11 names, but", tmp_path / "short")
    (tmp_path / "short" / "names.txt").unlink()
    refuses("no table in .* names the images", tmp_path / "short")
    write_table(tmp_path / "short" / f"{PRODUCT}_images.fits", *cutouts(NAMES))
    for name in NAMES[2:]:
        (tmp_path / "short" / name).unlink()
    refuses("2 of the 12 images", tmp_path / "short")

    write_benchmark(tmp_path / "two")
    fits.PrimaryHDU(human(1)).writeto(tmp_path / "two" / f"{PRODUCT}_distances.fits")
    refuses("not clear which matrix", tmp_path / "two")
    write_benchmark(tmp_path / "twice")
    write_images(tmp_path / "twice" / "again", NAMES[:1])
    refuses("two images have one name", tmp_path / "twice")
    (tmp_path / "twice" / "again" / NAMES[0]).unlink()
    (tmp_path / "twice" / "bad.zip").write_bytes(b"PK nothing")
    refuses("is no ZIP file", tmp_path / "twice")


def test_a_member_of_a_zip_file_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_zip(tmp_path / "hisp")
    found = hisp.read(tmp_path / "hisp")
    monkeypatch.setattr(hisp, "_LARGEST", 100)
    with pytest.raises(paperclip_cli.errors.BadItem, match="too large"):
        found.cutouts[0].picture()


def test_options_on_data_do_not_go_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--cache-dir", str(tmp_path), "evaluate", "--benchmark", "hisp", str(tmp_path)]
    for more in (["--split", "all"], ["--dataset", "other"], ["--labels", "category"]):
        assert app.run([*command, *more]) == 2
        assert "images of its own" in capsys.readouterr().err
    assert app.run([*command[:-2], "other", str(tmp_path)]) == 2
    assert "'other'" in capsys.readouterr().err
    with pytest.raises(UsageError, match="given twice"):
        BenchmarkConfig(kind="hisp", folder=tmp_path, model="a", others=("a",))
