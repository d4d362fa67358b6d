"""The loop leaves the device to itself: what it waits for, and when."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from paperclip_cli.config import PAPER_PRESET
from paperclip_cli.dataset.batches import HostBatch
from paperclip_cli.progress import SilentProgress
from paperclip_cli.training.loop import Training
from paperclip_cli.training.metrics import MetricsLog, read_metrics
from paperclip_cli.training.sharding import Devices
from paperclip_cli.training.step import Metrics

STEPS = 6


class OnDevice:
    """A number of a step that tells when it is read."""

    def __init__(self, step: int, events: list[tuple[str, int]]) -> None:
        self._step, self._events = step, events

    def copy_to_host_async(self) -> None:
        self._events.append(("sent", self._step))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self._events.append(("read", self._step))
        return np.float32(self._step)[()].reshape(())


class Nothing:
    """A state that nobody may read."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise AssertionError("the state was read")


class Batches:
    size = 4

    def __getitem__(self, step: int) -> HostBatch:
        return HostBatch(*(np.zeros(4, np.int32) for _ in HostBatch._fields))


def test_a_step_is_read_once_and_after_the_next_one_began(tmp_path: Path) -> None:
    events: list[tuple[str, int]] = []

    def step(state: Nothing, batch: object, key: object) -> tuple[Nothing, Metrics]:
        number = sum(what == "began" for what, _ in events) + 1
        events.append(("began", number))
        return state, Metrics(*(OnDevice(number, events) for _ in range(3)), None)  # type: ignore[arg-type]

    training = Training(
        recipe=dataclasses.replace(PAPER_PRESET, steps=STEPS, eval_every=STEPS),
        folder=None,
        tokenizer=None,
        learner=None,
        step=step,
        initial=None,
        frozen={},
        devices=Devices(4, 1),
        batches=Batches(),
        validation=None,
        key=None,
        log_every=1,
        learns_summaries=False,
    )  # type: ignore[arg-type]
    checkpoints: Any = SimpleNamespace(last=lambda: None, save=lambda *_: None)
    log = MetricsLog(tmp_path / "metrics.jsonl", 0)
    training.run(Nothing(), 0, checkpoints, log, SilentProgress())  # type: ignore[arg-type]

    assert [line["loss"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4, 5, 6]
    for number in range(1, STEPS + 1):
        assert events.count(("read", number)) == 3
    for number in range(1, STEPS):
        sent, begun = events.index(("sent", number)), events.index(("began", number + 1))
        assert sent < begun < events.index(("read", number))
