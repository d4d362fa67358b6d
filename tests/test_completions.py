"""The shipped completion scripts are the app's own, and bash really completes with them."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def test_the_scripts_are_up_to_date() -> None:
    assert runpy.run_path(str(REPOSITORY / "completions" / "generate.py"))["stale"]() == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_and_options() -> None:
    script = f"""
        export PATH={Path(sys.executable).parent}:$PATH
        source {REPOSITORY}/completions/paperclip.bash
        COMP_WORDS=(paperclip "$1" "$2"); COMP_CWORD=$3
        _paperclip_completion paperclip; printf '%s\\n' "${{COMPREPLY[@]}}"
    """

    def complete(first: str, second: str, position: int) -> list[str]:
        done = subprocess.run(["bash", "-c", script, "bash", first, second, str(position)], capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert complete("que", "", 1) == ["query"]
    assert "--near" in complete("query", "--n", 2)
