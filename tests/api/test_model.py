"""A model from Python: its embeddings are those of transformers and of the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from paperclip_cli.api.model import Label, load_model
from paperclip_cli.config import DescribeConfig
from paperclip_cli.dataset.phrases import PAPER_PHRASES
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.stages import describe
from paperclip_cli.workspace import Workspace
from tests.small_indexes import write_picture


def test_texts_are_unit_vectors_of_transformers(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer, CLIPModel

    model = load_model(tiny_model, cache=tmp_path)
    texts = ["spiral galaxy", "a globular cluster in the halo", ""]
    found = model.embed_texts(texts)
    assert found.dtype == np.float32 and found.shape == (3, model.dimension)
    theirs, words = (
        CLIPModel.from_pretrained(tiny_model).eval(),
        AutoTokenizer.from_pretrained(tiny_model),
    )
    with torch.no_grad():
        expected = theirs.get_text_features(**words(texts, return_tensors="pt", padding=True))
    expected = getattr(expected, "pooler_output", expected)
    expected = torch.nn.functional.normalize(expected, dim=-1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert model.embed_texts([]).shape == (0, model.dimension)


def test_images_are_paths_arrays_or_of_pillow(tiny_model: Path, tmp_path: Path) -> None:
    model = load_model(tiny_model, cache=tmp_path)
    paths = [tmp_path / f"{number}.png" for number in range(18)]
    for number, path in enumerate(paths):
        write_picture(path, number)
    pictures = [Image.open(path) for path in paths]
    found = model.embed_images(paths)
    assert found.dtype == np.float32 and found.shape == (18, model.dimension)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    for images in (list(map(str, paths)), pictures, list(map(np.asarray, pictures))):
        np.testing.assert_allclose(model.embed_images(images), found, atol=1e-5)
    np.testing.assert_allclose(model.embed_images(paths[:1]), found[:1], atol=1e-5)
    assert model.embed_images([]).shape == (0, model.dimension)


def test_a_fits_file_is_read_as_asked(tiny_model: Path, tmp_path: Path) -> None:
    counts = np.random.default_rng(0).exponential(size=(40, 30)).astype(np.float32)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(counts, name="SCI"), fits.ImageHDU(counts.T, name="X")]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    model = load_model(tiny_model, cache=tmp_path)
    first, sci, other, zscale = (
        model.embed_images([tmp_path / "a.fits"], **options)
        for options in ({}, {"hdu": "SCI"}, {"hdu": 2}, {"stretch": "zscale"})
    )
    np.testing.assert_array_equal(first, sci)
    assert not np.allclose(first, other) and not np.allclose(first, zscale)


def test_descriptions_are_those_of_the_command(tiny_model: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 0)
    workspace = Workspace(tmp_path / "cache", offline=True)
    config = DescribeConfig(images=(str(tmp_path / "a.png"),), model=str(tiny_model))
    (expected,) = describe.run(config, workspace).items
    model = load_model(str(tiny_model), cache=workspace.root)
    found = model.describe(tmp_path / "a.png")
    assert [label.label for label in found] == [label for label, _ in expected.labels]
    assert [label.score for label in found] == pytest.approx(
        [score for _, score in expected.labels], abs=1e-5
    )
    assert [label.rank for label in found] == [1, 2, 3, 4]
    with Image.open(tmp_path / "a.png") as picture:
        (best,) = model.describe(picture, ["dust", "a comet"], k=1, template="an image of {}")
    assert isinstance(best, Label) and best.label in ("dust", "a comet")
    assert len(model.describe(tmp_path / "a.png", k=1000)) == len(PAPER_PHRASES)


def test_wrong_calls_are_one_clear_error(tiny_model: Path, tmp_path: Path) -> None:
    model = load_model(tiny_model, cache=tmp_path)
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(PaperclipError, match=r"bad\.png: not a JPEG"):
        model.embed_images([tmp_path / "bad.png"])
    with pytest.raises(PaperclipError, match="image: an array"):
        model.embed_images([np.zeros(3)])
    with pytest.raises(TypeError):
        model.embed_texts("one text")
    with pytest.raises(TypeError):
        model.embed_images("one.png")
    with pytest.raises(UsageError, match="no place for the label"):
        model.describe(tmp_path / "bad.png", template="x")
    with pytest.raises(TypeError, match="a list of labels"):
        model.describe(tmp_path / "bad.png", "a comet")
    with pytest.raises(UsageError, match="-k '2' is not a whole number"):
        model.describe(tmp_path / "bad.png", k="2")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown --stretch 'log'"):
        model.embed_images([], stretch="log")
    with pytest.raises(UsageError, match="no labels"):
        model.describe(tmp_path / "bad.png", [])
    with pytest.raises(UsageError, match="no model 'nothing'"):
        load_model("nothing", tmp_path)
    with pytest.raises(UsageError, match="name 3 is not a text"):
        load_model(3, tmp_path)  # type: ignore[arg-type]
    assert repr(model).startswith("<Model ")
