"""The pace and the retries of requests to a server.

All threads share one pace. Retries back off, and obey Retry-After.
"""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from paperclip_cli.errors import Unreachable
from paperclip_cli.wording import counted

Result = TypeVar("Result")
# Statuses that another try may change: a pause is asked for, or the server or something before it
# is busy or down. Servers of language models say 529 when they are overloaded; archives do not use
# it, so one list serves both.
RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_SILENCE, _LONG = 30.0, 5.0  # seconds between two explanations, and of a wait that needs one
# An archive counts arrivals. With this margin no second sees more than `rate` of them, though
# delays differ by up to 50 ms.
_MARGIN = 1.05


class Stopped(Exception):
    """The run is ending, so nobody waits for the server any longer."""


class Transient(Exception):
    """A failure that may pass.

    `retry_after` holds the seconds that the server asked us to wait. `tries` limits the attempts,
    if fewer than usual are worth it.
    """

    def __init__(
        self, reason: str, retry_after: float | None = None, tries: int | None = None
    ) -> None:
        super().__init__(reason)
        self.retry_after, self.tries = retry_after, tries


class TimedOut(Transient):
    """No answer, or only part of it, in time; the next attempt may be no faster."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, tries=3)


class TooSlow(Unreachable):
    """The server was too slow to answer; a smaller request may succeed."""


class Clock:
    """The time, and waiting for it to pass. Its zero means nothing."""

    def now(self) -> float:
        """Seconds."""
        return time.monotonic()

    def wait(self, seconds: float, stopped: threading.Event) -> None:
        """Until `seconds` have passed, or `stopped` is set."""
        stopped.wait(seconds)


class Pace:
    """A pace of at most `rate` requests a second over all threads, where 0 is no limit.

    Requests are evenly spaced, never in a burst. A server that asks for a pause (`hold`) gets it
    from every thread. `tell` receives the reason for long waits, at most twice a minute.
    """

    def __init__(
        self,
        rate: float,
        tell: Callable[[str], None] = lambda text: None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self._gap = _MARGIN / rate if rate else 0.0
        self._tell, self._told = tell, -_SILENCE
        self._next = 0.0
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def turn(self) -> None:
        """Wait until the next request may be sent."""
        while True:
            with self._lock:
                now = self.clock.now()
                if self._next <= now:
                    self._next = now + self._gap
                    break
                left = self._next - now
            self.wait(left)
        self.check()

    def hold(self, seconds: float) -> None:
        """Hold back the requests of all threads for `seconds` from now."""
        with self._lock:
            self._next = max(self._next, self.clock.now() + seconds)

    def explain(self, text: str) -> None:
        """Tell why everything waits, unless something was told a moment ago."""
        with self._lock:
            if self.clock.now() - self._told < _SILENCE:
                return
            self._told = self.clock.now()
        self._tell(text)

    def wait(self, seconds: float) -> None:
        """Sleep for `seconds`; raises Stopped as soon as the run ends."""
        self.clock.wait(max(0.0, seconds), self._stopped)
        self.check()

    def check(self) -> None:
        if self._stopped.is_set():
            raise Stopped

    def stop(self) -> None:
        """Wake all threads that wait."""
        self._stopped.set()


@dataclass(frozen=True)
class Patience:
    """The number of attempts, and the waits between them.

    There are at most `tries` attempts. Waits double from `first_wait` to `longest_wait` seconds,
    and each is cut by up to a half at random. The defaults survive an outage of about four minutes,
    and a server that refuses every other request. A server that asks for more than
    `longest_retry_after` seconds is given up for now.
    """

    tries: int = 15
    first_wait: float = 1.0
    longest_wait: float = 30.0
    longest_retry_after: float = 900.0

    def wait(self, failed: int, retry_after: float | None) -> float:
        """The seconds to wait after the `failed`-th failure, counted from 1."""
        full = min(self.longest_wait, self.first_wait * 2.0 ** (failed - 1))
        return max(full * random.uniform(0.5, 1.0), retry_after or 0.0)


def persist(
    action: Callable[[], Result], patience: Patience, pace: Pace, whom: str = "MAST"
) -> Result:
    """Repeat `action`, which asks `whom`, until it succeeds.

    Raises:
        Unreachable: with the last reason, when patience ends.
        Exception: anything but Transient, at once.
    """
    failed = limited = 0
    while True:
        try:
            return action()
        except Transient as error:
            failed += 1
            limited += error.tries is not None
            asked = error.retry_after
            if asked is not None and asked > patience.longest_retry_after:
                raise Unreachable(f"{error}; it asks to retry after {asked:.0f} s") from error
            if failed >= patience.tries or (error.tries is not None and limited >= error.tries):
                kind = TooSlow if isinstance(error, TimedOut) else Unreachable
                raise kind(f"{error} ({counted(failed, 'tries')})") from error

            if asked:
                pace.hold(asked)
            seconds = patience.wait(failed, asked)
            if seconds >= _LONG:
                pace.explain(f"{whom}: {error}; waiting for {seconds:.0f} s")
            pace.wait(seconds)


def raise_if_transient(
    status: int, headers: Mapping[str, str], known: frozenset[int] = frozenset()
) -> None:
    """Transient for a status that may pass, with the pause asked for; `known` ones are let by."""
    if status in RETRY_STATUS - known:
        raise Transient(f"HTTP {status}", retry_after(headers.get("Retry-After")))


def retry_after(header: str | None) -> float | None:
    """The seconds of a Retry-After header, or None if it makes no sense.

    The header holds seconds or a date (RFC 9110, section 10.2.3).
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
