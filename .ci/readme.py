"""Run the README's examples: every `sh` or `python` block after `<!-- runs -->`, in order.

    readme.py README --home HOME

They share a scratch folder and the demo's cache. HOME is the home directory in which the README's
first command was run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^<!-- runs -->\n+```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAM = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


def main(readme: str, flag: str, home: str) -> int:
    blocks = BLOCK.findall(Path(readme).read_text(encoding="utf-8"))
    if flag != "--home" or not blocks:
        print("usage: readme.py README --home HOME; the README must have blocks to run")
        return 2

    folder = Path(home) / "readme"
    folder.mkdir(exist_ok=True)
    environment = os.environ | {
        "HOME": home,
        "XDG_CACHE_HOME": f"{home}/.cache",
        "PAPERCLIP_CACHE_DIR": f"{home}/.cache/paperclip/demo",
        "PAPERCLIP_CONFIG": f"{home}/.config/paperclip/config.toml",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    for language, block in blocks:
        print(block, flush=True)
        subprocess.run([*PROGRAM[language], block], cwd=folder, env=environment, check=True)
    print(f"{len(blocks)} blocks of the README ran")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
