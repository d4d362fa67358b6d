"""Orbax checkpoints of a training: the last, from which it resumes, and the best by validation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import jax

from paperclip_cli.errors import PaperclipError
from paperclip_cli.training import distributed
from paperclip_cli.training.step import TrainState
from paperclip_cli.training.validation import Score

if TYPE_CHECKING:
    from orbax.checkpoint import CheckpointManager


class Checkpoints:
    """A folder of states, one for each step that was kept. Use it in a `with` block.

    A state is on disk as a whole or not at all. States are written while the training goes on.
    Whatever reads them waits until they are written, and so does the end of the block.
    """

    def __init__(self, folder: Path, keep_best: bool, best_by: str = "loss") -> None:
        """`best_by`: validation `loss` or retrieval `accuracy`."""
        self._folder = folder.absolute()
        self._keeps_best, self._badness = keep_best, _BADNESS[best_by]

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if "_manager" in vars(self):
            self._manager.close()

    @cached_property
    def _manager(self) -> CheckpointManager:
        """Orbax's manager, made on first use: a new training takes its first steps without it."""
        import orbax.checkpoint as ocp
        from orbax.checkpoint.checkpoint_managers import preservation_policy

        newest = preservation_policy.LatestN(1)
        best = preservation_policy.BestN(
            get_metric_fn=self._badness, reverse=True, n=1, keep_checkpoints_without_metrics=False
        )
        both = preservation_policy.AnyPreservationPolicy([newest, best])
        # Orbax waits for the other processes in threads of its own. Named, they meet over the
        # network's own channel; else over the devices, between the steps of the training, whose
        # exchanges then get mixed up.
        count = jax.process_count()
        together = ocp.options.MultiprocessingOptions(
            active_processes=set(range(count)) if count > 1 else None,
            barrier_sync_key_prefix="checkpoints" if count > 1 else None,
        )
        if distributed.leads():
            self._folder.mkdir(parents=True, exist_ok=True)
        distributed.meet("there is a folder for checkpoints")
        options = ocp.CheckpointManagerOptions(
            create=False,
            multiprocessing_options=together,
            best_fn=self._badness if self._keeps_best else None,
            best_mode="min",
            cleanup_tmp_directories=True,
            preservation_policy=both if self._keeps_best else newest,
        )
        return ocp.CheckpointManager(self._folder, options=options)

    def save(self, step: int, state: TrainState, score: Score | None = None) -> None:
        """Keeps the state after `step` steps, with its score if there is one.

        A step that was kept before is left as it is.
        """
        from orbax.checkpoint.args import StandardSave

        if step in self._manager.all_steps():
            return
        metrics = None
        if score is not None and self._keeps_best:
            metrics = {"loss": score.loss, "accuracy": score.accuracy or 0.0}
        self._manager.save(step, args=StandardSave(state), metrics=metrics, force=True)

    def last(self) -> int | None:
        """The last step that was kept; None where there is none."""
        if not self._folder.is_dir():
            return None
        self._manager.wait_until_finished()
        return self._manager.latest_step()

    def best(self) -> int | None:
        """The step with the best score, the last of equal ones; None where no step has a score."""
        self._manager.wait_until_finished()
        badness = {
            step: self._badness(metrics)
            for step in self._manager.all_steps()
            if (metrics := self._manager.metrics(step))
        }
        return min(badness, key=lambda step: (badness[step], -step)) if badness else None

    def restore(self, step: int, like: TrainState) -> TrainState:
        """The state after `step` steps, on the devices of `like`.

        Raises:
            PaperclipError: the checkpoint is damaged or does not fit the model.
        """
        from orbax.checkpoint.args import StandardRestore

        try:
            return self._manager.restore(step, args=StandardRestore(jax.tree.map(_shape, like)))
        except (ValueError, OSError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise PaperclipError(
                f"the checkpoint of step {step} in {self._folder} cannot be restored ({reason})",
                "start over with `paperclip train --force`",
            ) from error


_BADNESS: dict[str, Callable[[dict[str, float]], float]] = {
    "loss": lambda metrics: metrics["loss"],
    "accuracy": lambda metrics: -metrics["accuracy"],
}


def _shape(leaf: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
