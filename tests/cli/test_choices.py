"""Options with a fixed choice: --help lists the values, TAB offers them, others are refused."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
import typer

from paperclip_cli.cli.app import app, run
from paperclip_cli.config import (
    BuildDatasetConfig,
    DescribeConfig,
    EvaluateConfig,
    IndexConfig,
    PullConfig,
    QueryConfig,
    SummarizeConfig,
    TrainConfig,
)
from paperclip_cli.errors import ExitCode, UsageError

CONFIGURATIONS = {
    "build-dataset": BuildDatasetConfig,
    "describe": DescribeConfig,
    "evaluate": EvaluateConfig,
    "index": IndexConfig,
    "pull": PullConfig,
    "query": QueryConfig,
    "summarize": SummarizeConfig,
    "train": TrainConfig,
}
LINES = {"describe": ["x.fits"], "pull": ["org/x"], "query": ["dust"]}
NEEDED: dict = {"train": {"init": "somewhere"}, "pull": {"repository": "org/x"}}


def typed(name: str) -> str:
    """The option of a field. `cache` alone is the cache directory, for a Python program."""
    return "--cache" if name == "cache_images" else f"--{name.replace('_', '-')}"


def choices_of(configuration: type) -> dict[str, tuple[str, ...]]:
    """The values of each field that has a fixed choice."""
    found = {}
    for name, hint in get_type_hints(configuration).items():
        for part in get_args(hint) if get_origin(hint) in (Union, types.UnionType) else [hint]:
            if get_origin(part) is Literal:
                found[name] = get_args(part)
    return found


CASES = [
    (command, name, values)
    for command, configuration in CONFIGURATIONS.items()
    for name, values in choices_of(configuration).items()
]


def option(command: str, name: str) -> Any:
    """The option of a command that sets a field of its configuration."""
    group: Any = typer.main.get_command(app)
    parameters = group.get_command(None, command).params
    return next(one for one in parameters if typed(name) in one.opts)


def offered(given: Any, incomplete: str = "") -> tuple[str, ...]:
    """The values that TAB offers for an option."""
    context = typer.Context(typer.main.get_command(app))
    return tuple(item.value for item in given.shell_complete(context, incomplete))


def test_there_are_as_many_as_there_were() -> None:
    assert len(CASES) == 24


@pytest.mark.parametrize(
    ("command", "name", "values"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES]
)
def test_the_command_line_offers_what_the_configuration_takes(
    command: str, name: str, values: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    given = option(command, name)
    assert offered(given) == values
    assert offered(given, values[-1])[-1] == values[-1]

    assert run([command, "--help"]) == ExitCode.OK
    assert f"<{'|'.join(values)}>" in "".join(capsys.readouterr().out.split())
    assert run([command, *LINES.get(command, []), given.opts[0], "strange"]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert given.opts[0] in said and all(repr(value) in said for value in values)


@pytest.mark.parametrize(
    ("command", "name", "values"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES]
)
def test_a_configuration_takes_each_and_no_other(
    command: str, name: str, values: tuple[str, ...]
) -> None:
    needed = NEEDED.get(command, {})
    for value in values:
        assert getattr(CONFIGURATIONS[command](**needed, **{name: value}), name) == value
    with pytest.raises(UsageError, match=f"{typed(name)} 'strange'") as caught:
        CONFIGURATIONS[command](**needed, **{name: "strange"})
    assert all(value in (caught.value.hint or "") for value in values)


def test_the_judge_is_a_backend_of_summarize() -> None:
    judges = offered(option("evaluate", "judge_backend"))
    assert judges == offered(option("summarize", "backend")) != ()
