"""Training of one model in several processes, under `srun` or named by JAX's own variables.

All processes run the same program, each on its own part of every batch. Only the first one writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from paperclip_cli.errors import UsageError

COORDINATOR, COUNT, NUMBER = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
Made = TypeVar("Made")


def join() -> None:
    """Joins the other processes, if there are any. Call it before JAX computes anything.

    Within a step of several tasks JAX learns all it needs from SLURM, and each task has one GPU.
    Elsewhere three variables tell it: COORDINATOR (`host:port` of the first process), COUNT and
    NUMBER (from 0). A process that is alone, as in the plain shell of a job, stays alone.
    """
    if jax.distributed.is_initialized():
        return
    is_named = COORDINATOR in os.environ
    if not is_named and ("SLURM_STEP_NODELIST" not in os.environ or _slurm_tasks() == 1):
        return
    # CPUs take what their processes exchange in the order in which it is computed, which must be
    # the same in all of them: small programs may otherwise overtake each other.
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    if is_named:
        jax.distributed.initialize(os.environ[COORDINATOR], _number(COUNT), _number(NUMBER))
    else:
        jax.distributed.initialize()


@contextmanager
def joined() -> Iterator[None]:
    """Joins the processes for the block.

    They leave it together, so that none takes another's end for a failure.
    """
    join()
    try:
        yield
    finally:
        if jax.distributed.is_initialized():
            jax.distributed.shutdown()


def leads() -> bool:
    """Whether this is the process that writes."""
    return jax.process_index() == 0


def meet(place: str) -> None:
    """Waits until all processes are here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(place)


def leader_first(make: Callable[[], Made]) -> Made:
    """`make()` in the first process, then in the others, which find its results on disk."""
    made = make() if leads() else None
    meet("the first process is done")
    return make() if made is None else made


def any_of(*flags: bool) -> tuple[bool, ...]:
    """Whether each flag is set in any process. All processes must ask at the same step."""
    if jax.process_count() == 1:
        return flags
    return tuple(map(bool, multihost_utils.process_allgather(np.asarray(flags)).any(axis=0)))


def _slurm_tasks() -> int:
    return int(os.environ.get("SLURM_STEP_NUM_TASKS") or os.environ.get("SLURM_NTASKS") or 1)


def _number(name: str) -> int:
    value = os.environ.get(name, "")
    if not value.isdecimal():
        raise UsageError(
            f"{COORDINATOR} is set, but {name} is {value!r}, not a number",
            f"set {COUNT} and {NUMBER} too, or none of the three",
        )
    return int(value)
