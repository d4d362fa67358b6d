"""Speed of the towers against transformers and PyTorch on this machine's CPU.

    python tests/benchmarks/towers.py [--batch 8] [--rounds 3] [--onnx]

Each side is a process of its own that loads the same random ViT-B/16 weights and waits. They take
turns to embed a batch of images and to take one training step (loss, gradients, AdamW), so that
other load on the machine falls on all of them. With `--onnx` (`pip install onnx onnxscript
onnxruntime`) ONNX Runtime embeds too.

Prints images/s, pairs/s, and the ratios of ours to the others. The targets against PyTorch are 0.95
in embedding and 0.85 in training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import _checkout  # noqa: F401
import numpy as np

TASKS = ("embed", "train")


def inputs(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Normalised images [B, 224, 224, 3] and full-length token ids [B, 77]."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 49_405, (batch, 77), np.int32)
    ids[:, 0], ids[:, -1] = 49_406, 49_407
    return rng.normal(size=(batch, 224, 224, 3)).astype(np.float32), ids


def our_tasks(folder: Path, batch: int) -> dict[str, Callable[[], object]]:
    from paperclip_cli import malloc

    malloc.keep_freed_pages()
    import jax
    import optax

    from paperclip_cli.images.view import View
    from paperclip_cli.towers import clip, weights
    from paperclip_cli.towers.config import ClipConfig
    from paperclip_cli.towers.folder import ModelFolder
    from paperclip_cli.training.losses import Objective

    config = ClipConfig.read(folder / "config.json")
    model = ModelFolder(path=folder, name="benchmark", config=config, view=View())
    graph, params = weights.load(model)

    optimiser = optax.adamw(1e-5, weight_decay=1e-3)
    pixels, ids = map(jax.numpy.asarray, inputs(batch))

    def loss(params: clip.Params) -> jax.Array:
        images = clip.image_embeddings(graph, params, pixels)
        texts = clip.text_embeddings(graph, params, ids)
        return Objective()(params, images, texts)

    def step(params: clip.Params, state: optax.OptState) -> tuple[clip.Params, optax.OptState]:
        updates, state = optimiser.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    embed = jax.jit(lambda params: clip.image_embeddings(graph, params, pixels))
    train = jax.jit(step, donate_argnums=(0, 1))
    now = [params, optimiser.init(params)]

    def train_once() -> None:
        now[:] = jax.block_until_ready(train(*now))

    return {"embed": lambda: jax.block_until_ready(embed(now[0])), "train": train_once}


def their_tasks(folder: Path, batch: int) -> dict[str, Callable[[], object]]:
    import torch
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(folder).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=1e-3)
    images, tokens = inputs(batch)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    ids = torch.from_numpy(tokens).long()

    def embed() -> None:
        with torch.inference_mode():
            model.get_image_features(pixel_values=pixels)

    def train() -> None:
        optimiser.zero_grad(set_to_none=True)
        model(input_ids=ids, pixel_values=pixels, return_loss=True).loss.backward()
        optimiser.step()

    return {"embed": embed, "train": train}


def onnx_tasks(folder: Path, batch: int) -> dict[str, Callable[[], object]]:
    import onnxruntime
    import torch
    from transformers import CLIPVisionModelWithProjection

    model = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    images = inputs(batch)[0].transpose(0, 3, 1, 2).copy()

    class Tower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.model(pixel_values=pixels).image_embeds

    with torch.no_grad():
        torch.onnx.export(
            Tower().eval(),
            (torch.from_numpy(images),),
            folder / "image.onnx",
            input_names=["pixels"],
            dynamo=True,
            external_data=False,
        )
    session = onnxruntime.InferenceSession(
        folder / "image.onnx", providers=["CPUExecutionProvider"]
    )
    return {"embed": lambda: session.run(None, {"pixels": images})}


SIDES = {"ours": our_tasks, "theirs": their_tasks, "onnx": onnx_tasks}


def work(side: str, folder: Path, batch: int) -> None:
    """Run each task once as a worker, then time the one that each line of stdin names."""
    tasks = SIDES[side](folder, batch)
    for run in tasks.values():
        run()
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        tasks[line.strip()]()
        print(time.perf_counter() - start, flush=True)


def compare(batch: int, rounds: int, with_onnx: bool) -> dict[str, float]:
    """Items/s of every side (median of `rounds`), and the ratios of ours to the others."""
    from transformers import CLIPConfig, CLIPModel

    turns = [(task, side) for task in TASKS for side in ("ours", "theirs")]
    if with_onnx:
        turns.append(("embed", "onnx"))

    with tempfile.TemporaryDirectory() as folder:
        CLIPModel(CLIPConfig(vision_config={"patch_size": 16})).save_pretrained(folder)
        sides = dict.fromkeys(side for _, side in turns)
        workers = {side: started(side, folder, batch) for side in sides}
        for worker in workers.values():
            answer(worker, "ready")

        seconds: dict[tuple[str, str], list[float]] = {turn: [] for turn in turns}
        for _ in range(rounds):
            for task, side in turns:
                time.sleep(0.3)  # until the other side's threads have stopped spinning
                print(task, file=workers[side].stdin, flush=True)
                seconds[task, side].append(float(answer(workers[side])))
        for worker in workers.values():
            worker.communicate()

    rates = {
        f"{task}_{side}": batch / statistics.median(taken)
        for (task, side), taken in seconds.items()
    }
    return rates | {
        f"{task}_ours/{side}": rates[f"{task}_ours"] / rates[f"{task}_{side}"]
        for task, side in turns
        if side != "ours"
    }


def started(side: str, folder: str, batch: int) -> subprocess.Popen:
    """A worker process."""
    command = [sys.executable, __file__, "--batch", str(batch), "--folder", folder]
    return subprocess.Popen(
        [*command, "--side", side], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def answer(worker: subprocess.Popen, wanted: str | None = None) -> str:
    """The next line that a worker prints, or the next that is `wanted`.

    Raises:
        SystemExit: the worker died.
    """

    line = (worker.stdout.readline() if worker.stdout else "").strip()
    while wanted is not None and line and line != wanted:  # messages of an exporter
        line = worker.stdout.readline().strip()  # type: ignore[union-attr]
    if not line:
        raise SystemExit(f"a worker ended early: {line!r}")
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=tuple(SIDES), help="run as the worker of this side")
    parser.add_argument("--onnx", action="store_true", help="measure ONNX Runtime too")
    parser.add_argument("--folder", type=Path, help="the worker's model")
    options = parser.parse_args()

    if options.side:
        work(options.side, options.folder, options.batch)
    else:
        found = compare(options.batch, options.rounds, options.onnx)
        print(json.dumps({name: round(value, 3) for name, value in found.items()}, indent=2))


if __name__ == "__main__":
    main()
