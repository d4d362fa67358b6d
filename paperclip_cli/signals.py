"""Ctrl-C and SIGTERM from the first line of the program to its last, and the end of its process.

Before the command begins and after it ends, a signal ends the process at once: nothing is half
done then. While the command works, a signal becomes an exception, so that every stage puts its
files in order. If that takes longer than a moment, a line says so, and a second signal ends the
process at once. The first signal does so, too, while a module is being imported: an extension
module under construction may answer an unexpected exception with SIGABRT, as nanobind's do.

The process ends with `os._exit` and not with Python's own shutdown. XLA compiles in threads of its
own. A signal ends the thread that waits for them, but not the threads themselves. Python's shutdown
frees XLA's client, and a thread that is still compiling then reads a device that is gone: SIGSEGV,
although everything was in order. Python's shutdown also waits for threads that are no longer
needed, for as long as a compiler takes; a signal in that time gives a raw exit code or is lost.
Clean-up therefore happens where the work began, in `with` blocks and never in `atexit`: files are
closed and renamed, checkpoints awaited, folders removed.

The imports of this module run before the first handler is installed, so there are hardly any. A
Ctrl-C before that, while the interpreter itself starts, is answered by Python: with a traceback, as
in any program.
"""

from __future__ import annotations

import _signal  # `signal` makes enumerations of its constants, in more time than all else here
import os
import sys
import time
from _thread import get_ident, start_new_thread  # and so would `threading`

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

LINES = {_signal.SIGINT: "interrupted", _signal.SIGTERM: "terminated"}
# `timeout` signals the process and its group: a signal this soon after the first is the same one.
SAME = 0.3  # seconds
_MOMENT, _PATIENCE = 0.1, 1.4  # seconds
_STATEMENT = "stopping; a second signal ends it at once"


class Terminated(BaseException):
    """SIGTERM arrived; unwinding lets every stage put its files in order."""


class Listener:
    """The signal handlers of a process, and a thread that is told of the signals as well.

    Python runs handlers in the main thread, between two instructions. While the main thread is in
    native code for long, only the other thread can say so and receive the second signal.
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
        """Installs the handlers. An ignored signal (`nohup`, a background job) stays ignored."""
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        _signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
        start_new_thread(self._listen, (ours,))
        for number in LINES:
            if _signal.getsignal(number) != _signal.SIG_IGN:
                _signal.signal(number, self.receive)

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Handles a signal."""
        if not self.unwinds or _is_importing(frame):
            self.end(number)
        elif self.raised is None:
            self.raised = number
            raise KeyboardInterrupt if number == _signal.SIGINT else Terminated

    def forget(self) -> None:
        """Resets the count after an exception was lost: the next signal is the first one again."""
        self.raised = self._first = None

    def say(self, number: int) -> None:
        """Prints the line about a signal, once per process."""
        if self._has_last_word() and self._said is None:
            self._said = number
            _write(LINES[number])

    def leave_unsaid(self, number: int) -> None:
        """Records that another process has printed the line on the same stderr."""
        if self._has_last_word():
            self._said = number

    def end(self, number: int) -> None:
        """Prints the line and ends the process, unless another thread is doing so."""
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
        # One thread ends the process. Which one is settled in one step of the interpreter.
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
        if self.raised is None and self.unwinds and _signal.getsignal(number) == self.receive:
            # The signal came between Python's last check and a wait, which it has to interrupt.
            self._nudges += 1
            _signal.pthread_kill(self._main, number)
        time.sleep(_PATIENCE)
        if self._first == first and not self._last_word:
            _write(_STATEMENT)


_listener: Listener | None = None


def hear() -> Listener:
    """Installs the handlers of this process on the first call, and returns their listener."""
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
    """Prints the line about a signal and returns its exit code, without ending the process."""
    if _listener is None:
        print(LINES[number], file=sys.stderr)
    else:
        _listener.say(number)
    return 128 + number


def said_by_another(code: int) -> bool:
    """Whether another process's exit code is that of a signal: it has then printed the line."""
    is_said = code - 128 in LINES
    if is_said and _listener is not None:
        _listener.leave_unsaid(code - 128)
    return is_said


def act(number: int) -> None:
    """Does what a signal would do now, without counting as one for the listener."""
    handler = _signal.getsignal(number)
    if callable(handler):
        handler(number, None)
    else:
        _signal.raise_signal(number)


def program(work: Callable[[], int]) -> NoReturn:
    """Runs `work`, which returns the exit code, and ends the process."""
    listener = hear()
    try:
        listener.unwinds = True
        code = _flushed(_code_of(work))
        listener.unwinds = False
    except (KeyboardInterrupt, Terminated):  # in the moment before the work, or after it
        assert listener.raised is not None
        code = say(listener.raised)

    if listener.raised is not None:  # even if the exception was caught and the work went on
        code = say(listener.raised)
    listener.leave(code)


def _code_of(work: Callable[[], int]) -> int:
    try:
        return work()
    except SystemExit as end:  # shell completion ends like this
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _flushed(code: int) -> int:
    """Flushes stdout and stderr. Returns 1 in place of exit code 0 where that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            continue  # closed by its reader
        except OSError as error:
            _write(f"error: the output could not be written: {error.strerror or error}")
            code = code or 1
    return code


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _leave_bar() -> None:
    """On a terminal, moves below a progress bar, if any, and shows the cursor that it hides."""
    if os.isatty(2) and os.environ.get("TERM") != "dumb":
        _write("\x1b[?25h")


def _write(line: str) -> None:
    # Not with `print`: a handler may run in the middle of one.
    try:
        os.write(2, f"{line}\n".encode())
    except OSError:
        return  # stderr is closed
