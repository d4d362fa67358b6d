"""Devices for training, and batches spread over them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from paperclip_cli.errors import UsageError
from paperclip_cli.threads import processors
from paperclip_cli.towers.clip import Compute
from paperclip_cli.towers.config import ClipConfig
from paperclip_cli.towers.device import compute_on
from paperclip_cli.wording import counted

Tree = TypeVar("Tree")
_AXIS = "batch"
# The share of a device's memory for images. Model, optimiser and activations need the rest.
SHARE_OF_MEMORY = 0.25
_COPIED_AT_A_TIME = 2**26  # bytes


class Stored(Protocol):
    """An array, or one whose rows are read when a slice of them is asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    @property
    def nbytes(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


class Devices:
    """Devices that share batches. All hold the parameters; each batch is cut into equal parts.

    `everywhere` is the sharding of what every device holds. `part` is the slice of a batch's rows
    for this process's devices: all rows, unless several processes train together.
    """

    def __init__(self, batch_size: int, wanted: int | None = None, parts: int = 1) -> None:
        """All local devices, or `wanted` of them, but no more than divide the batch evenly.

        Each of the batch's `parts` has to be divided. With several processes it is all devices of
        all of them.

        Raises:
            UsageError: the devices cannot share the batch.
        """
        self.used, self.unused = _chosen(batch_size // parts, wanted)
        # Automatic: the compiler spreads what is computed as it spreads the batch.
        self._mesh = jax.make_mesh((len(self.used),), (_AXIS,), (AxisType.Auto,), devices=self.used)
        self.everywhere = NamedSharding(self._mesh, PartitionSpec())
        self._shared = NamedSharding(self._mesh, PartitionSpec(_AXIS))
        rows = batch_size // jax.process_count()
        self.part = slice(jax.process_index() * rows, (jax.process_index() + 1) * rows)

    def __str__(self) -> str:
        """The devices (`2 x gpu (NVIDIA H200)`), with the count of processes and unused devices."""
        first = self.used[0]
        kind = counted(processors(), "cores") if first.platform == "cpu" else first.device_kind
        count = jax.process_count()
        processes = f" in {counted(count, 'processes')}" if count > 1 else ""
        left = f"; {self.unused} unused: the batch does not divide by more" if self.unused else ""
        return f"{len(self.used)} x {first.platform} ({kind}){processes}{left}"

    @property
    def mesh(self) -> Mesh | None:
        """The devices as `by_device` and `summed_by_device` take them; None for one alone."""
        return self._mesh if len(self.used) > 1 else None

    def replicate(self, tree: Tree) -> Tree:
        """The tree's arrays on every device. They must be the same in each process."""
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
        """This process's rows of a batch, one part on each device. Arrays on devices stay there."""
        if isinstance(rows, jax.Array):
            return rows
        if jax.process_count() > 1:
            return jax.make_array_from_process_local_data(self._shared, rows)
        return jax.device_put(rows, self._shared)

    def shapes(self, tree: Tree) -> Tree:
        """Stand-ins for the results of `replicate`: shapes and types without values."""
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self.everywhere),
            tree,
        )

    def batch_shape(self, shape: tuple[int, ...], dtype: type) -> Any:
        """A stand-in for the result of `spread`, with the rows of all processes."""
        return jax.ShapeDtypeStruct(shape, dtype, sharding=self._shared)

    def keep(self, store: Stored) -> Callable[[np.ndarray], jax.Array]:
        """Puts stored images on every device; returns the function from rows to spread images.

        They are copied in parts, so that they are never in the host's memory as a whole.
        """
        kept = jax.jit(
            partial(jnp.zeros, store.shape, store.dtype), out_shardings=self.everywhere
        )()
        put = jax.jit(_with_rows, donate_argnums=0, out_shardings=self.everywhere)
        rows = max(1, _COPIED_AT_A_TIME * len(store) // max(1, store.nbytes))
        for first in range(0, len(store), rows):
            part = self.replicate(store[first : first + rows])
            kept = put(kept, part, self.replicate(np.int32(first)))
        take = jax.jit(lambda store, rows: store[rows], out_shardings=self._shared)
        return lambda rows: take(kept, self.spread(rows.astype(np.int32)))

    def have_room(self, size: int) -> bool:
        """Whether `size` bytes are at most SHARE_OF_MEMORY of each device.

        False where a device does not report its memory, as a CPU.
        """
        ours = [device for device in self.used if device.process_index == jax.process_index()]
        limits = [(device.memory_stats() or {}).get("bytes_limit", 0) for device in ours]
        return size <= SHARE_OF_MEMORY * min(limits)


def by_device(mesh: Mesh | None, function: Callable[..., Tree]) -> Callable[..., Tree]:
    """The function of parameters and rows [B,...], computed by each device for its own rows alone.

    The results have a row for each. A gradient of the parameters is summed over the devices at the
    end, in float32. The compiler by itself would sum each matrix's where it is made, in the
    towers' type, and would have to know how cuDNN's attention can be divided.
    """
    if mesh is None:
        return function
    divided = jax.shard_map(
        lambda params, rows: function(_own(params), *rows),
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(_AXIS)),
        out_specs=PartitionSpec(_AXIS),
    )
    return lambda params, *rows: divided(params, rows)


def summed_by_device(mesh: Mesh | None, function: Callable[..., Tree]) -> Callable[..., Tree]:
    """The function of parameters and rows in parts [P,B,...], which sums over all rows.

    Each device computes the sum of its own rows. Then they are added up, once.
    """
    if mesh is None:
        return function
    divided = jax.shard_map(
        lambda params, rows: jax.lax.psum(function(_own(params), *rows), _AXIS),
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(None, _AXIS)),
        out_specs=PartitionSpec(),
    )
    return lambda params, *rows: divided(params, rows)


def _own(params: Tree) -> Tree:
    """Parameters of which each device has its own: their gradients are not summed by themselves."""
    return jax.lax.pcast(params, _AXIS, to="varying")


def _with_rows(store: jax.Array, rows: jax.Array, first: jax.Array) -> jax.Array:
    """The array, with these rows from row `first` on."""
    return jax.lax.dynamic_update_slice_in_dim(store, rows, first, axis=0)


def compute(dtype: str, devices: Devices, config: ClipConfig, remat: bool) -> Compute:
    """The settings with which towers compute on these devices."""
    return compute_on(devices.used, config, dtype, remat)


def _chosen(rows: int, wanted: int | None) -> tuple[list[jax.Device], int]:
    """The devices that share batches of `rows` rows, and the number of devices left over."""
    if jax.process_count() > 1:
        if wanted is not None:
            raise UsageError(
                f"--devices {wanted} with {counted(jax.process_count(), 'processes')}",
                "leave out --devices: all devices are used",
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
            f"--devices {wanted}: this machine has {len(local)} ({local[0].device_kind})",
            f"give 1 to {len(local)}",
        )
    count = max(n for n in range(1, (wanted or len(local)) + 1) if rows % n == 0)
    return local[:count], (wanted or len(local)) - count
