"""Writes the completion scripts of `paperclip` for bash, zsh and fish; with --check only says whether they are up to date.

The scripts ask the program itself at every TAB, so that they know each option; they change only when Typer's templates do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from typer.completion import get_completion_script

FOLDER = Path(__file__).resolve().parent
FILES = {"bash": "paperclip.bash", "zsh": "_paperclip", "fish": "paperclip.fish"}


def scripts() -> dict[Path, str]:
    """File -> text."""
    return {
        FOLDER / name: get_completion_script(
            prog_name="paperclip", complete_var="_PAPERCLIP_COMPLETE", shell=shell
        ).strip()
        + "\n"
        for shell, name in FILES.items()
    }


def stale() -> list[str]:
    """Names of the files that differ from what the app would write."""
    return [
        path.name
        for path, text in scripts().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    old = stale()
    if "--check" in sys.argv[1:]:
        print(
            f"out of date: {', '.join(old)}; run python completions/generate.py"
            if old
            else "completions are up to date"
        )
        return 1 if old else 0
    for path, text in scripts().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
