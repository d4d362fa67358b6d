"""Pictures in the terminal, decoded again from the output."""

from __future__ import annotations

import base64
import io
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.cells import cell_len

from paperclip_cli.output import console
from paperclip_cli.output.thumbnails import thumbnails
from paperclip_cli.records import Hit
from tests.output.test_contact_sheet import hit

EVIL = "\x1b]0;owned\x07\u202e" + "星" * 20


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 24-bit colour, as far as rich can tell."""
    for name, value in {
        "FORCE_COLOR": "1",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "COLUMNS": "70",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "TMUX", "KITTY_WINDOW_ID", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hits(tmp_path: Path) -> list[Hit]:
    """Four hits: pictures with a red left half and a blue right half, and one without a picture."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32, 0] = picture[:, 32:, 2] = 255
    for number in range(3):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_text("no picture")
    found = [hit(tmp_path / f"{number}.png", rank=number + 1) for number in range(4)]
    return [found[0], replace(found[1], target=EVIL), *found[2:]]


def test_half_blocks_have_the_pictures_colours(terminal: None, hits: list[Hit]) -> None:
    text = thumbnails(hits, 70, has_graphics=False)
    lines = text.splitlines()
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert len(lines) == 2 * 11, "three in a row of 70 cells, then the fourth"
    assert all(cell_len(line) <= 70 for line in plain)
    assert plain[0] == ("▀" * 20 + " ") * 3 and plain[11] == "▀" * 20 + " "
    assert plain[10].startswith("1. 0.png" + " " * 13 + "2. ]0;owned 星")
    assert plain[21] == "4. 3.png"
    assert "\x1b]" not in text and "\x07" not in text and "\u202e" not in text
    assert lines[0].startswith("\x1b[38;2;255;0;0;48;2;255;0;0m▀")
    assert "\x1b[38;2;0;0;255;48;2;0;0;255m▀" in lines[0]
    assert "\x1b[38;2;128;128;128;48;2;128;128;128m▀" in lines[11], "an unreadable file is grey"


def test_graphics_are_the_pictures_themselves(terminal: None, hits: list[Hit]) -> None:
    text = thumbnails(hits, 70, has_graphics=True)
    sent = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert all(len(data) <= 4096 for _, data in sent)
    assert [keys.rpartition("m=")[2] for keys, _ in sent].count("0") == 4
    assert sent[0][0].startswith("a=T,f=24,o=z,s=240,v=240,c=20,r=10,")

    data = zlib.decompress(base64.b64decode(sent[0][1]))
    pixels = np.frombuffer(data, np.uint8).reshape(240, 240, 3)
    assert pixels[5, 5].tolist() == [255, 0, 0] and pixels[5, 60].tolist() == [0, 0, 255]
    assert pixels[200, 200].tolist() == [255] * 3

    rest = re.sub(r"\x1b_G[^\x1b]*\x1b\\", "", text)
    captions = re.sub("(?m)^.*▀.*\n", "", thumbnails(hits, 70, False))
    assert re.sub(r"\n{10}\x1b\[10A(\x1b\[\d+G)+\r\x1b\[10B", "", rest) == captions


@pytest.mark.parametrize(
    ("environment", "graphics"),
    [
        ({}, False),
        ({"TERM": "xterm-kitty"}, True),
        ({"KITTY_WINDOW_ID": "1"}, True),
        ({"TERM_PROGRAM": "WezTerm"}, True),
        ({"TERM_PROGRAM": "ghostty"}, True),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, False),
        ({"TERM_PROGRAM": "Apple_Terminal"}, False),
    ],
)
def test_terminals_are_told_apart(
    terminal: None, environment: dict[str, str], graphics: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert console.has_pictures() and console.has_graphics() is graphics


def test_there_are_no_pictures_without_colour(
    terminal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not console.has_pictures()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert not console.has_pictures()
