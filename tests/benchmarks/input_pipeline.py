"""Speed of the input pipeline relative to training.

    python tests/benchmarks/input_pipeline.py [--init scratch:base] [--batch-size 8]

Fetches a simulated sky and sets up a training as `paperclip train` does. Batches alone (order,
images from the store, captions cut and tokenized) are then drawn through the look-ahead, with the
store and without, and some steps are trained. Prints images/s of both and their ratio. The target
is 20 for ViT-B/16 (`scratch:base`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import _checkout  # noqa: F401
import jax

from paperclip_cli import malloc
from paperclip_cli.config import BuildDatasetConfig, FetchConfig, TrainConfig, training_recipe
from paperclip_cli.dataset.batches import look_ahead
from paperclip_cli.dataset.pairs import fingerprint
from paperclip_cli.progress import SilentProgress
from paperclip_cli.stages import build_dataset, fetch
from paperclip_cli.training.loop import Training
from paperclip_cli.training.setup import prepare
from paperclip_cli.training.step import Batch
from paperclip_cli.workspace import Workspace


def ready(options: argparse.Namespace, workspace: Workspace, cache: str) -> Training:
    config = TrainConfig(init=options.init, batch_size=options.batch_size, cache_images=cache)
    dataset = workspace.dataset("default")
    inputs = {"dataset": fingerprint(dataset, workspace)}
    recipe = training_recipe(config)
    return prepare(recipe, config, dataset, None, inputs, workspace, SilentProgress())


def input_rate(training: Training, batches: int) -> float:
    """Images/s of the batches alone."""
    with closing(look_ahead(training.batches[step] for step in range(batches + 1))) as source:
        next(source)
        begun = time.perf_counter()
        for batch in source:
            jax.block_until_ready(batch.images)
    return batches * training.batches.size / (time.perf_counter() - begun)


def training_rate(training: Training, steps: int) -> float:
    """Images/s of whole steps, input included.

    The first step is not timed, because it touches memory for the first time.
    """

    state = training.initial

    with closing(look_ahead(training.batches[step] for step in range(steps + 1))) as source:
        for number, batch in enumerate(islice(source, steps + 1)):
            on_device = Batch(*map(training.devices.spread, batch[:2]))
            state, metrics = training.step(state, on_device, training.key)
            if number == 0:
                jax.block_until_ready(state)
                begun = time.perf_counter()
        jax.block_until_ready((state, metrics))
    return steps * training.batches.size / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", default="scratch:base")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--proposals", type=int, default=120)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()

    malloc.keep_freed_pages()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder), offline=True)
        fetch.run(FetchConfig(simulate=options.proposals), workspace)
        build_dataset.run(BuildDatasetConfig(val_fraction=0, test_fraction=0), workspace)
        rates = {
            cache: input_rate(ready(options, workspace, cache), options.batches)
            for cache in ("host", "none")
        }
        trained = training_rate(ready(options, workspace, "host"), options.steps)

    found = {"training": round(trained, 2)}
    found |= {f"input_{name}": round(rate, 1) for name, rate in rates.items()}
    found |= {f"ratio_{name}": round(rate / trained, 1) for name, rate in rates.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
