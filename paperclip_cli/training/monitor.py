"""Reports of a running training: every step goes into its log and to the console."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import jax

from paperclip_cli.errors import PaperclipError
from paperclip_cli.progress import Table
from paperclip_cli.training.metrics import MetricsLog
from paperclip_cli.training.step import Metrics
from paperclip_cli.training.validation import Score


class Monitor:
    """Logs each step one step late.

    Reading the loss of a step waits for it, and the device should then have the next one to do.
    Nothing else of a step is read, and its numbers are on their way as soon as it has ended.
    `log` is None in a process that does not write. `last_good` returns the last step that was kept,
    for the message when a training fails.
    """

    def __init__(
        self, log: MetricsLog | None, table: Table, size: int, last_good: Callable[[], int | None]
    ) -> None:
        self._log, self._table, self._size, self._last_good = log, table, size, last_good
        self._waiting: tuple[int, Metrics] | None = None
        self._time = time.monotonic()

    def watch(self, step: int, metrics: Metrics) -> None:
        """Takes the metrics of a step handed to the device, and logs those of the step before."""
        for value in jax.tree.leaves(metrics):
            value.copy_to_host_async()
        self.settle()
        self._waiting = step, metrics

    def settle(self) -> None:
        """Logs the step that still waits, if any.

        Raises:
            PaperclipError: its loss or gradient is not finite.
        """
        if self._waiting is None:
            return
        step, metrics = self._waiting[0], jax.device_get(self._waiting[1])
        self._waiting = None

        values = {
            "loss": float(metrics.loss),
            "gradient_norm": float(metrics.gradient),
            "logit_scale": float(metrics.scale),
            **({} if metrics.bias is None else {"logit_bias": float(metrics.bias)}),
        }
        now = time.monotonic()
        self._add(step, **values, images_per_second=self._size / (now - self._time))
        self._time = now

        loss, gradient = values["loss"], values["gradient_norm"]
        self._check(step, f"the loss is {loss} and the gradient {gradient}", loss, gradient)

    def validated(self, step: int, score: Score) -> None:
        """Logs a validation.

        Raises:
            PaperclipError: its loss is not finite.
        """
        self._add(step, validation_loss=score.loss, validation_accuracy_10=score.accuracy)
        self._time = time.monotonic()
        self._check(step, f"the validation loss is {score.loss}", score.loss)

    def _add(self, step: int, **values: float | None) -> None:
        if self._log is not None:
            self._log.add(step, **values)
        self._table.add(step, **values)

    def _check(self, step: int, what: str, *values: float) -> None:
        if all(map(math.isfinite, values)):
            return

        kept = self._last_good()
        hint = "train with a lower --learning-rate, or a longer --warmup-steps"
        if kept is None:
            raise PaperclipError(f"step {step}: {what}; there is no checkpoint before it", hint)
        raise PaperclipError(
            f"step {step}: {what}; the last good checkpoint is from step {kept}",
            f"resume from there with --resume and a lower --learning-rate, or {hint} and --force",
        )
