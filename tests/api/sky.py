"""A small simulated sky from the archive to the index, by the Python API and by the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import paperclip_cli
from tests.hisp_files import write_benchmark
from tests.small_trainings import SMALL

SKY: dict[str, Any] = {"simulate": 24, "size": 64, "max_images": 2}
SPLIT: dict[str, Any] = {"val_fraction": 0.25, "test_fraction": 0.25}
TRAINING: dict[str, Any] = {"init": "scratch:tiny", "steps": 4, "batch_size": 4, "eval_every": 2}
IMAGE = "picture.png"


def small_towers() -> None:
    """Makes `scratch:tiny` small in this process, because compiling takes nearly all the time."""
    from paperclip_cli.towers import scratch

    scratch.SHAPES["scratch:tiny"] = SMALL


def write_image(folder: Path) -> Path:
    from tests.small_indexes import write_picture

    write_picture(folder / IMAGE, 3)
    return folder / IMAGE


def run_all(cache: Path, folder: Path, progress: Any = None) -> dict[str, Any]:
    """The result of each function, called once."""
    image = write_image(folder)
    told = {"cache": cache, "progress": progress}
    done: dict[str, Any] = {}
    done["fetch"] = paperclip_cli.fetch(**SKY, **told)
    done["summarize"] = paperclip_cli.summarize(**told)
    done["export_summaries"] = paperclip_cli.export_summaries(folder / "set.csv", cache=cache)
    done["import_summaries"] = paperclip_cli.import_summaries(
        folder / "set.csv", cache=cache, set="again"
    )
    done["build_dataset"] = paperclip_cli.build_dataset(**SPLIT, **told)
    done["train"] = paperclip_cli.train(**TRAINING, **told)
    done["evaluate"] = paperclip_cli.evaluate(controls=True, plots=folder / "plots", **told)
    done["benchmark"] = paperclip_cli.benchmark("hisp", write_benchmark(folder / "hisp"), **told)
    done["index"] = paperclip_cli.index(**told)
    done["index_status"] = paperclip_cli.index_status(cache=cache)
    done["export_index"] = paperclip_cli.export_index(folder / "sky.index", **told)
    done["import_index"] = paperclip_cli.import_index(folder / "sky.index", index="taken", **told)
    done["merge_indexes"] = paperclip_cli.merge_indexes(
        ["default", "taken"], index="union", cache=cache
    )
    done["describe"] = paperclip_cli.describe(image, **told)
    done["get"] = paperclip_cli.get("sim:1", out=folder, dry_run=True, **told)
    done["cite"] = paperclip_cli.cite(cache=cache)
    done["doctor"] = paperclip_cli.doctor(offline=True, **told)
    done["publish"] = paperclip_cli.publish("index", "default", "org/name", dry_run=True, **told)
    try:
        paperclip_cli.pull("org/name", offline=True, **told)
    except paperclip_cli.PaperclipError as error:  # the Hub is far away
        done["pull"] = error
    return done


def ask(cache: Path) -> None:
    """Searches the index by a text, by an image and by a vector, and embeds with its model."""
    image = next((cache / "previews" / "sim").rglob("*.jpg"))
    index = paperclip_cli.open_index(cache=cache)
    model = paperclip_cli.load_model(cache=cache)
    for what in ("galaxy mergers", image, model.embed_texts(["comet"])[0]):
        assert index.search(what)
    assert len(index.observations()) == len(index)
    assert model.describe(image, ["comet", "dust"])
    assert len(paperclip_cli.query("comet", cache=cache).to_table())


def command_lines(cache: Path, folder: Path) -> list[list[str]]:
    """The commands that do the same, as far as they leave files or print a result."""
    lines: list[list[object]] = [
        ["fetch", *_typed(SKY)],
        ["summarize"],
        ["summarize", "--export", folder / "set.csv"],
        ["summarize", "--import", folder / "set.csv", "--set", "again"],
        ["build-dataset", *_typed(SPLIT)],
        ["train", *_typed(TRAINING)],
        ["evaluate", "--controls", "--json"],
        ["index"],
        ["describe", write_image(folder), "--json"],
        ["cite"],
    ]
    return [["--cache-dir", str(cache), *map(str, line)] for line in lines]


def _typed(options: dict[str, Any]) -> list[str]:
    return [
        word
        for name, value in options.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
