"""The entry point of `paperclip`, and of `python -m paperclip_cli`."""

from __future__ import annotations

from paperclip_cli import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Installs the signal handlers, then imports the program, which takes a tenth of a second."""
    signals.hear()

    from paperclip_cli.cli.app import main as program

    program()


if __name__ == "__main__":
    main()
