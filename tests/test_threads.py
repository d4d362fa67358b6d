"""Results arrive, exceptions arrive, and an early end does not wait."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from paperclip_cli.threads import arriving, in_a_thread, in_threads


def test_a_call_in_a_thread_is_waited_for_where_its_result_is_wanted() -> None:
    go_on = threading.Event()
    result = in_a_thread(lambda: (go_on.wait(10), threading.current_thread())[1])
    assert not result.done()
    go_on.set()
    assert result.result(10) is not threading.current_thread()


def test_what_fails_in_a_thread_fails_where_its_result_is_wanted() -> None:
    result = in_a_thread(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        result.result(10)


@pytest.mark.parametrize("workers", [1, 3, 100])
def test_every_item_once(workers: int) -> None:
    assert sorted(in_threads(lambda item: item * 2, list(range(50)), workers)) == [
        2 * item for item in range(50)
    ]


def test_no_items() -> None:
    assert list(in_threads(str, [], 4)) == []


def test_no_more_threads_than_workers() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    list(in_threads(work, list(range(20)), 3))
    assert most <= 3


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()])
def test_an_exception_is_raised_where_the_results_are_read(error: BaseException) -> None:
    started: list[int] = []

    def work(item: int) -> int:
        started.append(item)
        if item == 3:
            raise error
        return item

    with pytest.raises(type(error)), closing(in_threads(work, list(range(1000)), 1)) as results:
        for _ in results:
            pass
    assert started == [0, 1, 2, 3]


def test_an_early_end_wakes_the_threads() -> None:
    wake = threading.Event()
    woken: list[bool] = []

    def work(item: int) -> int:
        if item:
            woken.append(wake.wait(60))
        return item

    with closing(in_threads(work, [0, 1, 2], 3, wake.set)) as results:
        assert next(results) == 0
    assert woken == [True, True], "nobody slept to the end, and both were waited for"


def test_a_normal_end_stops_nothing() -> None:
    stopped: list[int] = []
    list(in_threads(str, [1, 2], 2, lambda: stopped.append(1)))
    assert stopped == []


@pytest.mark.parametrize("most", [1, 3, 100])
def test_what_arrives_comes_in_order_and_not_too_much_at_once(most: int) -> None:
    batches = list(arriving(range(50), most))
    assert [item for batch in batches for item in batch] == list(range(50)) and max(
        map(len, batches)
    ) <= most
    assert list(arriving([], most)) == []


def test_whoever_waits_for_an_answer_is_not_kept_waiting_for_more_questions() -> None:
    asked: queue.Queue[int] = queue.Queue()
    answers = arriving(iter(asked.get, None), 10)
    for number in range(5):
        asked.put(number)
        assert next(answers) == [number]


def test_what_waits_is_taken_together() -> None:
    asked_for = threading.Semaphore(0)

    def items() -> Iterator[int]:
        for item in range(50):
            asked_for.release()
            yield item

    slow = arriving(items(), 8)
    for _ in range(
        len(next(slow)) + 8 + 1
    ):  # whoever asks for one more has put eight behind those taken
        asked_for.acquire()
    assert len(next(slow)) == 8


def test_an_exception_of_the_items_comes_after_them() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("torn")

    taken = []
    with pytest.raises(ValueError, match="torn"):
        for batch in arriving(items(), 4):
            taken += batch
    assert taken == [1]
