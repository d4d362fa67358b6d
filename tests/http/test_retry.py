"""Pace and retries: the limit of the rate, Retry-After, back-off."""

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
from tests.standin.clock import WatchedPace

FAST = Patience(tries=4, first_wait=0.001, longest_wait=0.002, longest_retry_after=5)


@given(st.sampled_from([0.5, 7, 20, 200]), st.integers(1, 6), st.integers(1, 15))
def test_no_window_holds_more_than_the_rate_allows(rate: float, workers: int, each: int) -> None:
    pace = WatchedPace(rate)

    def work() -> None:
        for _ in range(each):
            pace.turn()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pace.turns) == workers * each
    # So that delays on the way that differ by 50 ms cannot bring one more into a second.
    assert pace.most_within(1.05 - 1e-6) <= max(rate, 1)
    if workers == 1:
        assert pace.fake.waits == pytest.approx([1.05 / rate] * (each - 1)), "no longer than needed"


def test_without_a_rate_nobody_waits() -> None:
    pace = WatchedPace(0)
    for _ in range(1000):
        pace.turn()
    assert pace.fake.waits == []


def test_a_pause_is_everybodys() -> None:
    pace = WatchedPace(0)
    pace.hold(0.2)
    for _ in range(2):
        in_another = threading.Thread(target=pace.turn)
        in_another.start()
        in_another.join()
    assert pace.fake.waits == [pytest.approx(0.2)]


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
    with pytest.raises(Unreachable, match="retry after 3600 s"):
        persist(failing(Transient("busy", retry_after=3600)), FAST, Pace(0))


def test_what_cannot_pass_is_not_tried_again() -> None:
    with pytest.raises(BadItem, match="404"):
        persist(failing(BadItem("404"), BadItem("again")), FAST, Pace(0))


def test_what_the_server_asks_for_is_waited() -> None:
    pace = WatchedPace(0)
    persist(failing(Transient("busy", retry_after=0.3)), FAST, pace)
    assert pace.fake.waits == [0.3]


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


def test_retry_after_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    assert retry_after(email.utils.formatdate(1_700_000_100, usegmt=True)) == 100
    assert retry_after(email.utils.formatdate(1_699_999_999, usegmt=True)) == 0


def test_long_waits_are_explained_but_not_over_and_over() -> None:
    said: list[str] = []
    pace = Pace(0, said.append)
    for _ in range(2):
        threading.Timer(0.02, pace.stop).start()
        with pytest.raises(Stopped):
            persist(failing(Transient("HTTP 503", retry_after=600)), Patience(), pace)
        pace._stopped.clear()
    assert said == ["MAST: HTTP 503; waiting for 600 s"]
