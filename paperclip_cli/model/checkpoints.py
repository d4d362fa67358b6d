"""The state of a training on disk, by Orbax: the last one, from which it goes on, and the best by validation loss."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from paperclip_cli.errors import PaperclipError
from paperclip_cli.model.step import TrainState


class Checkpoints:
    """A folder of states, one a step; a step is there as a whole or not at all. To be used in a `with` block."""

    def __init__(self, folder: Path, keep_best: bool) -> None:
        newest, best = preservation_policy.LatestN(1), preservation_policy.BestN(
            get_metric_fn=_loss, reverse=True, n=1, keep_checkpoints_without_metrics=False)
        options = ocp.CheckpointManagerOptions(
            best_fn=_loss, best_mode="min", cleanup_tmp_directories=True, enable_async_checkpointing=False,
            preservation_policy=preservation_policy.AnyPreservationPolicy([newest, best]) if keep_best else newest)
        self._folder = folder.absolute()
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._manager.close()

    def save(self, step: int, state: TrainState, loss: float | None = None) -> None:
        """Keeps the state after `step` steps, with its validation loss if there is one. A step that is there already is left as it is."""
        if step not in self._manager.all_steps():
            metrics = None if loss is None else {"loss": loss}
            self._manager.save(step, args=ocp.args.StandardSave(state), metrics=metrics, force=True)

    def last(self) -> int | None:
        """The last step that was kept, None where there is none."""
        return self._manager.latest_step()

    def best(self) -> int | None:
        """The step with the lowest validation loss; None where no loss was ever given."""
        losses = {step: metrics["loss"] for step in self._manager.all_steps() if (metrics := self._manager.metrics(step))}
        return min(losses, key=lambda step: (losses[step], -step)) if losses else None

    def restore(self, step: int, like: TrainState) -> TrainState:
        """The state after `step` steps, on the devices of `like`. PaperclipError where it does not fit the model."""
        try:
            return self._manager.restore(step, args=ocp.args.StandardRestore(jax.tree.map(_shape, like)))
        except (ValueError, OSError, KeyError) as error:
            raise PaperclipError(f"the checkpoint of step {step} in {self._folder} cannot be restored ({str(error).splitlines()[0]})",
                                 "start over with `paperclip train --force`") from error


def _loss(metrics: dict[str, float]) -> float:
    return metrics["loss"]


def _shape(leaf: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
