"""The training step compiled for an NVIDIA GPU, on a machine without one.

    python tests/benchmarks/gpu_program.py [--batch 256] [--accumulate 1] [--devices 1] [--as loop]

Needs `pip install jax-cuda12-plugin jax-cuda12-pjrt nvidia-cuda-nvcc-cu12` in the versions of jax.
XLA compiles the step of ViT-B/16 for an H100 from the description of that device alone. `--as` sets
single choices of `compute_on` aside: `loop` scans the layers, `plain` does without cuDNN.

Prints the seconds that XLA took, and what memory the program needs beside its arguments, in GB.
`--hlo FILE` keeps the program. Nothing is run, so it says nothing about speed. XLA also chooses
some kernels by trying them, which is left out here.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

os.environ["JAX_PLATFORMS"] = "cpu"

import _checkout  # noqa: F401
import jax
import numpy as np
from jax._src.cudnn import fused_attention_stablehlo as cudnn
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from paperclip_cli.config import PAPER_PRESET
from paperclip_cli.towers import clip
from paperclip_cli.towers.config import ClipConfig, VisionConfig
from paperclip_cli.towers.device import compute_on
from paperclip_cli.towers.folder import CLIP_MEAN, CLIP_STD
from paperclip_cli.training import encoders
from paperclip_cli.training.encoders import Pixels
from paperclip_cli.training.optimisers import adamw
from paperclip_cli.training.step import Batch, Learner, initial_state, train_step

CONFIG = ClipConfig(vision=VisionConfig(patch_size=16))
ASIDE = {"loop": {"unrolled": False}, "plain": {"fused": False}}
# XLA's description of an H100 (xla/backends/gpu/target_config/specs/h100_sxm.txtpb).
H100 = """
gpu_device_info {
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: 233472
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: 84942979072
  shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
runtime_version { major: 12 minor: 8 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


def compiled(
    how: clip.Compute, rows: int, parts: int, devices: int
) -> tuple[jax.stages.Compiled, float]:
    """The step, and the seconds that XLA took for it."""
    topology = topologies.get_topology_desc(
        platform="cuda", target_config=H100, topology=f"1x1x{devices}"
    )
    mesh = Mesh(np.array(topology.devices), ("batch",))
    everywhere, spread = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("batch",)))

    graph, shapes = clip.abstract(CONFIG)
    side = CONFIG.vision.image_size
    learner = Learner(
        encoders.towers(graph, Pixels(side, CLIP_MEAN, CLIP_STD), how),
        adamw(PAPER_PRESET),
        parts=parts,
        mesh=mesh if devices > 1 else None,
    )
    stored = round(side / PAPER_PRESET.crop)
    state, key = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=everywhere),
        jax.eval_shape(lambda p: (initial_state(learner, p), jax.random.key(0)), shapes),
    )
    length = CONFIG.text.max_position_embeddings
    batch = Batch(
        jax.ShapeDtypeStruct((rows, stored, stored, 1), np.uint8, sharding=spread),
        jax.ShapeDtypeStruct((rows, length), np.int32, sharding=spread),
    )
    step = jax.jit(partial(train_step, learner), donate_argnums=0, out_shardings=everywhere)
    lowered = step.trace(state, batch, key).lower(lowering_platforms=("cuda",))
    begun = time.perf_counter()
    # Kernels are not tried out: there is no device to try them on.
    program = lowered.compile(compiler_options={"xla_gpu_autotune_level": 0})
    return program, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--accumulate", type=int, default=1, help="number of parts of a batch")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--as", nargs="*", choices=tuple(ASIDE), default=[], dest="aside")
    parser.add_argument("--hlo", type=Path, metavar="FILE", help="where to keep the program")
    options = parser.parse_args()

    cudnn.check_cudnn_version = lambda: 91_000  # it is asked for while JAX traces
    how = compute_on(SimpleNamespace(platform="gpu"), CONFIG)
    for name in options.aside:
        how = how._replace(**ASIDE[name])
    program, seconds = compiled(how, options.batch, options.accumulate, options.devices)
    if options.hlo:
        options.hlo.write_text(program.as_text(), encoding="utf-8")
    memory = program.memory_analysis()
    found = {
        "batch": options.batch,
        "accumulate": options.accumulate,
        "devices": options.devices,
        "fused": how.fused,
        "unrolled": how.unrolled,
        "compile_s": round(seconds, 1),
        "arguments_gb": round(memory.argument_size_in_bytes / 1e9, 2),
        "beside_gb": round(memory.temp_size_in_bytes / 1e9, 2),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
