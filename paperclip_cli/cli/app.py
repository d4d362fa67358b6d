"""The application and its global options.

This is the only place where exceptions become messages and exit codes.
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import typer
from typer.core import TyperCommand, TyperGroup

from paperclip_cli import __version__, signals
from paperclip_cli.cli import system_errors
from paperclip_cli.cli.session import Session, SetByUser, open_session
from paperclip_cli.errors import ExitCode, PaperclipError, ReaderGone
from paperclip_cli.signals import Terminated

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from typer._click import Command, Context, HelpFormatter

# The example at the end of each command's help. --help lists the commands in this order.
# Each command is a plain function in its own module.
EXAMPLES = {
    "fetch": "paperclip fetch --proposal 15354,12577",
    "summarize": "paperclip summarize --show --limit 5",
    "build-dataset": "paperclip build-dataset --captions summary",
    "train": "paperclip train --init scratch:tiny",
    "evaluate": "paperclip evaluate --split validation --json",
    "index": "paperclip index ~/images --model openai/clip-vit-base-patch16",
    "query": 'paperclip query "galaxy mergers" --instrument ACS -k 5',
    "describe": "paperclip describe image.fits",
    "show": "paperclip show hst:15354",
    "get": "paperclip get hst:15354 --out science",
    "cite": "paperclip cite --bibtex",
    "publish": "paperclip publish model hubble org/hubble",
    "pull": "paperclip pull org/hubble",
    "cache": "paperclip cache ls",
    "config": "paperclip config set index mine",
    "demo": "paperclip demo --out ~/demo",
    "doctor": "paperclip doctor --verify",
}
_SETTINGS = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """The commands, each imported only when it is used.

    So `paperclip query` does not wait for the modules and options of the others.
    """

    def list_commands(self, ctx: Context) -> list[str]:
        return list(dict.fromkeys([*EXAMPLES, *self.commands]))

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        return _command(cmd_name) if cmd_name in EXAMPLES else super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Lists the commands by their docstrings: building all their options would take 70 ms."""
        names = self.list_commands(ctx)
        width = formatter.width - 6 - max(map(len, names))
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(name).get_short_help_str(width)) for name in names])

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        if args[0] not in EXAMPLES:  # a typing error: suggest the closest of all names
            self.commands.update((name, _command(name)) for name in EXAMPLES)
        return super().resolve_command(ctx, args)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"paperclip_cli.cli.{name.replace('-', '_')}")


def _function(name: str) -> Callable[..., int | None]:
    return getattr(_module(name), name.replace("-", "_"))


def _summary(name: str) -> TyperCommand:
    return TyperCommand(name, help=_function(name).__doc__)


def _command(name: str) -> Command:
    """A command. One with actions (`cache ls`) has them in `ACTIONS` of its module.

    Its module says with `WITHOUT_ACTION` that it also does something by itself.
    """
    function, epilog = _function(name), f"Example: {EXAMPLES[name]}"
    actions = getattr(_module(name), "ACTIONS", None)
    is_whole = getattr(_module(name), "WITHOUT_ACTION", False)
    made = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=_SETTINGS)
    if actions is None:
        made.command(name, epilog=epilog)(function)
        return typer.main.get_command(made)

    made.callback(
        epilog=epilog,
        no_args_is_help=not is_whole,
        invoke_without_command=is_whole,
        subcommand_metavar="[ACTION ...]" if is_whole else "ACTION ...",
    )(function)
    for action, (called, example) in actions.items():
        made.command(action, epilog=f"Example: {example}")(called)
    return typer.main.get_command(made)


app = typer.Typer(
    name="paperclip",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Search telescope archives in plain language.",
    epilog='Example: paperclip query "galaxy mergers"',
    context_settings=_SETTINGS,
)
# No command has a switch of its own with one of these names.
_SWITCHES = ("--offline", "--verbose", "-v", "--quiet", "-q")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paperclip {__version__}")
        raise typer.Exit()


@app.callback()
def configure(
    ctx: typer.Context,
    cache_dir: Annotated[
        Optional[Path],
        typer.Option(
            help="Cache directory. [default: the platform's]", envvar="PAPERCLIP_CACHE_DIR"
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Never use the network; fail at once if a file is missing."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print more details, and tracebacks of errors.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only results and errors.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options shared by every command."""
    command = ctx.invoked_subcommand or ""
    set_by_user = SetByUser.of(command)
    ctx.default_map = {command: set_by_user.options()}
    open_session(
        Session(
            cache_dir=cache_dir,
            offline=offline,
            verbose=verbose,
            quiet=quiet,
            set_by_user=set_by_user,
        )
    )


def main() -> NoReturn:
    """Runs the command line of this process, and ends the process."""
    sys.unraisablehook = _not_lost
    _suit_streams()
    if not _wants_details(sys.argv[1:]):
        _quieten_libraries()
    signals.program(lambda: run(sys.argv[1:]))


def _suit_streams() -> None:
    """Lets stdout write `?` for what its encoding lacks, as on a Latin-1 terminal.

    A stream that the process was started without leads nowhere. Otherwise messages would be printed
    among the results where stderr is closed.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115, to the end
            setattr(sys, name, nowhere)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def _quieten_libraries() -> None:
    """Keeps off the terminal what libraries tell programmers: their warnings, and XLA's log.

    What a user should know is in a message of our own.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code.

    Every failure ends here, as one or two lines on stderr.
    """
    arguments = _globals_first(arguments)
    verbose = _wants_details(arguments)
    try:
        code = app(arguments, prog_name="paperclip", standalone_mode=False)
        if code == ExitCode.INTERRUPTED:
            return signals.say(signal.SIGINT)
        return int(code or ExitCode.OK)
    except PaperclipError as error:
        return _fail(error, error.message, error.hint, error.exit_code, verbose)
    except typer.TyperException as error:
        return _usage(error)
    except (typer.Abort, KeyboardInterrupt):
        return signals.say(signal.SIGINT)
    except Terminated:
        return signals.say(signal.SIGTERM)
    except ReaderGone:
        return ExitCode.OK
    except OSError as error:
        return _fail(error, *system_errors.told(error), ExitCode.ERROR, verbose)
    except Exception as error:
        if _is_about_a_setting(error):
            hint = "unset the variable, or give it a value that JAX knows"
            return _fail(error, f"environment: {error}", hint, ExitCode.ERROR, verbose)
        hint = "this is a bug in paperclip; run again with --verbose for the traceback"
        return _fail(error, f"{type(error).__name__}: {error}", hint, ExitCode.ERROR, verbose)


def _wants_details(arguments: list[str]) -> bool:
    return not {"--verbose", "-v"}.isdisjoint(arguments)


def _globals_first(arguments: list[str]) -> list[str]:
    """Moves the global switches before the command, so that they may also follow it.

    An example is `paperclip query dust --offline`.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    moved = [argument for argument in arguments[:end] if argument in _SWITCHES]
    return [
        *moved,
        *(argument for argument in arguments[:end] if argument not in _SWITCHES),
        *arguments[end:],
    ]


def _not_lost(dropped: sys.UnraisableHookArgs) -> None:
    """Sends a Ctrl-C or SIGTERM again that arrived where Python drops exceptions.

    Python drops them in finalisers and in callbacks of the garbage collector. JAX has such
    callbacks, and lost three of twenty signals while it was imported.
    """
    stop = {KeyboardInterrupt: signal.SIGINT, Terminated: signal.SIGTERM}.get(dropped.exc_type)  # type: ignore[call-overload]
    if stop is None:
        sys.__unraisablehook__(dropped)
    else:
        import threading

        signals.forget()
        again = threading.Timer(0.05, os.kill, (os.getpid(), stop))
        again.daemon = True
        again.start()


def _is_about_a_setting(error: Exception) -> bool:
    """Whether JAX refuses a variable of the environment, which it reads while it is imported."""
    if not isinstance(error, ValueError) or "jax" not in str(error).lower():
        return False
    from traceback import walk_tb

    return any(
        frame.f_globals.get("__name__") == "jax._src.config"
        for frame, _ in walk_tb(error.__traceback__)
    )


def _usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    message = error.format_message()
    command = context.command_path if context is not None else "paperclip"
    if not message or (context is not None and message == context.get_help()):
        print(message or f"see `{command} --help`", file=sys.stderr)
    else:
        print(f"error: {message.rstrip('.')}\nhint: see `{command} --help`", file=sys.stderr)
    return error.exit_code


def _fail(error: Exception, message: str, hint: str | None, code: int, verbose: bool) -> int:
    if (
        number := signals.heard()
    ) is not None:  # a signal was caught on the way and became this error
        return signals.say(number)
    if verbose:
        import traceback

        traceback.print_exception(error)
    print(f"error: {_harmless(message)}", file=sys.stderr)
    if hint:
        print(f"hint: {_harmless(hint)}", file=sys.stderr)
    return code


def _harmless(text: str) -> str:
    """A message without control characters: it may quote the files of strangers."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)
