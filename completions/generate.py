"""Write the completion scripts of `paperclip` for bash, zsh and fish.

    python completions/generate.py [--check]

With --check, only report whether they are up to date. The scripts ask the program itself at every
TAB, so they know each option. They change only if Typer's templates do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from typer.completion import get_completion_script

FOLDER = Path(__file__).resolve().parent
FILES = {"bash": "paperclip.bash", "zsh": "_paperclip", "fish": "paperclip.fish"}


def scripts() -> dict[Path, str]:
    """File -> its text."""
    return {FOLDER / name: script(shell) for shell, name in FILES.items()}


def script(shell: str) -> str:
    text = get_completion_script(
        prog_name="paperclip", complete_var="_PAPERCLIP_COMPLETE", shell=shell
    )
    return text.strip() + "\n"


def stale() -> list[str]:
    """Names of the files that are out of date or missing."""
    return [
        path.name
        for path, text in scripts().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def check() -> int:
    """Report whether the files are up to date. Returns the exit code."""
    old = stale()
    if old:
        print(f"out of date: {', '.join(old)}; run python completions/generate.py")
        return 1
    print("completions are up to date")
    return 0


def main() -> int:
    if "--check" in sys.argv[1:]:
        return check()
    for path, text in scripts().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
