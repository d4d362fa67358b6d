"""One list of image suffixes: what `fetch --from` takes `index` takes, and the reader can read."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from paperclip_cli.archives.catalogue import format_catalogue
from paperclip_cli.config import FetchConfig
from paperclip_cli.images.find import SUFFIXES, find_images, is_image_name
from paperclip_cli.images.pictures import decode_jpeg, make_canvas, read_picture
from paperclip_cli.previews.records import read_previews
from paperclip_cli.stages import fetch
from paperclip_cli.workspace import Workspace
from tests.factories import make_proposal
from tests.small_indexes import index_of, run

DEEP = np.random.default_rng(0).normal(100, 9, (40, 60)).astype("f4")
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}


def write(path: Path) -> Path:
    """A picture in the form that the end of its name promises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name.lower()
    if (suffix := Path(name).suffix) in FORMATS:
        Image.fromarray(np.clip(DEEP, 0, 255).astype("u1")).save(path, FORMATS[suffix])
    elif name.endswith(".fz"):
        packed = fits.CompImageHDU(DEEP, quantize_level=0, compression_type="GZIP_1")
        fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path)
    else:
        plain = path.with_name(".plain")
        fits.PrimaryHDU(DEEP).writeto(plain)
        data = plain.read_bytes()
        plain.unlink()
        pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get(suffix, bytes)
        path.write_bytes(pack(data))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_suffix_is_known_in_either_case_and_read(tmp_path: Path, suffix: str) -> None:
    assert is_image_name(f"a{suffix}") and is_image_name(f"A.B{suffix.upper()}")
    path = write(tmp_path / f"a{suffix}")
    assert find_images([tmp_path]) == [path]
    kind = FORMATS.get(suffix)
    for other in [name for name in FORMATS if FORMATS[name] == kind] or [".fits"]:
        expected = read_picture(write(tmp_path / f"like{other}"))
        np.testing.assert_array_equal(read_picture(path), expected)


@pytest.mark.parametrize(
    "name", ["a.jpg.gz", "a.gz", "a.txt", "fits", "jpg", "a.fits.txt", "a.fzz"]
)
def test_nothing_else_is_an_image(name: str) -> None:
    assert not is_image_name(name)


def test_fetch_and_index_take_the_same_files(
    tmp_path: Path, workspace: Workspace, tiny_model: Path
) -> None:
    suffixes = (*SUFFIXES, *map(str.upper, SUFFIXES), ".fits.fz")
    names = sorted(f"{number}{suffix}" for number, suffix in enumerate(suffixes))
    folder = tmp_path / "archive" / "observations" / "proposal_1"
    for name in [*names, "notes.txt"]:
        write(folder / name) if name in names else (folder / name).write_text("no image")
    catalogue = format_catalogue([make_proposal("local", 1)])
    (tmp_path / "archive" / "abstracts.cat").write_text(catalogue)
    report = fetch.run(FetchConfig(source=tmp_path / "archive", max_images=99), workspace)
    assert report.failures == ()
    assert report.excluded == {"files that are not JPEG, PNG, TIFF or FITS": 1}
    previews = list(read_previews(workspace, ["local"]))
    assert sorted(Path(preview.original).name for preview in previews) == names
    for preview in previews:
        shown = decode_jpeg((workspace.previews("local") / preview.image).read_bytes())
        direct = make_canvas(read_picture(tmp_path / "archive" / preview.original), 512)
        np.testing.assert_allclose(shown.astype(int), direct.astype(int), atol=40)
    done = run(folder, workspace, str(tiny_model))
    assert done.counts == {"images": len(names), "new": len(names)}
    images = index_of(workspace).observations.images()
    assert sorted(Path(image.entry.path).name for image in images) == names
