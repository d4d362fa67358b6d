"""Time to index a folder of FITS files without the model, against another checkout.

    python tests/benchmarks/index_fits.py [--images 2000] [--side 128] [--rounds 3]
        [--against CHECKOUT]

Whole processes, in turns: listing, hashing, headers, stretching and views, with towers that cost
nothing. Plain files have the headers of a drizzled Hubble image (gnomonic, ICRS); the others are
in FK4, which takes astropy.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _checkout  # noqa: F401
import numpy as np

_INDEX = """
import sys
from pathlib import Path
from paperclip_cli.workspace import Workspace
from tests.small_indexes import run
folder, cache, model = map(Path, sys.argv[1:])
report = run(folder, Workspace(cache, offline=True), str(model))
assert not report.failures, report.failures[:3]
"""


def write_images(folder: Path, count: int, side: int, frame: str) -> None:
    """Write files as a pipeline leaves them: an empty primary HDU, SCI and WHT."""
    from astropy.io import fits

    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        primary = fits.PrimaryHDU()
        primary.header.update(
            TELESCOP="HST", INSTRUME="ACS", DETECTOR="WFC", FILTER1="F814W", EXPTIME=680.0
        )
        primary.header.extend([("HISTORY", f"step {step}") for step in range(200)])
        values = random.normal(0.02, 0.004, (side, side)).astype("f4")
        science = fits.ImageHDU(values, name="SCI")
        science.header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", RADESYS=frame)
        science.header.update(CRPIX1=side / 2, CRPIX2=side / 2, CRVAL2=47.195)
        science.header["CRVAL1"] = 202.47 + 1e-3 * number
        science.header.update(CD1_1=-1e-5, CD1_2=2e-6, CD2_1=2e-6, CD2_2=1e-5)
        planes = [primary, science, fits.ImageHDU(values * 0 + 1, name="WHT")]
        fits.HDUList(planes).writeto(folder / f"{number:05d}.fits")


def seconds(checkout: Path, folder: Path, place: Path) -> float:
    with tempfile.TemporaryDirectory(dir=place) as cache:
        command = [sys.executable, "-c", _INDEX, str(folder), cache, str(place / "model")]
        begin = time.perf_counter()
        environment = os.environ | {"PYTHONPATH": str(checkout)}
        subprocess.run(command, check=True, cwd=checkout, env=environment)
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="another checkout")
    options = parser.parse_args()
    from tests.clip_models import write_model

    checkouts = {"here": Path(__file__).resolve().parents[2]}
    if options.against:
        checkouts["there"] = options.against.resolve()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_model(place / "model")
        for frame in ("ICRS", "FK4"):
            write_images(place / frame, options.images, options.side, frame)
            times: dict[str, list[float]] = {where: [] for where in checkouts}
            for _ in range(options.rounds):
                for where, checkout in checkouts.items():
                    times[where].append(seconds(checkout, place / frame, place))
            medians = {where: statistics.median(found) for where, found in times.items()}
            words = ", ".join(f"{where} {median:.2f} s" for where, median in medians.items())
            ratio = medians["here"] / medians.get("there", medians["here"])
            print(f"{options.images:,} files in {frame}: {words}; ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
