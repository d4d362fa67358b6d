"""A clock on which time passes only while someone waits, and a pace that records its turns."""

from __future__ import annotations

import threading
from collections.abc import Callable

from paperclip_cli.http.retry import Clock, Pace


class FakeClock(Clock):
    """A fake clock. `waits` lists the waits in order; `seen` is the thread's own last reading."""

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
    """A pace on a fake clock. `turns` holds the time of each turn, in whichever thread."""

    def __init__(self, rate: float, tell: Callable[[str], None] = lambda text: None) -> None:
        self.fake = FakeClock()
        self.turns: list[float] = []
        super().__init__(rate, tell, self.fake)

    def turn(self) -> None:
        super().turn()
        self.turns.append(self.fake.seen)

    def most_within(self, seconds: float) -> int:
        """The most turns in any stretch of `seconds`."""
        return max(
            sum(start <= turn < start + seconds for turn in self.turns) for start in self.turns
        )
