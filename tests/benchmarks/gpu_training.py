"""Speed of training on a GPU.

    python tests/benchmarks/gpu_training.py

Needs jax, flax, optax and numpy only: all data are synthetic. ViT-B/16 is trained as
`paperclip train` does it on a GPU: bfloat16 compute, fused attention, float32 parameters and AdamW,
on all local devices.

At batch sizes 32 and 256 it prints pairs/s and the model FLOPs utilisation (MFU): the share of the
device's peak that the model's own arithmetic reaches. Images come in three ways: one batch that
stays on the device (`none`), gathered on the device (`device`), read from a file on the host
(`host`). At batch size 32 it also prints how long the paper's 20,000 steps would take. The targets
are 45 % at batch size 256, and 6 minutes on one H200.

Captions are token ids made beforehand, so the tokenizer's time is not included
(`input_pipeline.py` measures it). `--tiny` trains a small model, as a trial on a CPU.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import _checkout  # noqa: F401
import jax
import numpy as np

from paperclip_cli.config import PAPER_PRESET
from paperclip_cli.dataset.arrays import StoredArray, new_array, open_array
from paperclip_cli.dataset.batches import Batches, HostBatch, look_ahead
from paperclip_cli.towers import clip, init
from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.towers.folder import CLIP_MEAN, CLIP_STD
from paperclip_cli.training import encoders
from paperclip_cli.training.encoders import Pixels
from paperclip_cli.training.optimisers import adamw
from paperclip_cli.training.sharding import Devices, compute
from paperclip_cli.training.step import Batch, Learner, initial_state, train_step

PAPER_STEPS, PAPER_BATCH = 20_000, 32
# Dense bfloat16 operations per second, from NVIDIA's data sheets.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12}
FULL = ClipConfig(vision=VisionConfig(patch_size=16))
TINY = ClipConfig(
    TextConfig(
        vocab_size=500,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
    ),
    VisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=64,
        patch_size=16,
    ),
)


class Synthetic:
    """Batch inputs as costly as real ones, without the tokenizer.

    Images come from a file or the device, captions are token ids.
    """

    def __init__(self, images: Callable[[np.ndarray], np.ndarray], tokens: np.ndarray) -> None:
        self._images, self._tokens = images, tokens

    def __len__(self) -> int:
        return len(self._tokens)

    def __call__(self, epoch: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._images(rows), self._tokens[rows]


def operations(config: ClipConfig) -> float:
    """Floating-point operations of one training step, per pair.

    A multiply-add counts as 2. The backward pass counts twice the forward pass (no recomputation).
    The last block of a tower is computed at one token only. It is left out: less than a hundredth
    of the total.
    """

    def tower(tokens: int, size: VisionConfig | TextConfig) -> float:
        width, inner = size.hidden_size, size.intermediate_size
        per_token = 2 * (4 * width * width + 2 * width * inner) + 4 * tokens * width
        return (size.num_hidden_layers - 1) * tokens * per_token

    vision, text = config.vision, config.text
    patches = 2 * vision.num_patches * 3 * vision.patch_size**2 * vision.hidden_size
    images = patches + tower(vision.num_patches + 1, vision)
    return 3 * (images + tower(text.max_position_embeddings, text))


def measure(config: ClipConfig, folder: Path, size: int, steps: int, count: int) -> Iterator[dict]:
    """Yield one line for each way that images come in."""
    devices = Devices(size)
    how = compute("auto", devices, config, remat=False)
    graph, shapes = clip.abstract(config)
    params = init.draw(shapes, config, jax.random.key(0))
    learner = Learner(
        encoders.towers(graph, Pixels(config.vision.image_size, CLIP_MEAN, CLIP_STD), how),
        adamw(PAPER_PRESET),
    )
    store, tokens = synthetic(config, folder, count)
    compiled = jax.jit(
        partial(train_step, learner), donate_argnums=0, out_shardings=devices.everywhere
    )

    for cache in ("none", "device", "host"):
        # A step consumes its state. Averages left by earlier steps would not change the time.
        state = devices.replicate(initial_state(learner, jax.tree.map(jax.numpy.copy, params)))
        images = devices.keep(store) if cache == "device" else store
        inputs = Synthetic(images, tokens)
        batches = Batches(inputs=inputs, groups=np.arange(count), size=size, seed=0)
        endless = repeated(batches, devices) if cache == "none" else drawn(batches)

        begun = time.perf_counter()
        with closing(look_ahead(endless)) as source:
            state, metrics = compiled(state, spread(devices, next(source)), jax.random.key(1))
            jax.block_until_ready(metrics)
            first = time.perf_counter() - begun

            begun = time.perf_counter()
            for batch in islice(source, steps):
                state, metrics = compiled(state, spread(devices, batch), jax.random.key(1))
            jax.block_until_ready((state, metrics))
        seconds = (time.perf_counter() - begun) / steps
        yield described(config, devices, how, size, cache, first, seconds, float(metrics.loss))


def synthetic(config: ClipConfig, folder: Path, count: int) -> tuple[StoredArray, np.ndarray]:
    """Grey images uint8 [N,S,S,1] in a file, and token ids int32 [N,L].

    S is the side before the preset's crop.
    """
    rng, side = np.random.default_rng(0), round(config.vision.image_size / PAPER_PRESET.crop)
    path = folder / f"store-{side}.npy"
    if not path.is_file():
        with new_array(path, np.uint8, (count, side, side, 1)) as append:
            for _ in range(count):
                append(rng.integers(0, 256, (1, side, side, 1), np.uint8))

    tokens = rng.integers(
        1, config.text.vocab_size - 2, (count, config.text.max_position_embeddings), np.int32
    )
    tokens[:, -1] = config.text.eos_token_id
    stored = open_array(path)
    assert stored is not None
    return stored, tokens


def drawn(batches: Batches) -> Iterator[HostBatch]:
    """The batches in order, without an end."""
    return (batches[step] for step in itertools.count())


def repeated(batches: Batches, devices: Devices) -> Iterator[HostBatch]:
    """One batch that is already on the devices, without an end."""
    batch = HostBatch(*map(devices.spread, batches[0]))  # type: ignore[arg-type]
    while True:
        yield batch


def spread(devices: Devices, batch: HostBatch) -> Batch:
    return Batch(devices.spread(batch.images), devices.spread(batch.texts))


def described(
    config: ClipConfig,
    devices: Devices,
    how: clip.Compute,
    size: int,
    cache: str,
    first: float,
    seconds: float,
    loss: float,
) -> dict:
    device = devices.used[0]
    peak = next((value for name, value in PEAKS.items() if name in device.device_kind), None)
    used = operations(config) * size / seconds
    memory = (device.memory_stats() or {}).get("peak_bytes_in_use")
    line = {
        "device": str(devices),
        "dtype": str(np.dtype(how.dtype)) if how.dtype else "float32",
        "fused": how.fused,
        "batch": size,
        "cache": cache,
        "first_step_s": round(first, 2),
        "step_ms": round(1e3 * seconds, 2),
        "pairs_per_s": round(size / seconds, 1),
        "tflops": round(used / 1e12, 2),
        "mfu": round(used / peak / len(devices.used), 3) if peak else None,
        "peak_memory_gb": None if memory is None else round(memory / 1e9, 2),
        "loss": round(loss, 4),
    }
    if size == PAPER_BATCH:
        line["paper_minutes"] = round(PAPER_STEPS * seconds / 60, 1)
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--steps", type=int, default=100, help="number of timed steps")
    parser.add_argument("--images", type=int, default=4_096, help="number of images in the store")
    parser.add_argument(
        "--tiny", action="store_true", help="a small model and few steps, to see whether it runs"
    )
    options = parser.parse_args()

    config, steps, count = (TINY, 3, 300) if options.tiny else (FULL, options.steps, options.images)
    with tempfile.TemporaryDirectory() as folder:
        for size in options.batch:
            for line in measure(config, Path(folder), size, steps, count):
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
