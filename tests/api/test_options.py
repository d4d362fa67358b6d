"""The functions of the Python API have the options and defaults of their commands."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import typer

import paperclip_cli
from paperclip_cli.api import arguments
from paperclip_cli.api import options as typed
from paperclip_cli.api.placed import placed
from paperclip_cli.cli.app import EXAMPLES, app
from paperclip_cli.config import (
    BenchmarkConfig,
    BuildDatasetConfig,
    BundleConfig,
    CiteConfig,
    DescribeConfig,
    DoctorConfig,
    EvaluateConfig,
    FetchConfig,
    GetConfig,
    IndexConfig,
    MergeConfig,
    PublishConfig,
    PullConfig,
    QueryConfig,
    SummarizeConfig,
    TrainConfig,
    configure,
)
from paperclip_cli.config.given import option_names
from paperclip_cli.errors import UsageError
from tests.config.test_given import NEEDED

# Each function with its command, its configuration and, where it has `**options`, their types.
FUNCTIONS: dict[str, tuple[str, type, type | None]] = {
    "fetch": ("fetch", FetchConfig, typed.FetchOptions),
    "summarize": ("summarize", SummarizeConfig, typed.SummarizeOptions),
    "export_summaries": ("summarize", SummarizeConfig, typed.SetOptions),
    "import_summaries": ("summarize", SummarizeConfig, typed.SetOptions),
    "build_dataset": ("build-dataset", BuildDatasetConfig, typed.BuildDatasetOptions),
    "train": ("train", TrainConfig, typed.TrainOptions),
    "evaluate": ("evaluate", EvaluateConfig, typed.EvaluateOptions),
    "benchmark": ("evaluate", BenchmarkConfig, typed.BenchmarkOptions),
    "index": ("index", IndexConfig, typed.IndexOptions),
    "index_status": ("index", IndexConfig, None),
    "export_index": ("index", BundleConfig, None),
    "merge_indexes": ("index", MergeConfig, None),
    "import_index": ("index", BundleConfig, typed.BundleOptions),
    "describe": ("describe", DescribeConfig, typed.DescribeOptions),
    "get": ("get", GetConfig, typed.GetOptions),
    "cite": ("cite", CiteConfig, None),
    "doctor": ("doctor", DoctorConfig, None),
    "publish": ("publish", PublishConfig, typed.PublishOptions),
    "pull": ("pull", PullConfig, typed.PullOptions),
}
# Those that take all options of their command; the others do one thing that an option asks for.
WHOLE = set(FUNCTIONS) - {
    "benchmark",
    "export_summaries",
    "import_summaries",
    "index_status",
    "export_index",
    "merge_indexes",
    "import_index",
}
NO_FUNCTION = {
    "cache": "it lists and removes what is on a disk, for a person who is asked",
    "config": "it keeps the defaults of the command line; a program says what it wants",
    "demo": "it shows how the commands work together, and prints them",
    "show": "it prints texts for a person; an index and the files of the cache hold them",
    "query": "its function stands with what it returns, and is tested below",
}
# Names that differ, and why.
RENAMED = {
    ("fetch", "from"): "source",  # a word of the language
    ("train", "cache"): "cache_images",  # `cache` is the cache directory
}
# Options of commands that no function has, and why.
ONLY_TYPED = {
    "format": "how results are printed",
    "json": "how results are printed",
    "max_failures": "an exit code; a program counts `report.failures`",
    "show": "it prints",
    "report": "it prints",
    "export": "a function of its own",
    "import": "a function of its own",
    "status": "a function of its own",
    "merge": "a function of its own",
    "watch": "a program calls `index` when it knows of new images",
    "benchmark": "a function of its own",
    "yes": "nobody is asked",
    "print_sbatch": "it prints",
    "nodes": "of what is printed",
    "gpus_per_node": "of what is printed",
}
COMMON = {"cache", "offline", "progress"}  # the command has them before its name
# The file, or kind and place, that is the value of an option of the command.
ARGUMENT = {
    "export_summaries": ("path",),
    "import_summaries": ("path",),
    "export_index": ("path",),
    "merge_indexes": ("indexes",),
    "import_index": ("place",),
    "benchmark": ("kind", "folder"),
}


def parameters(function: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(getattr(paperclip_cli, function)).parameters)


def command_of(name: str) -> tuple[dict[str, Any], Callable]:
    """The options and arguments of a command by name, and its function."""
    group: Any = typer.main.get_command(app)
    shown = {}
    for one in group.get_command(None, name).params:
        given = [each.lstrip("-") for each in one.opts if each.startswith("-")] or [one.name]
        plain = max(given, key=len).replace("-", "_")
        shown[RENAMED.get((name, plain), plain)] = one
    shown.pop("help", None)
    function = name.replace("-", "_")
    return shown, getattr(importlib.import_module(f"paperclip_cli.cli.{function}"), function)


def test_every_command_has_a_function() -> None:
    assert {command for command, _, _ in FUNCTIONS.values()} | set(NO_FUNCTION) == set(EXAMPLES)
    public = {name for name, home in paperclip_cli._MODULES.items() if home == "api.stages"}
    assert public == set(FUNCTIONS)


@pytest.mark.parametrize("function", sorted(WHOLE))
def test_a_function_has_the_options_of_its_command(function: str) -> None:
    command, config, _ = FUNCTIONS[function]
    ours, theirs = set(parameters(function)) - COMMON, set(command_of(command)[0])
    bibtex = {"bibtex"} if function == "cite" else set()  # its output, which the function returns
    assert ours == set(option_names(config)) | bibtex
    assert theirs - ours == theirs & set(ONLY_TYPED)
    assert ours <= theirs


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_has_the_defaults_of_its_command(function: str) -> None:
    command, _, _ = FUNCTIONS[function]
    typed_ones, called = command_of(command)
    defaults = inspect.signature(called).parameters
    for name, one in parameters(function).items():
        if name in COMMON or name in ARGUMENT.get(function, ()):
            continue
        default = defaults[typed_ones[name].name].default
        if default is inspect.Parameter.empty:  # what the command needs, the function needs, too
            assert one.default is inspect.Parameter.empty
        elif name == "template":  # the help says it in words
            assert default is None and one.default == DescribeConfig.templates
        else:
            assert one.default == default, name
            assert type(one.default) is type(default), name


@pytest.mark.parametrize(
    ("function", "options"), [(name, each) for name, (*_, each) in FUNCTIONS.items() if each]
)
def test_the_types_are_those_of_the_options(function: str, options: type) -> None:
    arguments = [
        name for name, one in parameters(function).items() if one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    named = set(get_type_hints(options))
    assert named == set(parameters(function)) - COMMON - set(arguments)
    assert named <= set(option_names(FUNCTIONS[function][1]))


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_default_that_is_given_is_the_default(function: str) -> None:
    _, config, options = FUNCTIONS[function]
    if options is None:
        return
    shown = {
        name: one.default
        for name, one in parameters(function).items()
        if name in get_type_hints(options) and one.default is not inspect.Parameter.empty
    }
    needed = NEEDED.get(config, {})
    usual = {"index": IndexConfig.name} if config is BundleConfig else {}
    assert configure(config, **needed, **shown) == configure(config, **needed, **usual)


def test_help_shows_each_option_with_its_default() -> None:
    import pydoc

    said = pydoc.plain(pydoc.render_doc(paperclip_cli.fetch))
    assert "simulate: int | None = None" in said and "radius: str | " in said
    assert "= '2arcmin'" in said and "max_images: int = 20" in said
    assert all(getattr(paperclip_cli, name).__doc__ for name in FUNCTIONS)


def test_an_unknown_option_is_a_type_error(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'simulated'; did you mean 'simulate'"):
        paperclip_cli.fetch(cache=tmp_path, simulated=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        paperclip_cli.doctor(verified=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="there is no option 'llm'"):  # one of `summarize` only
        paperclip_cli.export_summaries(tmp_path / "a.csv", llm="x", cache=tmp_path)  # type: ignore[call-arg]


def test_a_wrong_value_is_the_error_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--size 'big' is not a whole number"):
        paperclip_cli.fetch(cache=tmp_path, simulate=3, size="big")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="cache 5 is not a path"):
        paperclip_cli.fetch(cache=5, simulate=3)  # type: ignore[arg-type]


def test_near_may_be_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from paperclip_cli.stages import place

    asked: list[str] = []

    def resolve(name: str, is_offline: bool) -> tuple[float, float]:
        asked.append(name)
        return 202.47, 47.195

    monkeypatch.setattr(place, "resolve_name", resolve)
    here = arguments.workspace(tmp_path)
    assert placed({"near": "M 51", "limit": 1}, here)["near"] == (202.47, 47.195)
    assert placed({"near": "10 20"}, here)["near"] == (10.0, 20.0)
    assert placed({"near": (1, 2)}, here) == {"near": (1, 2)}
    assert asked == ["M 51"]


def test_near_may_be_in_another_frame(tmp_path: Path) -> None:
    from astropy.coordinates import SkyCoord

    here, there = (
        arguments.workspace(tmp_path),
        SkyCoord(104.85, 68.56, unit="deg", frame="galactic"),
    )
    m51 = pytest.approx((there.icrs.ra.deg, there.icrs.dec.deg))
    for near in ((104.85, 68.56), "104.85 68.56", "104d51m +68d33m36s"):
        found = placed({"near": near, "frame": "galactic"}, here)
        assert (found["near"], found["frame"]) == (m51, "galactic")
    assert placed({"near": there, "frame": "galactic"}, here)["near"] is there
    with pytest.raises(UsageError, match="unknown --frame 'polar'"):
        placed({"near": (1, 2), "frame": "polar"}, here)


def test_the_cache_is_that_of_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAPERCLIP_CACHE_DIR", str(tmp_path / "mine"))
    assert arguments.workspace(None).root == tmp_path / "mine"
    assert arguments.workspace(str(tmp_path)).root == tmp_path
    assert arguments.workspace(tmp_path, offline=True).offline


def test_a_search_has_the_options_of_query() -> None:
    theirs, ours = set(option_names(QueryConfig)), set(get_type_hints(typed.QueryOptions))
    assert ours == theirs - {"text", "index"}
    of_query = set(parameters("query")) - COMMON
    assert of_query == theirs
    of_search = set(inspect.signature(paperclip_cli.Index.search).parameters)
    assert of_search == ours | {"self", "what", "vector"}
    shown = set(command_of("query")[0])
    assert theirs - shown == set()
    # The rest says how hits are printed, is short for another option, or is `words`.
    printed = "format json paths copy_to html thumbnails samp open".split()
    assert shown - theirs == {*printed, "no_collapse", "words"}
