"""Work in threads: many items at once, a single call, and items that arrive over time."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")
_PATIENCE = 3.0  # seconds that a run which ends early waits for threads that are busy with an item


def processors() -> int:
    """The number of processors this process may use; where unknown, that of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def arriving(items: Iterable[Item], most: int) -> Generator[list[Item]]:
    """Batches of items in their order: all that arrived while the previous batch was handled.

    A batch holds at most `most` items. A caller that sends one item and waits for its result gets
    it at once. An exception of `items` is raised here.
    """
    come: queue.Queue[tuple[Item | None, BaseException | None, bool]] = queue.Queue(most)

    def read() -> None:
        try:
            for item in items:
                come.put((item, None, False))
            come.put((None, None, True))
        except BaseException as error:
            come.put((None, error, True))

    threading.Thread(target=read, daemon=True).start()

    is_over = False
    while not is_over:
        batch: list[Item] = []
        error = None
        while len(batch) < most and not is_over and (not batch or not come.empty()):
            item, error, is_over = come.get()
            if not is_over:
                batch.append(item)  # type: ignore[arg-type]

        if batch:
            yield batch
        if error is not None:
            raise error


def in_a_thread(make: Callable[[], Result]) -> Future[Result]:
    """The future result of a call. Asking for it waits, and so does the end of the process."""
    from concurrent.futures import ThreadPoolExecutor  # a query does not need it

    pool = ThreadPoolExecutor(1)
    result = pool.submit(make)
    pool.shutdown(wait=False)
    return result


def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    on_stop: Callable[[], None] = lambda: None,
) -> Generator[Result]:
    """Results in the order of completion; an exception in a thread is raised here.

    Close the generator (`contextlib.closing`). A run that ends early takes no further items, calls
    `on_stop`, and gives the threads a moment to finish. They are daemons, so that Ctrl-C does not
    wait for a silent server, as an executor would.
    """
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()
    stopped = threading.Event()
    for item in items:
        waiting.put(item)

    def work() -> None:
        while not stopped.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((function(item), None))
            except BaseException as error:
                done.put((None, error))
                return

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(items)))]
    for thread in threads:
        thread.start()

    finished = 0
    try:
        while finished < len(items):
            result, error = done.get()
            if error is not None:
                raise error
            finished += 1
            yield result  # type: ignore[misc]
    finally:
        stopped.set()
        if finished < len(items):
            on_stop()
        for thread in threads:
            thread.join(_PATIENCE / len(threads))
