"""Speed of training on a GPU.

    python tests/benchmarks/gpu_training.py [--devices 1 2 4 8] [--profile DIR]

Needs jax, flax, optax, orbax and numpy only: all data are synthetic. ViT-B/16 is trained as
`paperclip train` does it on a GPU: bfloat16 compute, fused attention, float32 parameters and AdamW.
`--devices` are the numbers of devices to measure, one after the other; all local ones by default.
It has not been run on a GPU yet.

At batch sizes 32 and 256 it prints pairs/s and the model FLOPs utilisation (MFU): the share of the
device's peak that the model's own arithmetic reaches. Images come in three ways: one batch that
stays on the device (`none`), gathered on the device (`device`), read from a file on the host
(`host`). At batch size 32 it also prints how long the paper's 20,000 steps would take. The targets
are 45 % at batch size 256, and 6 minutes on one H200.

`captions_ms` and `images_ms` are what a thread of the host takes for a batch beside the device:
captions are cut anew from their tokenized sentences, and images read from the file. They must stay
below `step_ms`.

The last line of each number of devices says whether a training has the same bits when it is
repeated (`repeated`), and when it is interrupted, kept and resumed (`resumed`). On a GPU, sums may
be taken in any order (atomics). If only `resumed` is false, a checkpoint loses something.

`--profile DIR` records some steps for TensorBoard or Perfetto. `--tiny` trains a small model, as a
trial on a CPU.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import _checkout  # noqa: F401
import jax
import numpy as np

from paperclip_cli.config import PAPER_PRESET
from paperclip_cli.dataset.arrays import StoredArray, new_array, open_array
from paperclip_cli.dataset.batches import Batches, HostBatch, Pictures, Texts, look_ahead
from paperclip_cli.dataset.captions import Captions, longest_run
from paperclip_cli.towers import clip, init
from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.towers.folder import CLIP_MEAN, CLIP_STD
from paperclip_cli.training import encoders
from paperclip_cli.training.checkpoints import Checkpoints
from paperclip_cli.training.encoders import Pixels
from paperclip_cli.training.optimisers import adamw
from paperclip_cli.training.sharding import Devices, compute
from paperclip_cli.training.step import Batch, Learner, TrainState, initial_state, train_step

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


SENTENCES, WORDS = 9, (15, 45)  # of a caption, and tokens of a sentence
A_CAPTION = 19  # images, as Hubble's 31,859 previews of 1,700 proposals
ENDS = 2  # the tokens at the start and the end of a text
PROFILED = 5  # steps


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Everything that a measurement of a batch size on some devices needs."""

    config: ClipConfig
    devices: Devices
    how: clip.Compute
    learner: Learner
    params: clip.Params
    store: StoredArray
    texts: Texts
    size: int

    @classmethod
    def prepare(
        cls, config: ClipConfig, folder: Path, size: int, count: int, wanted: int | None
    ) -> Trial:
        devices = Devices(size, wanted)
        how = compute("auto", devices, config, remat=False)
        graph, shapes = clip.abstract(config)
        pixels = Pixels(config.vision.image_size, CLIP_MEAN, CLIP_STD)
        learner = Learner(
            encoders.towers(graph, pixels, how), adamw(PAPER_PRESET), mesh=devices.mesh
        )
        return cls(
            config=config,
            devices=devices,
            how=how,
            learner=learner,
            params=init.draw(shapes, config, jax.random.key(0)),
            store=synthetic_images(config, folder, count),
            texts=synthetic_texts(config, count),
            size=size,
        )

    def step(self) -> Callable[..., tuple]:
        """The step, compiled at its first call."""
        return jax.jit(
            partial(train_step, self.learner),
            donate_argnums=0,
            out_shardings=self.devices.everywhere,
        )

    def initial(self) -> TrainState:
        """A state that may be used up."""
        state = initial_state(self.learner, jax.tree.map(jax.numpy.copy, self.params))
        return self.devices.replicate(state)

    def batches(self, images: Callable[[np.ndarray], np.ndarray]) -> Batches:
        inputs = Pictures(images, self.texts)
        return Batches(inputs=inputs, groups=np.arange(len(self.texts)), size=self.size, seed=0)

    def spread(self, batch: HostBatch) -> Batch:
        return Batch(self.devices.spread(batch.images), self.devices.spread(batch.texts))


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


def measure(trial: Trial, steps: int, profile: Path | None) -> Iterator[dict]:
    """Yields one line for each way that images come in."""
    step, key = trial.step(), jax.random.key(1)
    for cache in ("none", "device", "host"):
        # A step consumes its state. Averages left by earlier steps would not change the time.
        state = trial.initial()
        images = trial.devices.keep(trial.store) if cache == "device" else trial.store
        batches = trial.batches(images)  # type: ignore[arg-type]
        endless = repeated(batches, trial.devices) if cache == "none" else drawn(batches)

        begun = time.perf_counter()
        with closing(look_ahead(endless)) as source:
            state, metrics = step(state, trial.spread(next(source)), key)
            jax.block_until_ready(metrics)
            first = time.perf_counter() - begun

            begun = time.perf_counter()
            for batch in islice(source, steps):
                state, metrics = step(state, trial.spread(batch), key)
            jax.block_until_ready((state, metrics))
            seconds = (time.perf_counter() - begun) / steps

            if profile is not None and cache == "host":
                with jax.profiler.trace(profile):
                    for batch in islice(source, PROFILED):
                        state, metrics = step(state, trial.spread(batch), key)
                    jax.block_until_ready((state, metrics))
        yield described(trial, cache, first, seconds, float(metrics.loss))


def synthetic_images(config: ClipConfig, folder: Path, count: int) -> StoredArray:
    """Grey images uint8 [N,S,S,1] in a file. S is the side before the preset's crop."""
    rng, side = np.random.default_rng(0), round(config.vision.image_size / PAPER_PRESET.crop)
    path = folder / f"store-{side}.npy"
    if not path.is_file():
        with new_array(path, np.uint8, (count, side, side, 1)) as append:
            for _ in range(count):
                append(rng.integers(0, 256, (1, side, side, 1), np.uint8))
    stored = open_array(path)
    assert stored is not None
    return stored


def synthetic_texts(config: ClipConfig, count: int) -> Texts:
    """Captions of SENTENCES sentences of random tokens; A_CAPTION images share one."""
    rng, length = np.random.default_rng(1), config.text.max_position_embeddings
    captions = -(-count // A_CAPTION)
    sizes = rng.integers(*WORDS, captions * SENTENCES, np.int32)
    begin = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    end = config.text.eos_token_id

    def padded(texts: Sequence[list[int]]) -> np.ndarray:
        ids = np.full((len(texts), length), end, np.int32)
        for row, tokens in zip(ids, texts, strict=True):
            kept = tokens if len(tokens) <= length else [*tokens[: length - 1], end]
            row[: len(kept)] = kept
        return ids

    first = np.arange(captions + 1) * SENTENCES
    return Texts(
        captions=Captions(
            first=first,
            body=first[:-1],
            size=sizes,
            begin=begin,
            last=np.stack([begin[:-1], begin[1:]], axis=1),
            ids=rng.integers(1, config.text.vocab_size - 2, int(begin[-1]), np.uint16),
            start=config.text.bos_token_id,
            end=end,
        ),
        own=np.arange(count) // A_CAPTION,
        draw=longest_run,
        room=length - ENDS,
        seed=0,
        padded=padded,
    )


def drawn(batches: Batches) -> Iterator[HostBatch]:
    """The batches in order, without an end."""
    return (batches[step] for step in itertools.count())


def repeated(batches: Batches, devices: Devices) -> Iterator[HostBatch]:
    """One batch that is already on the devices, without an end."""
    batch = HostBatch(*map(devices.spread, batches[0]))  # type: ignore[arg-type]
    while True:
        yield batch


def host_times(trial: Trial, times: int = 20) -> dict[str, float]:
    """Milliseconds that a thread takes for the captions and the images of a batch (medians)."""
    batches = trial.batches(trial.store)  # type: ignore[arg-type]
    parts: dict[str, Callable[[int, np.ndarray], object]] = {
        "captions_ms": trial.texts,
        "images_ms": lambda epoch, rows: trial.store(rows),
    }
    found = {}
    for name, make in parts.items():
        taken = []
        for number in range(times):
            epoch, rows = batches.rows(number)
            begun = time.perf_counter()
            make(epoch, rows)
            taken.append(time.perf_counter() - begun)
        found[name] = round(1e3 * statistics.median(taken), 2)
    return found


def resumption(trial: Trial, folder: Path, steps: int) -> dict:
    """Whether 2 x `steps` steps have the same bits again, and with a checkpoint half way."""
    step, key = trial.step(), jax.random.key(1)
    batches = trial.batches(trial.store)  # type: ignore[arg-type]

    def trained(state: TrainState, first: int, last: int) -> TrainState:
        for number in range(first, last):
            state, _ = step(state, trial.spread(batches[number]), key)
        return state

    whole = digest(trained(trial.initial(), 0, 2 * steps))
    again = digest(trained(trial.initial(), 0, 2 * steps))
    with Checkpoints(folder, keep_best=False) as checkpoints:
        checkpoints.save(steps, trained(trial.initial(), 0, steps))
        kept = checkpoints.restore(steps, trial.initial())
        resumed = digest(trained(kept, steps, 2 * steps))
    return {
        "device": str(trial.devices),
        "batch": trial.size,
        "steps": 2 * steps,
        "repeated": whole == again,
        "resumed": whole == resumed,
    }


def digest(state: TrainState) -> str:
    """SHA-256 of all arrays of a state."""
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(jax.device_get(state)):
        found.update(np.asarray(leaf).tobytes())
    return found.hexdigest()


def described(trial: Trial, cache: str, first: float, seconds: float, loss: float) -> dict:
    device = trial.devices.used[0]
    peak = next((value for name, value in PEAKS.items() if name in device.device_kind), None)
    used = operations(trial.config) * trial.size / seconds
    memory = (device.memory_stats() or {}).get("peak_bytes_in_use")
    line = {
        "device": str(trial.devices),
        "dtype": str(np.dtype(trial.how.dtype)) if trial.how.dtype else "float32",
        "fused": trial.how.fused,
        "unrolled": trial.how.unrolled,
        "batch": trial.size,
        "cache": cache,
        "first_step_s": round(first, 2),
        "step_ms": round(1e3 * seconds, 2),
        **host_times(trial),
        "pairs_per_s": round(trial.size / seconds, 1),
        "tflops": round(used / 1e12, 2),
        "mfu": round(used / peak / len(trial.devices.used), 3) if peak else None,
        "peak_memory_gb": None if memory is None else round(memory / 1e9, 2),
        "loss": round(loss, 4),
    }
    if trial.size == PAPER_BATCH:
        line["paper_minutes"] = round(PAPER_STEPS * seconds / 60, 1)
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--steps", type=int, default=100, help="number of timed steps")
    parser.add_argument("--images", type=int, default=4_096, help="number of images in the store")
    parser.add_argument("--devices", type=int, nargs="+", help="numbers of devices (default: all)")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="record some steps there")
    parser.add_argument(
        "--tiny", action="store_true", help="a small model and few steps, to see whether it runs"
    )
    options = parser.parse_args()

    config, steps, count = (TINY, 3, 300) if options.tiny else (FULL, options.steps, options.images)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for wanted in options.devices or [None]:
            for size in options.batch:
                trial = Trial.prepare(config, folder, size, count, wanted)
                for line in measure(trial, steps, options.profile):
                    print(json.dumps(line), flush=True)
            checkpoint = folder / f"checkpoint-{wanted}"
            print(json.dumps(resumption(trial, checkpoint, min(steps, 5))), flush=True)


if __name__ == "__main__":
    main()
