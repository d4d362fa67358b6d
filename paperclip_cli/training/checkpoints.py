"""The state of a training on disk, by Orbax: the last one, from which it goes on, and the best by validation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import jax

from paperclip_cli.errors import PaperclipError
from paperclip_cli.training.step import TrainState
from paperclip_cli.training.validation import Score

if TYPE_CHECKING:
    from orbax.checkpoint import CheckpointManager


class Checkpoints:
    """A folder of states, one a step; a step is there as a whole or not at all. To be used in a `with` block.

    States are written while the training goes on; what is asked for waits until they are, and so does the end of the block.
    """

    def __init__(self, folder: Path, keep_best: bool, best_by: str = "loss") -> None:
        """`best_by`: validation `loss` or retrieval `accuracy`."""
        self._folder, self._keeps_best, self._badness = (
            folder.absolute(),
            keep_best,
            _BADNESS[best_by],
        )

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
        """Made when it is first needed: a new training makes its first steps before Orbax is imported."""
        import orbax.checkpoint as ocp
        from orbax.checkpoint.checkpoint_managers import preservation_policy

        newest, best = (
            preservation_policy.LatestN(1),
            preservation_policy.BestN(
                get_metric_fn=self._badness,
                reverse=True,
                n=1,
                keep_checkpoints_without_metrics=False,
            ),
        )
        options = ocp.CheckpointManagerOptions(
            best_fn=self._badness if self._keeps_best else None,
            best_mode="min",
            cleanup_tmp_directories=True,
            preservation_policy=preservation_policy.AnyPreservationPolicy([newest, best])
            if self._keeps_best
            else newest,
        )
        return ocp.CheckpointManager(self._folder, options=options)

    def save(self, step: int, state: TrainState, score: Score | None = None) -> None:
        """Keeps the state after `step` steps, with its score if there is one. A step that is there already is left as it is."""
        from orbax.checkpoint.args import StandardSave

        if step not in self._manager.all_steps():
            metrics = (
                None
                if score is None or not self._keeps_best
                else {"loss": score.loss, "accuracy": score.accuracy or 0.0}
            )
            self._manager.save(step, args=StandardSave(state), metrics=metrics, force=True)

    def last(self) -> int | None:
        """The last step that was kept, None where there is none."""
        if not self._folder.is_dir():
            return None
        self._manager.wait_until_finished()
        return self._manager.latest_step()

    def best(self) -> int | None:
        """The step with the best score, of equal ones the last; None where no score was ever given."""
        self._manager.wait_until_finished()
        badness = {
            step: self._badness(metrics)
            for step in self._manager.all_steps()
            if (metrics := self._manager.metrics(step))
        }
        return min(badness, key=lambda step: (badness[step], -step)) if badness else None

    def restore(self, step: int, like: TrainState) -> TrainState:
        """The state after `step` steps, on the devices of `like`. PaperclipError where it does not fit the model."""
        from orbax.checkpoint.args import StandardRestore

        try:
            return self._manager.restore(step, args=StandardRestore(jax.tree.map(_shape, like)))
        except (ValueError, OSError, KeyError) as error:
            raise PaperclipError(
                f"the checkpoint of step {step} in {self._folder} cannot be restored ({str(error).splitlines()[0]})",
                "start over with `paperclip train --force`",
            ) from error


_BADNESS: dict[str, Callable[[dict[str, float]], float]] = {
    "loss": lambda metrics: metrics["loss"],
    "accuracy": lambda metrics: -metrics["accuracy"],
}


def _shape(leaf: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
