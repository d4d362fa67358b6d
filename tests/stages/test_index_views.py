"""The parts of a file that an index sees: the view, tiles, FITS images and sky positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paperclip_cli.config import IndexConfig, QueryConfig
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.indexes.model import model_of
from paperclip_cli.stages import index as stage
from paperclip_cli.stages import index_status, query
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace
from tests.small_indexes import FakeTower, holds, index_of, run, write_picture


def test_vectors_are_those_of_the_views(
    tmp_path: Path, workspace: Workspace, tiny_model: Path
) -> None:
    """With the real towers, the index holds the embedding of each image on its own."""
    from paperclip_cli.indexes.reader import image_view
    from paperclip_cli.towers.embedder import ImageEmbedder
    from paperclip_cli.towers.folder import ModelFolder

    for number in range(5):
        write_picture(tmp_path / f"{number}.png", number)
    stage.run(IndexConfig(paths=(tmp_path,), model=str(tiny_model), batch_size=2), workspace)
    model = ModelFolder.open(tiny_model)
    alone = ImageEmbedder(model, 1).embed(
        np.stack([image_view(tmp_path / f"{number}.png", model.view) for number in range(5)])
    )
    np.testing.assert_allclose(index_of(workspace).vectors, alone, atol=1e-5)


def test_files_say_themselves_where_they_lie_and_keep_it(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    from astropy.io import fits

    cards = [
        ("CTYPE1", "RA---TAN"),
        ("CTYPE2", "DEC--TAN"),
        ("CRVAL1", 359.999),
        ("CRVAL2", 0.0),
        ("CRPIX1", 20.0),
        ("CRPIX2", 20.0),
        ("CD1_1", -1e-4),
        ("CD2_2", 1e-4),
        ("TARGNAME", "NGC 1"),
        ("INSTRUME", "ACS"),
        ("FILTER1", "F814W"),
    ]
    values = np.random.default_rng(0).normal(1, 0.1, (40, 40)).astype("f4")
    (tmp_path / "p").mkdir()
    fits.PrimaryHDU(values, fits.Header(cards)).writeto(tmp_path / "p" / "a.fits")
    write_picture(tmp_path / "p" / "b.png", 1)
    run(tmp_path / "p", workspace, model)
    expected = holds(index_of(workspace))
    observation = expected[str(tmp_path / "p" / "a.fits")][0].observation
    assert (observation.target, observation.instrument, observation.filters) == (
        "NGC 1",
        "ACS",
        ("F814W",),
    )

    def found(**conditions: object) -> list[str]:
        return [
            Path(hit.image).name
            for hit in next(query.run(QueryConfig(texts=("x",), **conditions), workspace)).hits
        ]  # type: ignore[arg-type]

    assert found(near=(0.0015, 0.0)) == ["a.fits"] and found(near=(0.1, 0.0)) == []
    assert found(filters=("F814W",), targets=("ngc1",)) == ["a.fits"]
    assert run(tmp_path / "p", workspace, model).unchanged
    (tmp_path / "p" / "a.fits").rename(tmp_path / "p" / "c.fits")
    tower = FakeTower()
    assert (
        run(tmp_path / "p", workspace, model, tower).counts == {"images": 2, "renamed": 1}
        and tower.embedded == 0
    )
    assert found(near=(0.0015, 0.0)) == ["c.fits"]


def test_an_index_of_tiles_is_updated_and_asked_as_such(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    for number in range(3):
        write_picture(tmp_path / "p" / f"{number}.png", number)
    assert run(tmp_path / "p", workspace, model, view="tiles").counts == {"images": 3, "new": 3}
    (tmp_path / "p" / "0.png").unlink()
    (tmp_path / "p" / "1.png").write_text("no picture")
    write_picture(tmp_path / "p" / "3.png", 3)
    run(tmp_path / "p", workspace, model, batch_size=2)
    index = index_of(workspace)
    images = list(index.observations.images())
    assert [image.entry.tiles for image in images] == [9, 9] and len(index.vectors) == 18
    assert index_status.run(IndexConfig(), workspace)["view"] == "tiles"
    words = index.vectors @ FakeTower(index.vectors.shape[1]).embed(["x"])[0]
    assert words.shape == (18,)
    answer = next(query.run(QueryConfig(texts=("x",)), workspace))
    assert sorted(Path(hit.image).name for hit in answer.hits) == ["2.png", "3.png"], (
        "an image is one hit, however many tiles match"
    )
    scores = {Path(hit.image).name: hit.score for hit in answer.hits}
    from paperclip_cli.towers.folder import ModelFolder

    cosines = index.vectors @ TextTower.open(ModelFolder.open(Path(model))).embed(["x"])[0]
    assert scores == pytest.approx({"2.png": cosines[:9].max(), "3.png": cosines[9:].max()})
    with pytest.raises(PaperclipError, match=r"made with another view \(tiles\)"):
        run(tmp_path / "p", workspace, model, view="whole")


def test_a_hit_of_tiles_says_which_part_of_the_sky_it_means(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    from astropy.io import fits

    cards = [
        ("CTYPE1", "RA---TAN"),
        ("CTYPE2", "DEC--TAN"),
        ("CRVAL1", 10.0),
        ("CRVAL2", 20.0),
        ("CRPIX1", 20.5),
        ("CRPIX2", 20.5),
        ("CD1_1", -1e-3),
        ("CD2_2", 1e-3),
    ]
    fits.PrimaryHDU(
        np.random.default_rng(0).normal(1, 0.1, (40, 40)).astype("f4"), fits.Header(cards)
    ).writeto(tmp_path / "a.fits")
    run(tmp_path / "a.fits", workspace, model, view="tiles")
    (hit,) = next(query.run(QueryConfig(texts=("x",)), workspace)).hits
    assert hit.s_fov == pytest.approx(0.04, rel=1e-5)
    index = index_of(workspace)
    tile = int(
        np.argmax(index.vectors @ TextTower.open(model_of(index, workspace)).embed(["x"])[0])
    )
    corners = np.array(str(hit.tile_region).split()[2:], float).reshape(4, 2)
    across, down = (corners.mean(axis=0) - (10, 20)) * (-np.cos(np.radians(20)), -1) / 0.04
    places = [-0.5 + 0.4375 / 2, 0, 0.5 - 0.4375 / 2]
    assert (across, down) == (
        pytest.approx(places[tile % 3], abs=0.01),
        pytest.approx(places[tile // 3], abs=0.01),
    )


def test_hdu_and_stretch_belong_to_an_index(
    tmp_path: Path, workspace: Workspace, model: str
) -> None:
    from astropy.io import fits

    values = np.random.default_rng(0).normal(1, 0.1, (2, 40, 40)).astype("f4")
    (tmp_path / "p").mkdir()
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            *(
                fits.ImageHDU(plane, name=name)
                for plane, name in zip(values, ("SCI", "WHT"), strict=True)
            ),
        ]
    ).writeto(tmp_path / "p" / "a.fits")
    for name, more in (
        ("first", {}),
        ("second", {"hdu": "WHT"}),
        ("zscale", {"stretch": "zscale"}),
    ):
        run(tmp_path / "p", workspace, model, name=name, **more)
        assert run(tmp_path / "p", workspace, model, name=name).unchanged, (
            "what is not asked for again stays as it was"
        )
    vectors = [
        index_of(workspace, name).vectors[0].tolist() for name in ("first", "second", "zscale")
    ]
    assert vectors[0] != vectors[1] != vectors[2] != vectors[0]
    with pytest.raises(PaperclipError, match=r"another view \(centre, HDU WHT\)"):
        run(tmp_path / "p", workspace, model, name="second", stretch="zscale")
    with pytest.raises(
        PaperclipError, match=r"no image can be used \(1 image tried\): .* no HDU 9"
    ):
        run(tmp_path / "p", workspace, model, name="ninth", hdu=9)
    with pytest.raises(UsageError, match="--stretch"):
        IndexConfig(stretch="log")
