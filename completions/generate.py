"""Write the completion scripts of `paperclip` for bash, zsh and fish.

    python completions/generate.py [--check]

With --check, only report whether they are up to date. The scripts ask the program itself at every
TAB, so they know each option. Those for zsh and fish change only if Typer's templates do. The one
for bash is ours: Typer's leaves `NGC 4038` unquoted, and bash hands it `hst:15354` as three words.
"""

from __future__ import annotations

import sys
from pathlib import Path

from typer.completion import get_completion_script

FOLDER = Path(__file__).resolve().parent
FILES = {"bash": "paperclip.bash", "zsh": "_paperclip", "fish": "paperclip.fish"}


BASH = r"""_paperclip_completion() {
    # bash splits words at = and : too; these are put together again.
    local IFS=$'\n' line=$COMP_LINE words=() last=-1 follows= i cut reply replies=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if [[ $follows ]]; then
            words[last]+=${COMP_WORDS[i]}
        else
            words[++last]=${COMP_WORDS[i]}
        fi
        line=${line#*"${COMP_WORDS[i]}"}
        [[ -z $line || $line == [[:blank:]]* ]] && follows= || follows=1
    done
    local word=${COMP_WORDS[COMP_CWORD]}
    [[ $word == [:=] ]] && word=
    cut=${words[last]%"$word"}  # bash keeps this part of the word
    [[ $cut == --*=* ]] && cut=${cut#*=}

    mapfile -t replies < <(COMP_WORDS="${words[*]}" COMP_CWORD=$last \
        _PAPERCLIP_COMPLETE=complete_bash "$1")
    COMPREPLY=()
    for reply in "${replies[@]}"; do
        reply=${reply#"$cut"}
        if [[ $word != [\"\']* && $reply == *[^[:alnum:]_@%+=:,./~-]* ]]; then
            printf -v reply %q "$reply"
        fi
        [[ $reply ]] && COMPREPLY+=("$reply")
    done
}

complete -o default -F _paperclip_completion paperclip
"""


def scripts() -> dict[Path, str]:
    """File -> its text."""
    return {FOLDER / name: script(shell) for shell, name in FILES.items()}


def script(shell: str) -> str:
    if shell == "bash":
        return BASH
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
