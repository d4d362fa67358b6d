"""A clock on which time passes only where somebody waits for it, and a pace that remembers when it gave a turn."""

from __future__ import annotations

import threading
from collections.abc import Callable

from paperclip_cli.http.retry import Clock, Pace


class FakeClock(Clock):
    """`waits` is what was waited for, in order; `seen` what the thread that asks has read last."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._now = 1_000.0
        self._lock = threading.Lock()
        self._read = threading.local()

    @property
    def seen(self) -> float:
        return self._read.time

    def now(self) -> float:
        self._read.time = self._now
        return self._now

    def wait(self, seconds: float, stopped: threading.Event) -> None:
        with self._lock:
            self.waits.append(seconds)
            self._now += seconds


class WatchedPace(Pace):
    """A pace on a fake clock. `turns`: when each was given, whichever thread got it."""

    def __init__(self, rate: float, tell: Callable[[str], None] = lambda text: None) -> None:
        self.fake = FakeClock()
        self.turns: list[float] = []
        super().__init__(rate, tell, self.fake)

    def turn(self) -> None:
        super().turn()
        self.turns.append(self.fake.seen)

    def most_within(self, seconds: float) -> int:
        """The most turns that any stretch of so many seconds holds."""
        return max(
            sum(start <= turn < start + seconds for turn in self.turns) for start in self.turns
        )
