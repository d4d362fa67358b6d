"""Which devices compute, how a batch is spread over them, and where compiled programs are remembered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from paperclip_cli.errors import UsageError
from paperclip_cli.threads import processors
from paperclip_cli.towers.clip import Compute
from paperclip_cli.towers.config import ClipConfig
from paperclip_cli.wording import counted

Tree = TypeVar("Tree")
_AXIS = "batch"
SHARE_OF_MEMORY = 0.25  # of a device's memory that images may take: model, optimiser and activations need the rest


class Devices:
    """Devices that share batches: parameters are on all of them, each batch is cut into equal parts.

    `everywhere` is the sharding of what all of them hold. `part` is what of a batch's rows this process's devices take: all, but where
    several processes train together.
    """

    def __init__(self, batch_size: int, wanted: int | None = None, parts: int = 1) -> None:
        """All local devices, or `wanted` of them; but no more than divide each of the batch's `parts` evenly.

        With several processes: all devices of all of them. UsageError where that cannot be.
        """
        self.used, self.unused = _chosen(batch_size // parts, wanted)
        # Automatic: the compiler spreads what is computed as it spreads the batch.
        self._mesh = jax.make_mesh((len(self.used),), (_AXIS,), (AxisType.Auto,), devices=self.used)
        self.everywhere = NamedSharding(self._mesh, PartitionSpec())
        self._shared = NamedSharding(self._mesh, PartitionSpec(_AXIS))
        rows = batch_size // jax.process_count()
        self.part = slice(jax.process_index() * rows, (jax.process_index() + 1) * rows)

    def __str__(self) -> str:
        """`2 x NVIDIA H200 (gpu)`, in how many processes, and how many devices could not be used."""
        first = self.used[0]
        kind = counted(processors(), "cores") if first.platform == "cpu" else first.device_kind
        processes = (
            f" in {counted(jax.process_count(), 'processes')}" if jax.process_count() > 1 else ""
        )
        left = (
            f"; {self.unused} unused, because the batch does not divide by more"
            if self.unused
            else ""
        )
        return f"{len(self.used)} x {first.platform} ({kind}){processes}{left}"

    @property
    def platform(self) -> str:
        """cpu, gpu or tpu."""
        return self.used[0].platform

    def replicate(self, tree: Tree) -> Tree:
        """The tree's arrays on every device. Each process has to have the same ones."""
        if jax.process_count() == 1:
            return jax.device_put(tree, self.everywhere)
        return jax.tree.map(self._replicated, tree)

    def _replicated(self, leaf: jax.Array) -> jax.Array:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(self._replicated(jax.random.key_data(leaf)))
        values = np.asarray(leaf)
        return jax.make_array_from_callback(
            values.shape, self.everywhere, lambda place: values[place]
        )

    def spread(self, rows: np.ndarray | jax.Array) -> jax.Array:
        """This process's rows of a batch, a part a device. What lies on the devices already stays where it is."""
        if isinstance(rows, jax.Array):
            return rows
        if jax.process_count() > 1:
            return jax.make_array_from_process_local_data(self._shared, rows)
        return jax.device_put(rows, self._shared)

    def shapes(self, tree: Tree) -> Tree:
        """Stand-ins for what `replicate` makes of such arrays: shapes and types, without values."""
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self.everywhere),
            tree,
        )

    def batch_shape(self, shape: tuple[int, ...], dtype: type) -> Any:
        """A stand-in for what `spread` makes of a batch, with all of its rows, in whichever process they are."""
        return jax.ShapeDtypeStruct(shape, dtype, sharding=self._shared)

    def keep(self, store: np.ndarray) -> Callable[[np.ndarray], jax.Array]:
        """Puts a store of images on every device; gives the function from rows to their images, spread."""
        kept = self.replicate(store)
        take = jax.jit(lambda store, rows: store[rows], out_shardings=self._shared)
        return lambda rows: take(kept, self.spread(rows.astype(np.int32)))

    def have_room(self, size: int) -> bool:
        """Whether `size` bytes leave most of the memory of each device alone; False where a device does not tell, as a CPU."""
        ours = [device for device in self.used if device.process_index == jax.process_index()]
        limits = [(device.memory_stats() or {}).get("bytes_limit", 0) for device in ours]
        return size <= SHARE_OF_MEMORY * min(limits)


def compute(dtype: str, devices: Devices, config: ClipConfig, remat: bool) -> Compute:
    """How towers compute here: `auto` is bfloat16 on an accelerator, where that is twice as fast, and float32 on a CPU."""
    narrow = dtype == "bfloat16" or (dtype == "auto" and devices.platform != "cpu")
    widths = [
        tower.hidden_size // tower.num_attention_heads for tower in (config.text, config.vision)
    ]
    fused = (
        narrow
        and devices.platform == "gpu"
        and all(width <= 128 and width % 8 == 0 for width in widths)
    )  # what cuDNN takes
    return Compute(jnp.bfloat16 if narrow else None, remat, fused)


def _chosen(rows: int, wanted: int | None) -> tuple[list[jax.Device], int]:
    """The devices that share batches of so many rows, and how many are left over."""
    if jax.process_count() > 1:
        if wanted is not None:
            raise UsageError(
                f"--devices {wanted} and {counted(jax.process_count(), 'processes')}",
                "leave out --devices: all of them are used",
            )
        if rows % jax.device_count():
            raise UsageError(
                f"a batch of {rows} does not divide by {counted(jax.device_count(), 'devices')}",
                "give another --batch-size",
            )
        return jax.devices(), 0
    local = jax.local_devices()
    if wanted is not None and not 1 <= wanted <= len(local):
        raise UsageError(
            f"--devices {wanted}: there are {len(local)} ({local[0].device_kind})",
            f"give 1 to {len(local)}",
        )
    count = max(n for n in range(1, (wanted or len(local)) + 1) if rows % n == 0)
    return local[:count], (wanted or len(local)) - count


def remember_compilations(folder: Path) -> None:
    """Keeps compiled programs in `folder`, so that a second run starts at once. A user's own JAX_COMPILATION_CACHE_DIR is left alone."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
