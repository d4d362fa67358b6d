"""What `index` costs beside the bare model, and what an update costs beside a new index.

    python tests/benchmarks/index_rate.py rate [--images 64] [--rounds 3]      ViT-B/16, previews of 512 pixels, in one process
    python tests/benchmarks/index_rate.py update [--images 30000] [--new 300]  `scratch:tiny`, small pictures, whole processes

`rate`: images a second of a run of the stage (listing, hashing, decoding, embedding, writing) and of the same compiled model on views that
are in memory already, in turns; only the 64 unrelated texts, a cost of each index and not of each image, are left out. The aim is 0.95.

`update`: seconds of `paperclip index` for all images, and for the new ones when the others are there. So small a model makes the fixed
costs of a process (JAX, compiling) a large part of both: the same overheads are therefore also put beside a model of 10 images a second.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _checkout  # noqa: F401
import numpy as np

from paperclip_cli.config import IndexConfig
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.workspace import Workspace

BATCH = 16
MODEL_RATE = 10.0  # images a second of ViT-B/16 on two cores


def write_previews(folder: Path, count: int, side: int, first: int = 0) -> None:
    """JPEGs as `fetch` leaves them: grey, noisy, square, each another one."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(first)
    smooth = np.add.outer(*np.hanning(side)[None].repeat(2, 0)) * 60
    for number in range(first, first + count):
        picture = np.clip(smooth + random.normal(30, 12, (side, side)), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{number:06d}.jpg", quality=95, subsampling=0)


def measure_rate(place: Path, images: int, rounds: int) -> None:
    from paperclip_cli.images.pictures import centre_view, decode_jpeg
    from paperclip_cli.stages import index
    from paperclip_cli.towers.embedder import ImageEmbedder
    from tests.benchmarks.cold_query import make_model
    from tests.small_indexes import FakeTower

    make_model(place / "model")
    model = ModelFolder.open(place / "model")
    write_previews(place / "p", images, 512)
    views = np.stack(
        [
            centre_view(decode_jpeg(path.read_bytes()), model.view)
            for path in sorted((place / "p").iterdir())
        ]
    )
    tower = ImageEmbedder(model, BATCH)
    tower.embed(views[:BATCH])
    times: dict[str, list[float]] = {"index": [], "bare model": []}
    for number in range(rounds):
        begin = time.perf_counter()
        index.run(
            IndexConfig(
                paths=(place / "p",), model=str(model.path), batch_size=BATCH, name=f"i{number}"
            ),
            Workspace(place / "cache"),
            images=lambda *_: tower,
            texts=lambda _: FakeTower(512),
        )
        middle = time.perf_counter()
        tower.embed(views)
        times["index"].append(middle - begin)
        times["bare model"].append(time.perf_counter() - middle)
    medians = {name: statistics.median(found) for name, found in times.items()}
    print(f"ViT-B/16, {images} previews of 512 pixels, batch {BATCH}, medians of {rounds}")
    for name, seconds in medians.items():
        print(f"{name:12} {images / seconds:6.2f} images/s")
    print(f"ratio        {medians['bare model'] / medians['index']:6.3f}")


def measure_update(place: Path, images: int, new: int) -> None:
    from tests.clip_models import write_model

    write_model(place / "model")
    write_previews(place / "p", images, 64)
    command = [
        str(Path(sys.executable).with_name("paperclip")),
        "--cache-dir",
        str(place / "cache"),
        "--quiet",
        "index",
        str(place / "p"),
        "--model",
        str(place / "model"),
    ]

    def seconds() -> float:
        begin = time.perf_counter()
        subprocess.run(command, check=True)
        return time.perf_counter() - begin

    seconds_of = {"all": seconds(), "nothing": seconds()}
    write_previews(place / "p", new, 64, first=images)
    seconds_of["new"] = seconds()
    print(f"scratch:tiny, {images:,} pictures, then {new:,} more")
    for name, found in seconds_of.items():
        print(f"{name:8} {found:7.2f} s")
    print(f"ratio of new to all            {seconds_of['new'] / seconds_of['all']:6.3f}")
    slow = [
        found + count / MODEL_RATE
        for found, count in ((seconds_of["new"], new), (seconds_of["all"], images))
    ]
    print(f"with a model of {MODEL_RATE:.0f} images/s     {slow[0] / slow[1]:6.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = parser.add_subparsers(dest="task", required=True)
    rate, update = tasks.add_parser("rate"), tasks.add_parser("update")
    rate.add_argument("--images", type=int, default=64)
    rate.add_argument("--rounds", type=int, default=3)
    update.add_argument("--images", type=int, default=30_000)
    update.add_argument("--new", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if options.task == "rate":
            measure_rate(Path(place), options.images, options.rounds)
        else:
            measure_update(Path(place), options.images, options.new)


if __name__ == "__main__":
    main()
