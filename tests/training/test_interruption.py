"""Signals wait until a training is between two steps, and then act as usual."""

from __future__ import annotations

import signal
import threading

import pytest

from paperclip_cli.training import interruption
from paperclip_cli.training.interruption import stop_requests


def test_a_signal_acts_when_the_block_ends() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), stop_requests() as stop:
        assert not stop
        signal.raise_signal(signal.SIGINT)
        assert stop and stop.signal == signal.SIGINT
        done.append("saved")
    assert done == ["saved"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_two_signals_at_once_are_one() -> None:
    """`timeout` sends one to the process, and one to its group."""
    done = []
    with pytest.raises(KeyboardInterrupt), stop_requests():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("saved")
    assert done == ["saved"]


def test_a_second_signal_acts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "SAME", -1.0)
    with pytest.raises(KeyboardInterrupt), stop_requests():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it did not act")


def test_termination_reaches_the_handler_that_was_there() -> None:
    arrived = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: arrived.append(number))
    try:
        with stop_requests() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert stop and not arrived
        assert arrived == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_requests() as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop
    finally:
        signal.signal(signal.SIGINT, before)


def test_without_a_signal_or_in_another_thread_nothing_happens() -> None:
    seen = []

    def work() -> None:
        with stop_requests() as stop:
            seen.append(bool(stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_an_error_in_the_block_is_not_hidden_by_a_signal() -> None:
    with pytest.raises(ValueError, match="mine"), stop_requests():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("mine")


def test_what_another_process_heard_is_no_second_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "SAME", -1.0)
    with pytest.raises(KeyboardInterrupt), stop_requests() as stop:
        signal.raise_signal(signal.SIGINT)
        stop.demand(signal.SIGTERM)
        assert stop.signal == signal.SIGINT
