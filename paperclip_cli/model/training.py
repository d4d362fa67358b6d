"""A training, made ready from a recipe and a dataset, and its loop."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import jax

from paperclip_cli.config import Recipe, TrainConfig
from paperclip_cli.data.batches import Batches, look_ahead
from paperclip_cli.data.captions import prepare as prepare_captions
from paperclip_cli.data.heldout import are_summaries, held_out
from paperclip_cli.data.metrics import MetricsLog
from paperclip_cli.data.pairs import Pair, available_splits, read_split
from paperclip_cli.data.split import TRAIN, VALIDATION
from paperclip_cli.data.store import centre, open_store
from paperclip_cli.data.view import View
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.model.checkpoints import Checkpoints
from paperclip_cli.model.devices import Devices
from paperclip_cli.model.folder import ModelFolder
from paperclip_cli.model.interruption import stop_requests
from paperclip_cli.model.start import Start, start
from paperclip_cli.model.step import Batch, Learner, Metrics, TrainState, adamw, initial_state, train_step
from paperclip_cli.model.tokenizer import ENDS, Tokenizer
from paperclip_cli.model.validation import Validation
from paperclip_cli.progress import Progress, Task
from paperclip_cli.workspace import Workspace

CHECKPOINT_SECONDS = 600.0  # the longest that is lost when a machine dies between two evaluations


@dataclass(frozen=True)
class Training:
    """Everything that stays the same while a model is trained, and the state that it begins with."""

    recipe: Recipe
    folder: ModelFolder
    tokenizer: Tokenizer
    learner: Learner
    initial: TrainState
    devices: Devices
    batches: Batches
    validation: Validation | None
    key: jax.Array

    def run(self, state: TrainState, done: int, checkpoints: Checkpoints, log: MetricsLog, progress: Progress) -> TrainState:
        """From the state after `done` steps to that after the last. A state handed in is used up.

        Raises:
            PaperclipError: loss or gradient is not finite.
        """
        compiled = jax.jit(partial(train_step, self.learner), donate_argnums=0)
        steps = range(done, self.recipe.steps)
        with (stop_requests() as stop,
              progress.task("train", total=len(steps) * self.batches.size, unit="images") as task,
              closing(look_ahead(self.batches[step] for step in steps)) as batches):
            monitor = _Monitor(log, task, self.batches.size, self.recipe.steps)
            saved = time.monotonic()
            for step, batch in enumerate(batches, done + 1):
                state, metrics = compiled(state, Batch(*map(self.devices.spread, batch)), self.key)
                monitor.watch(step, metrics)
                stopping = bool(stop)  # asked once: what is left for is saved
                if stopping or self._is_evaluated(step) or time.monotonic() - saved > CHECKPOINT_SECONDS:
                    monitor.settle()
                    self._keep(step, state, checkpoints, log)
                    saved = time.monotonic()
                if stopping:
                    progress.note(f"stopped after step {step}; the same command goes on from there")
                    break
        return state

    def _is_evaluated(self, step: int) -> bool:
        return step % self.recipe.eval_every == 0 or step == self.recipe.steps

    def _keep(self, step: int, state: TrainState, checkpoints: Checkpoints, log: MetricsLog) -> None:
        score = None
        if self._is_evaluated(step) and self.validation is not None:
            score = self.validation.score(state.params if state.average is None else state.average)
            log.add(step, validation_loss=score.loss, validation_accuracy_10=score.accuracy)
        checkpoints.save(step, state, score and score.loss)


class _Monitor:
    """Logs steps, one late: reading the loss of a step waits for it, and the device then has the next one to do."""

    def __init__(self, log: MetricsLog, task: Task, size: int, steps: int) -> None:
        self._log, self._task, self._size, self._steps = log, task, size, steps
        self._waiting: tuple[int, Metrics] | None = None
        self._time = time.monotonic()

    def watch(self, step: int, metrics: Metrics) -> None:
        """Takes the metrics of a step that was handed to the device, and logs those of the step before."""
        self.settle()
        self._waiting = step, metrics

    def settle(self) -> None:
        """Logs what was not logged yet. PaperclipError where it is not finite."""
        if self._waiting is None:
            return
        step, metrics = self._waiting
        self._waiting = None
        loss, gradient, scale = (float(value) for value in metrics)
        now = time.monotonic()
        self._log.add(step, loss=loss, gradient_norm=gradient, logit_scale=scale, images_per_second=self._size / (now - self._time))
        self._time = now
        if not (math.isfinite(loss) and math.isfinite(gradient)):
            raise PaperclipError(f"step {step}: the loss is {loss} and the gradient {gradient}",
                                 "train with a lower --learning-rate, or a longer --warmup-steps; earlier checkpoints are kept")
        self._task.advance(self._size, step=f"{step}/{self._steps}", loss=loss)


def prepare(recipe: Recipe, config: TrainConfig, dataset: Path, base: ModelFolder | None, workspace: Workspace,
            progress: Progress) -> Training:
    """Reads the dataset, makes or loads the model, and says on which devices it will be trained."""
    pairs = read_split(dataset, TRAIN)
    initial_key, key = jax.random.split(jax.random.key(config.seed))
    begin = start(config.init, base, (pair.caption for pair in pairs), initial_key)
    view = replace(begin.folder.view, kind=recipe.view, crop=recipe.crop)
    length = _caption_length(recipe, begin.folder)
    size = _batch_size(recipe, pairs)
    devices = Devices(size, config.devices)
    progress.note(f"training on {devices}" + (f"; batches of {size}, which are all proposals" if size < recipe.batch_size else ""))
    learner = Learner(begin.graph, adamw(recipe), view.size, begin.folder.mean, begin.folder.std, recipe.ema_decay)
    captions = prepare_captions([pair.caption for pair in pairs], begin.tokenizer.count, are_summaries(pairs))
    batches = Batches(open_store(pairs, view, dataset / ".store" / TRAIN, progress), captions,
                      partial(begin.tokenizer.batch, length=length), length - ENDS, size, config.seed, recipe.caption_runs == "any")
    validation = _validation(begin, learner, devices, size, view, length, dataset, progress)
    initial = devices.replicate(initial_state(learner, begin.params))
    return Training(recipe, replace(begin.folder, view=view), begin.tokenizer, learner, initial, devices, batches, validation, key)


def _validation(begin: Start, learner: Learner, devices: Devices, size: int, view: View, length: int, dataset: Path,
                progress: Progress) -> Validation | None:
    """None where the dataset has no validation split."""
    if VALIDATION not in available_splits(dataset):
        return None
    pairs = read_split(dataset, VALIDATION)
    split = held_out(pairs, begin.tokenizer.count, length - ENDS)
    store = open_store(pairs, view, dataset / ".store" / VALIDATION, progress)
    return Validation(learner, devices, size, centre(store, view.size), begin.tokenizer.batch(split.texts, length), split)


def _caption_length(recipe: Recipe, folder: ModelFolder) -> int:
    limit = folder.config.text.max_position_embeddings
    if recipe.caption_tokens is not None and recipe.caption_tokens > limit:
        raise UsageError(f"--caption-tokens {recipe.caption_tokens} is more than the text encoder of {folder.name} takes",
                         f"give at most {limit}")
    return recipe.caption_tokens or limit


def _batch_size(recipe: Recipe, pairs: list[Pair]) -> int:
    proposals = len({pair.key for pair in pairs})
    if proposals < 2:
        raise PaperclipError("one proposal is too few to train on: there is nothing to tell it from", "add more to the dataset")
    return min(recipe.batch_size, proposals)
