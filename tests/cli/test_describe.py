"""`paperclip describe` as a program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.small_indexes import write_picture


def test_many_images_are_json_lines_and_come_from_a_list(tiny_model: Path, tmp_path: Path) -> None:
    for number in range(3):
        write_picture(tmp_path / "in" / f"{number}.png", number)
    (tmp_path / "in" / "bad.png").write_text("no picture")
    command = [
        sys.executable,
        "-m",
        "paperclip_cli",
        "--cache-dir",
        str(tmp_path / "cache"),
        "--offline",
        "--quiet",
        "describe",
        "-",
        "--batch",
        "-k",
        "2",
        "--model",
        str(tiny_model),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, input=f"{tmp_path / 'in'}\n"
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 3 and "bad.png: not a JPEG" in done.stderr
    assert [item["image"] for item in found] == [
        str(tmp_path / "in" / f"{number}.png") for number in range(3)
    ]
    assert all(
        [label["rank"] for label in item["labels"]] == [1, 2]
        and set(label) == {"rank", "label", "score"}
        for item in found
        for label in item["labels"]
    )
