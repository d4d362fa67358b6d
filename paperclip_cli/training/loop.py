"""The training loop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import jax

from paperclip_cli.config import Recipe
from paperclip_cli.dataset.batches import Batches, HostBatch, look_ahead
from paperclip_cli.progress import Progress
from paperclip_cli.towers import clip
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.tokenizer import Tokenizer
from paperclip_cli.training import distributed
from paperclip_cli.training.checkpoints import Checkpoints
from paperclip_cli.training.interruption import Requests, StopRequest, unheard
from paperclip_cli.training.metrics import MetricsLog
from paperclip_cli.training.monitor import Monitor
from paperclip_cli.training.sharding import Devices
from paperclip_cli.training.step import (
    Batch,
    Learner,
    Metrics,
    TrainState,
    initial_state,
    train_step,
)
from paperclip_cli.training.validation import Validation

CHECKPOINT_SECONDS = 600.0  # the most that is lost when a machine dies between two evaluations
# Processes ask each other this often whether one of them must stop. Each time they wait for each
# other.
_STEPS_TO_AGREE = 10

Step: TypeAlias = Callable[[TrainState, Batch, jax.Array], tuple[TrainState, Metrics]]


def compiled(
    learner: Learner, devices: Devices, params: clip.Params, batch: Batch, key: jax.Array
) -> Step:
    """`train_step`, compiled for parameters and batches of these shapes.

    The arrays themselves need not exist yet. The step uses up the state it is given.
    """
    state = devices.shapes(jax.eval_shape(partial(initial_state, learner), params))
    step = jax.jit(partial(train_step, learner), donate_argnums=0, out_shardings=devices.everywhere)
    return step.lower(state, batch, devices.shapes(key)).compile()


@dataclass(frozen=True, kw_only=True)
class Training:
    """Everything that stays the same while a model is trained, and the initial state.

    `frozen` are the parameters that are not trained and therefore not in the state.
    `learns_summaries` is whether all captions are summaries.
    """

    recipe: Recipe
    folder: ModelFolder
    tokenizer: Tokenizer
    learner: Learner
    step: Step
    initial: TrainState
    frozen: clip.Params
    devices: Devices
    batches: Batches
    validation: Validation | None
    key: jax.Array
    log_every: int
    learns_summaries: bool

    def run(
        self,
        state: TrainState,
        done: int,
        checkpoints: Checkpoints,
        log: MetricsLog | None,
        progress: Progress,
        requests: Requests = unheard,
    ) -> TrainState:
        """Trains from the state after `done` steps, which is used up, and returns the last state.

        `requests` is how it is asked to stop.

        Raises:
            PaperclipError: loss or gradient is not finite.
        """
        steps = range(done, self.recipe.steps)
        with (
            requests() as stop,
            progress.table("train", self.recipe.steps, self.log_every) as table,
            closing(look_ahead(self.batches[step] for step in steps)) as batches,
        ):
            monitor = Monitor(log, table, self.batches.size, checkpoints.last)
            saved = time.monotonic()

            for step, batch in enumerate(batches, done + 1):
                state, metrics = self.step(state, self._on_devices(batch), self.key)
                monitor.watch(step, metrics)

                overdue = time.monotonic() - saved > CHECKPOINT_SECONDS
                stopping, late = self._agree(step, stop, overdue)
                if stopping or late or self._is_evaluated(step):
                    monitor.settle()
                    self._keep(step, state, checkpoints, monitor)
                    saved = time.monotonic()
                if stopping:
                    progress.note(f"stopped after step {step}; the same command resumes from there")
                    break
        return state

    def whole(self, state: TrainState) -> clip.Params:
        """The parameters of the whole model, with those of a state."""
        return self.frozen | _judged(state)

    def _on_devices(self, batch: HostBatch) -> Batch:
        spread = self.devices.spread
        groups = spread(batch.groups) if self.recipe.multi_positive else None
        return Batch(spread(batch.images), spread(batch.texts), groups)

    def _is_evaluated(self, step: int) -> bool:
        return step % self.recipe.eval_every == 0 or step == self.recipe.steps

    def _agree(self, step: int, stop: StopRequest, late: bool) -> tuple[bool, bool]:
        """Whether to stop and whether to save, with the same answer in all processes.

        It is asked once a step, so that a training that stops is also saved.
        """
        if jax.process_count() == 1:
            return bool(stop), late
        if step % _STEPS_TO_AGREE and step != self.recipe.steps:
            return False, False
        stopping, late = distributed.any_of(bool(stop), late)
        if stopping:
            stop.demand(signal.SIGTERM)  # another process was told
        return stopping, late

    def _keep(
        self, step: int, state: TrainState, checkpoints: Checkpoints, monitor: Monitor
    ) -> None:
        score = None
        if self._is_evaluated(step) and self.validation is not None:
            score = self.validation.score(_judged(state))
            monitor.validated(step, score)
        checkpoints.save(step, state, score)


def _judged(state: TrainState) -> clip.Params:
    """The parameters to evaluate and keep: the average, where there is one."""
    return state.params if state.average is None else state.average
