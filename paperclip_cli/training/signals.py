"""Ctrl-C and SIGTERM (a queue that wants its machine back) as requests, so that a training stops between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Which signal arrived, if any."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, signal.Handlers] = {}

    def __bool__(self) -> bool:
        return self.signal is not None

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Sets the request; it is the handler of the signals."""
        self.signal = number
        self._restore()  # a second one acts at once

    def _install(self) -> None:
        # A signal that is ignored (`nohup`, a job in the background) stays so.
        heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self.receive) for number in heard}  # type: ignore[misc]

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Within the block a signal only sets the request. A signal that arrived acts when the block ends, as it would have without it."""
    request = StopRequest()
    if threading.current_thread() is threading.main_thread():  # no other thread may have handlers
        request._install()
    try:
        yield request
    finally:
        request._restore()
    if request.signal is not None:
        signal.raise_signal(request.signal)
