"""Ctrl-C and SIGTERM from the first line of the program to its last, and how its process ends.

Before the command begins and after it is done a signal ends the process at once: nothing is half
done then. While it works a signal becomes an exception, so that every stage puts its files in
order. Whatever takes longer than a moment says so, and a second signal ends it at once. So does
the first one while a module is imported: an extension that is being made may answer an exception
that it does not expect with SIGABRT, as those written with nanobind do.

The process ends with `os._exit`, and not as Python ends. XLA compiles in threads of its own, and a
signal takes away the thread that waits for them, but not them. Python's end frees XLA's client,
and whichever is still compiling then reads a device that is gone: SIGSEGV, after all was in order.
Python's end also waits for threads that nobody wants any more, for as long as a compiler takes,
and a signal that comes meanwhile gives a raw code, or is not heard. What has to be done at the end
is therefore done where it was begun, in `with` blocks and never in `atexit`: files are closed and
renamed, checkpoints waited for, folders removed.

What is imported here is imported before the first handler is there: next to nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from _thread import get_ident, start_new_thread  # `threading` would be most of what is imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

LINES = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
# `timeout` sends a signal to the process and to its group: so soon after the first it is the same.
SAME = 0.3  # seconds
_MOMENT, _PATIENCE = 0.1, 1.4  # seconds
_STATEMENT = "stopping; a second signal ends it at once"


class Terminated(BaseException):
    """SIGTERM arrived; unwinding lets every stage put its files in order."""


class Listener:
    """The handlers of a process's signals, and a thread that hears of them too.

    Python runs handlers in the main thread, between two instructions. Where that one is in native
    code for long, only the thread can say so and hear the second signal.
    """

    def __init__(self) -> None:
        self.unwinds = False  # whether a signal becomes an exception
        self.raised: int | None = None  # the signal that did
        self._first: float | None = None  # when the thread heard of it
        self._said: int | None = None
        self._last_word: dict[str, int] = {}
        self._main = get_ident()
        self._nudges = 0

    def install(self) -> None:
        """A signal that is ignored (`nohup`, a job in the background) stays so."""
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
        start_new_thread(self._listen, (ours,))
        for number in LINES:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self.receive)

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Is the handler."""
        if not self.unwinds or _is_importing(frame):
            self.end(number)
        elif self.raised is None:
            self.raised = number
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    def forget(self) -> None:
        """The exception was lost: the next signal is the first one again."""
        self.raised = self._first = None

    def say(self, number: int) -> None:
        """The one line about a signal, once a process."""
        if self._has_last_word() and self._said is None:
            self._said = number
            _write(LINES[signal.Signals(number)])

    def leave_unsaid(self, number: int) -> None:
        """Another process has said it on the same stderr."""
        if self._has_last_word():
            self._said = number

    def end(self, number: int) -> None:
        """Says it and ends the process, unless another thread is doing so."""
        if self._has_last_word() and self._said is None:
            _leave_bar()
        self.say(number)
        if self._said is not None and self._has_last_word():
            os._exit(128 + self._said)

    def leave(self, code: int) -> NoReturn:
        """Ends the process."""
        while not self._has_last_word():
            time.sleep(1)  # another thread is about to
        os._exit(code)

    def _has_last_word(self) -> bool:
        # One thread ends the process; which, is settled in one step of the interpreter.
        return self._last_word.setdefault("thread", get_ident()) == get_ident()

    def _listen(self, pipe: int) -> None:
        while True:
            number, now = os.read(pipe, 1)[0], time.monotonic()
            if number not in LINES:
                continue
            if self._nudges:
                self._nudges -= 1
            elif not self.unwinds:
                self.end(number)
            elif self._first is None:
                self._first = now
                start_new_thread(self._see_to_it, (number, now))
            elif now - self._first > SAME:
                self.end(number)

    def _see_to_it(self, number: int, first: float) -> None:
        time.sleep(_MOMENT)
        if self.raised is None and self.unwinds and signal.getsignal(number) == self.receive:
            # It came between the last look for signals and a wait, which has to be broken off.
            self._nudges += 1
            signal.pthread_kill(self._main, number)
        time.sleep(_PATIENCE)
        if self._first == first and not self._last_word:
            _write(_STATEMENT)


_listener: Listener | None = None


def hear() -> Listener:
    """Installs the handlers of this process, the first time it is called."""
    global _listener
    if _listener is None:
        _listener = Listener()
        _listener.install()
    return _listener


def heard() -> int | None:
    """The signal that became an exception, if any."""
    return _listener.raised if _listener else None


def forget() -> None:
    """See `Listener.forget`."""
    if _listener is not None:
        _listener.forget()


def say(number: int) -> int:
    """The one line about a signal, and its exit code. It does not end the process."""
    if _listener is None:
        print(LINES[signal.Signals(number)], file=sys.stderr)
    else:
        _listener.say(number)
    return 128 + number


def said_by_another(code: int) -> bool:
    """Whether such an exit code is that of a signal, so that the process has said the line."""
    is_said = code - 128 in LINES
    if is_said and _listener is not None:
        _listener.leave_unsaid(code - 128)
    return is_said


def act(number: int) -> None:
    """What a signal does now, as if it came again, but for the listener's count."""
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, None)
    else:
        signal.raise_signal(number)


def program(work: Callable[[], int]) -> NoReturn:
    """Does the work, which gives the exit code, and ends the process."""
    listener = hear()
    try:
        listener.unwinds = True
        code = _flushed(_code_of(work))
        listener.unwinds = False
    except (KeyboardInterrupt, Terminated):  # in the moment before the work, or after it
        assert listener.raised is not None
        code = say(listener.raised)
    if listener.raised is not None:  # also where it was caught on the way, and the work went on
        code = say(listener.raised)
    listener.leave(code)


def _code_of(work: Callable[[], int]) -> int:
    try:
        return work()
    except SystemExit as end:  # completion ends so
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _flushed(code: int) -> int:
    """Writes what is still in buffers. The exit code is another one where that cannot be done."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            continue  # whoever read it has what it wanted
        except OSError as error:
            _write(f"error: {error}")
            code = code or 1
    return code


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _leave_bar() -> None:
    """On a terminal: below a bar that may be there, with the cursor that it hides."""
    if os.isatty(2) and os.environ.get("TERM") != "dumb":
        _write("\x1b[?25h")


def _write(line: str) -> None:
    # Not with `print`, in the middle of which a handler may be.
    try:
        os.write(2, f"{line}\n".encode())
    except OSError:
        return  # nobody reads it
