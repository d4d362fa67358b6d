"""Cost of `index` relative to the bare model, and of an update relative to a new index.

    python tests/benchmarks/index_rate.py rate [--images 64] [--rounds 3]
    python tests/benchmarks/index_rate.py update [--images 30000] [--new 300]

`rate` runs ViT-B/16 on previews of 512 pixels in one process. It times a run of the stage (listing,
hashing, decoding, embedding, writing) and the same compiled model on views that are already in
memory, in turns, in images/s. It leaves out the 64 unrelated texts only, whose cost is per index
and not per image. The target is 0.95.

`update` runs `scratch:tiny` on small pictures in whole processes. It times `paperclip index` for
all images, and again for new ones added to them. With so small a model the fixed costs of a process
(JAX, compiling) are a large part of both times. It therefore also prints the ratio with a model of
10 images/s and the same overheads.
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

from paperclip_cli import malloc
from paperclip_cli.config import IndexConfig
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.workspace import Workspace

BATCH = 16
MODEL_RATE = 10.0  # images/s of ViT-B/16 on two cores


def write_previews(folder: Path, count: int, side: int, first: int = 0) -> None:
    """Write JPEGs as `fetch` leaves them: grey, noisy and square, no two alike."""
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
    canvases = (decode_jpeg(path.read_bytes()) for path in sorted((place / "p").iterdir()))
    views = np.stack([centre_view(canvas, model.view) for canvas in canvases])
    malloc.keep_freed_pages()  # as the command does
    tower = ImageEmbedder(model, BATCH)
    tower.embed(views[:BATCH])  # compiles

    times: dict[str, list[float]] = {"index": [], "bare model": []}
    for number in range(rounds):
        config = IndexConfig(
            paths=(place / "p",), model=str(model.path), batch_size=BATCH, name=f"i{number}"
        )
        begin = time.perf_counter()
        index.run(
            config,
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
    paperclip = [str(Path(sys.executable).with_name("paperclip")), "--quiet"]
    paperclip += ["--cache-dir", str(place / "cache")]
    command = [*paperclip, "index", str(place / "p"), "--model", str(place / "model")]

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
    slow_new = seconds_of["new"] + new / MODEL_RATE
    slow_all = seconds_of["all"] + images / MODEL_RATE
    print(f"with a model of {MODEL_RATE:.0f} images/s     {slow_new / slow_all:6.3f}")


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
