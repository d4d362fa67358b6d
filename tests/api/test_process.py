"""The Python API leaves the process as it is: its settings belong to the caller."""

from __future__ import annotations

import contextvars
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import paperclip_cli
from paperclip_cli.cli.session import Session, open_session
from paperclip_cli.progress import SilentProgress
from paperclip_cli.services import hub
from paperclip_cli.towers import scratch
from paperclip_cli.training.metrics import read_metrics
from paperclip_cli.workspace import Workspace
from tests.api import sky
from tests.api.programs import program

# Modules of others set things up, too, when they are imported. So the program begins with what
# another one has imported, and sees only what our own code does.
COMPARED = """
import importlib, locale, logging, os, signal, socket, sys, threading, warnings
from pathlib import Path

for name in Path(sys.argv[3]).read_text().split():
    try:
        importlib.import_module(name)
    except Exception:
        pass  # a part of a package that is not imported on its own

import jax
import numpy as np
from paperclip_cli import malloc
from paperclip_cli.files import umask
from tests.api import sky

def forbidden():
    raise AssertionError("the allocator belongs to the command line")

malloc.keep_freed_pages = forbidden
sky.small_towers()
SIGNALS = sorted(signal.valid_signals())

def lasting():
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    return at_once() | {
        "warnings": list(warnings.filters),
        "levels": {
            name: (one.level, one.disabled, list(one.handlers), list(one.filters), one.propagate)
            for name, one in logging.root.manager.loggerDict.items()
            if isinstance(one, logging.Logger)
        },
        "root": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "wakeup": wakeup,
        "numpy": (np.geterr(), np.get_printoptions()),
        "random": (np.random.get_state()[1].tolist()),
        "mask": umask(),
        "cwd": os.getcwd(),
    }

def at_once():
    return {
        "environment": dict(os.environ),
        "handlers": [signal.getsignal(number) for number in SIGNALS],
        "jax": dict(jax.config.values),
        "hooks": (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook),
        "streams": (sys.stdout, sys.stderr, sys.stdin),
        "limits": (sys.getrecursionlimit(), sys.getswitchinterval(), socket.getdefaulttimeout()),
        "locale": locale.setlocale(locale.LC_ALL),
        "path": list(sys.path),
    }

class Watch:
    '''Looks at the process in the middle of each stage.'''
    looks = 0

    def look(self):
        Watch.looks += 1
        assert at_once() == before_at_once, "changed for a while"

    def task(self, name, total=None, unit=""):
        return self
    def table(self, name, total, every):
        return self
    def __enter__(self):
        return self
    def __exit__(self, *error):
        return None
    def advance(self, steps=1, **fields):
        self.look()
    def add(self, step, **values):
        self.look()
    def note(self, text):
        self.look()

def known(now):
    now["levels"] = {name: now["levels"][name] for name in before["levels"]}
    return now

before, before_at_once = lasting(), at_once()
sky.run_all(Path(sys.argv[1]), Path(sys.argv[2]), Watch())
sky.ask(Path(sys.argv[1]))
after = known(lasting())
for name in before:
    assert before[name] == after[name], (name, before[name], after[name])
print(Watch.looks)
"""


def test_nothing_of_the_process_is_changed(
    by_functions: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Neither for good nor, as far as others would notice, while a stage works."""
    imported = by_functions[0].parent / "modules"
    compared = program(COMPARED, tmp_path / "cache", tmp_path, imported)
    assert compared.returncode == 0, compared.stderr
    assert int(compared.stdout) > 20


def test_the_hubs_bars_are_the_command_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, where its library would draw them."""
    from huggingface_hub import utils

    class Terminal:
        def isatty(self) -> bool:
            return True

    def draws() -> bool:
        with hub.bars_on_a_terminal_only():
            return not utils.are_progress_bars_disabled()

    def in_a_command(quiet: bool) -> bool:
        open_session(Session(cache_dir=tmp_path, offline=True, verbose=False, quiet=quiet))
        return draws()

    monkeypatch.setattr("sys.stderr", Terminal())
    assert not contextvars.Context().run(draws)
    assert contextvars.Context().run(in_a_command, quiet=False)
    assert not contextvars.Context().run(in_a_command, quiet=True)
    assert not utils.are_progress_bars_disabled()


class Interrupting(SilentProgress):
    """Presses Ctrl-C at a step of a training, and keeps the notes."""

    def __init__(self, step: int) -> None:
        self.step, self.notes = step, list[str]()

    @contextmanager
    def table(self, name: str, total: int, every: int) -> Any:
        yield self

    def add(self, step: int, **values: float | None) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGINT)

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_training_that_is_interrupted_continues_from_its_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scratch.SHAPES, "scratch:tiny", sky.SMALL)
    paperclip_cli.fetch(**sky.SKY, cache=tmp_path)
    paperclip_cli.build_dataset(**sky.SPLIT, cache=tmp_path)
    options: dict[str, Any] = sky.TRAINING | {"steps": 12, "cache": tmp_path}
    paperclip_cli.train(name="straight", **options)

    with pytest.raises(KeyboardInterrupt):
        paperclip_cli.train(progress=Interrupting(7), **options)
    assert Workspace(tmp_path).names("models") == ["straight"]
    again = Interrupting(0)
    report = paperclip_cli.train(progress=again, **options)
    assert report.counts["steps"] == 12 and any(
        "continuing from step" in one for one in again.notes
    )

    here = Workspace(tmp_path)
    one, other = (
        load_file(here.model(name) / "model.safetensors") for name in ("straight", "default")
    )
    assert all(np.array_equal(one[name], other[name]) for name in one)
    logs = [read_metrics(here.model(name) / "metrics.jsonl") for name in ("straight", "default")]
    assert [line["step"] for line in logs[0]] == [line["step"] for line in logs[1]]
