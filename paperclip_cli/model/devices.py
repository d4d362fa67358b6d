"""Which devices compute, how a batch is spread over them, and where compiled programs are remembered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from paperclip_cli.errors import UsageError

Tree = TypeVar("Tree")
_AXIS = "batch"


class Devices:
    """Local devices that share batches: parameters are on all of them, each batch is cut into equal parts."""

    def __init__(self, batch_size: int, wanted: int | None = None) -> None:
        """All local devices, or `wanted` of them; but no more than divide the batch evenly."""
        local = jax.local_devices()
        if wanted is not None and not 1 <= wanted <= len(local):
            raise UsageError(f"--devices {wanted}: there are {len(local)} ({local[0].device_kind})", f"give 1 to {len(local)}")
        count = max(n for n in range(1, (wanted or len(local)) + 1) if batch_size % n == 0)
        self.used, self.unused = local[:count], (wanted or len(local)) - count
        self._mesh = Mesh(np.asarray(self.used), (_AXIS,))

    def __str__(self) -> str:
        """`2 x NVIDIA H200 (gpu)`, and how many devices could not be used."""
        first = self.used[0]
        kind = f"{os.cpu_count()} cores" if first.platform == "cpu" else first.device_kind
        left = f"; {self.unused} unused, because the batch does not divide by more" if self.unused else ""
        return f"{len(self.used)} x {first.platform} ({kind}){left}"

    def replicate(self, tree: Tree) -> Tree:
        """The tree's arrays on every device."""
        return jax.device_put(tree, NamedSharding(self._mesh, PartitionSpec()))

    def spread(self, rows: np.ndarray) -> jax.Array:
        """An array cut along its first axis, a part a device."""
        return jax.device_put(rows, NamedSharding(self._mesh, PartitionSpec(_AXIS)))


def remember_compilations(folder: Path) -> None:
    """Keeps compiled programs in `folder`, so that a second run starts at once. A user's own JAX_COMPILATION_CACHE_DIR is left alone."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
