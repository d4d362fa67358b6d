"""How often and how patiently: the law of the rate, Retry-After, back-off."""

from __future__ import annotations

import email.utils
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.errors import BadItem, Unreachable
from paperclip_cli.http.retry import (
    Pace,
    Patience,
    Stopped,
    TimedOut,
    TooSlow,
    Transient,
    persist,
    retry_after,
)

FAST = Patience(tries=4, first_wait=0.001, longest_wait=0.002, longest_retry_after=5)


def test_no_window_holds_more_than_the_rate_allows() -> None:
    pace, times, lock = Pace(200), [], threading.Lock()

    def work() -> None:
        for _ in range(15):
            pace.turn()
            with lock:
                times.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    # A thread may look at the clock late, so that two stamps lie closer than two turns do; the whole may not be faster.
    assert len(times) == 90 and times[-1] - times[0] >= 89 / 200 - 0.05


def test_one_request_more_than_the_rate_takes_longer_than_a_second() -> None:
    pace, begin = Pace(20), time.monotonic()
    for _ in range(21):
        pace.turn()
    assert (
        time.monotonic() - begin >= 1.05
    )  # so that delays that differ by 50 ms cannot bring them into one


def test_without_a_rate_nobody_waits() -> None:
    pace = Pace(0)
    start = time.monotonic()
    for _ in range(1000):
        pace.turn()
    assert time.monotonic() - start < 5


def test_a_pause_is_everybodys() -> None:
    pace = Pace(0)
    pace.hold(0.2)
    start = time.monotonic()
    pace.turn()
    assert time.monotonic() - start >= 0.19


def test_stopping_wakes_those_who_wait() -> None:
    pace = Pace(0)
    threading.Timer(0.05, pace.stop).start()
    with pytest.raises(Stopped):
        pace.wait(60)
    with pytest.raises(Stopped):
        pace.turn()


def failing(*errors: Exception):  # type: ignore[no-untyped-def]
    left = list(errors)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return action


def test_what_passes_is_sat_out() -> None:
    assert persist(failing(Transient("a"), TimedOut("b"), Transient("c")), FAST, Pace(0)) == "done"


def test_patience_ends() -> None:
    with pytest.raises(Unreachable, match=r"HTTP 503 \(4 tries\)"):
        persist(failing(*[Transient("HTTP 503")] * 4), FAST, Pace(0))
    with pytest.raises(TooSlow, match=r"\(3 tries\)"):
        persist(failing(*[TimedOut("late")] * 3), FAST, Pace(0))
    with pytest.raises(Unreachable, match=r"\(2 tries\)"):
        persist(failing(*[Transient("odd", tries=2)] * 2), FAST, Pace(0))
    with pytest.raises(Unreachable, match="come back in 3600 s"):
        persist(failing(Transient("busy", retry_after=3600)), FAST, Pace(0))


def test_what_cannot_pass_is_not_tried_again() -> None:
    with pytest.raises(BadItem, match="404"):
        persist(failing(BadItem("404"), BadItem("again")), FAST, Pace(0))


def test_what_the_server_asks_for_is_waited() -> None:
    start = time.monotonic()
    persist(failing(Transient("busy", retry_after=0.3)), FAST, Pace(0))
    assert time.monotonic() - start >= 0.29


@given(st.integers(1, 40), st.none() | st.floats(0, 1000))
def test_waits_double_up_to_the_longest_and_never_undercut_the_server(
    failed: int, asked: float | None
) -> None:
    patience = Patience()
    wait = patience.wait(failed, asked)
    full = min(patience.longest_wait, patience.first_wait * 2 ** (failed - 1))
    assert max(full / 2, asked or 0) <= wait <= max(full, asked or 0)


@pytest.mark.parametrize(
    "header, seconds",
    [
        ("120", 120),
        ("0", 0),
        ("", None),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("9" * 400, 999999999),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 99 Foo", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_retry_after_a_date() -> None:
    found = retry_after(email.utils.formatdate(time.time() + 100, usegmt=True))
    assert found is not None and 95 < found <= 100


def test_long_waits_are_explained_but_not_over_and_over() -> None:
    said: list[str] = []
    pace = Pace(0, said.append)
    for _ in range(2):
        threading.Timer(0.02, pace.stop).start()
        with pytest.raises(Stopped):
            persist(failing(Transient("HTTP 503", retry_after=600)), Patience(), pace)
        pace._stopped.clear()
    assert said == ["MAST: HTTP 503; waiting for 600 s"]
