"""Ctrl-C and SIGTERM as requests, so that a training stops between two steps.

SIGTERM comes, for example, from a queue that wants its machine back.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TypeAlias

from paperclip_cli.signals import SAME, act

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """The signal that arrived, if any."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._since = 0.0
        self._before: dict[int, signal.Handlers] = {}

    def __bool__(self) -> bool:
        return self.signal is not None

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Sets the request; it is the handler of the signals. A second one acts at once."""
        if self.signal is None:
            self.demand(number)
        elif time.monotonic() - self._since > SAME:
            self._restore()
            act(number)

    def demand(self, number: int) -> None:
        """Sets the request, which another process may have heard of. The first one counts."""
        if self.signal is None:
            self.signal, self._since = number, time.monotonic()

    def _install(self) -> None:
        # A signal that is ignored (`nohup`, a job in the background) stays ignored.
        heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self.receive) for number in heard}  # type: ignore[misc]

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


Requests: TypeAlias = "Callable[[], AbstractContextManager[StopRequest]]"


@contextmanager
def unheard() -> Iterator[StopRequest]:
    """A block in which signals do what they always do: handlers belong to the whole process."""
    yield StopRequest()


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """A block in which a signal only sets the request. It acts when the block ends."""
    request = StopRequest()
    if threading.current_thread() is threading.main_thread():  # no other thread may have handlers
        request._install()
    try:
        yield request
    finally:
        request._restore()
    if request.signal is not None:
        act(request.signal)
