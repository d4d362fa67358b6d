"""`paperclip index` and `paperclip describe` as programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paperclip_cli.cli import app as cli
from tests.small_indexes import write_picture


def run(tmp_path: Path, *arguments: str) -> int:
    return cli.run(["--cache-dir", str(tmp_path / "cache"), "--offline", *arguments])


def test_from_pictures_to_answers(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Uses the real towers, from a folder to its hits. The report goes to stderr."""
    for number in range(3):
        write_picture(tmp_path / "p" / f"{number}.png", number)
    arguments = ["index", str(tmp_path / "p"), "--model", str(tiny_model)]
    assert run(tmp_path, *arguments) == 0
    out, err = capsys.readouterr()
    assert out == "" and "index: done (3 images, 3 new)" in err
    assert run(tmp_path, *arguments) == 0
    assert "index: nothing to do (3 images)" in capsys.readouterr().err
    assert run(tmp_path, "query", "galaxy", "--json") == 0
    assert {Path(hit["image"]).name for hit in json.loads(capsys.readouterr().out)} == {
        "0.png",
        "1.png",
        "2.png",
    }
    assert run(tmp_path, "index", "--status", "--json") == 0
    (status,) = json.loads(capsys.readouterr().out)
    assert (status["images"], status["model"]) == (3, str(tiny_model))
    assert run(tmp_path, "index", "--status") == 0
    assert ["images", "3"] in map(str.split, capsys.readouterr().out.splitlines())


def test_failures_end_in_3_or_in_1_if_there_are_too_many(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_picture(tmp_path / "p" / "0.png", 0)
    (tmp_path / "p" / "bad\x1b[31m.png").write_text("no picture")
    arguments = ["index", str(tmp_path / "p"), "--model", str(tiny_model)]
    assert run(tmp_path, *arguments) == 3
    err = capsys.readouterr().err
    assert "failed: 1 not a JPEG, PNG, TIFF or FITS file" in err and "\x1b" not in err
    assert run(tmp_path, *arguments, "--max-failures", "0") == 1


def test_labels_are_printed_as_promised(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_picture(tmp_path / "a.png", 0)
    (tmp_path / "bad.jpg").write_text("no picture")
    images = [str(tmp_path / "a.png"), str(tmp_path / "bad.jpg")]
    assert run(tmp_path, "describe", *images, "--model", str(tiny_model), "-k", "2", "--json") == 3
    (item,) = json.loads(capsys.readouterr().out)
    assert item["image"] == str(tmp_path / "a.png")
    assert [(label["rank"], set(label)) for label in item["labels"]] == [
        (1, {"rank", "label", "score"}),
        (2, {"rank", "label", "score"}),
    ]
    assert run(tmp_path, "describe", str(tmp_path / "a.png"), "--model", str(tiny_model)) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert (
        run(
            tmp_path,
            "describe",
            str(tmp_path / "a.png"),
            "--model",
            str(tiny_model),
            "--format",
            "csv",
        )
        == 0
    )
    assert capsys.readouterr().out.splitlines()[0] == "image,rank,label,score"
