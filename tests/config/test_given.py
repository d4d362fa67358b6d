"""Options become configurations: for a shell, and for what a Python program would give."""

from __future__ import annotations

import ast
import dataclasses
import datetime
import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Angle, SkyCoord
from astropy.time import Time
from hypothesis import given as for_all
from hypothesis import strategies as st

from paperclip_cli import config as configurations
from paperclip_cli.config import (
    BuildDatasetConfig,
    DescribeConfig,
    EvaluateConfig,
    FetchConfig,
    IndexConfig,
    QueryConfig,
    SummarizeConfig,
    TrainConfig,
    configure,
)
from paperclip_cli.config.given import READERS, option_names, options_of
from paperclip_cli.config.readers import numbers, values
from paperclip_cli.errors import UsageError

CLASSES = [
    getattr(configurations, name) for name in configurations.__all__ if name.endswith("Config")
]
# What has no default.
NEEDED: dict[type, dict[str, Any]] = {
    configurations.BenchmarkConfig: {"kind": "hisp", "folder": Path("a")},
    configurations.BundleConfig: {"place": "a.index"},
    configurations.CacheRemoveConfig: {"kind": "model", "name": "a"},
    configurations.MergeConfig: {"merge": ("a", "b")},
    configurations.PublishConfig: {"kind": "model", "name": "a", "repository": "org/a"},
    configurations.PullConfig: {"repository": "org/a"},
}
FIELDS = [(kind, one) for kind in CLASSES for one in dataclasses.fields(kind)]


def read(kind: type, field: str, **options: object) -> Any:
    return getattr(configure(kind, **options), field)


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_every_field_is_read_by_a_reader(kind: type, field: dataclasses.Field) -> None:
    """By its own, by that of its type, or it is one of a fixed choice."""
    if options_of(field).read is not None:
        return
    hint = get_type_hints(kind)[field.name]
    united = get_origin(hint) in (Union, type(int | str))
    plain = next(one for one in get_args(hint) if one is not type(None)) if united else hint
    if get_origin(plain) is tuple:
        plain = get_args(plain)[0]
    assert get_origin(plain) is Literal or plain.__name__ in READERS


@pytest.mark.parametrize("kind", CLASSES)
def test_without_options_the_defaults_hold(kind: type) -> None:
    needed = NEEDED.get(kind, {})
    assert configure(kind, **needed) == kind(**needed)
    nothing = dict.fromkeys(option_names(kind))
    assert configure(kind, **nothing | needed) == kind(**needed)


@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_default_that_is_typed_is_the_default_of_the_field(
    kind: type, field: dataclasses.Field
) -> None:
    typed = options_of(field).defaults.get(options_of(field).names[0])
    if typed is not None:
        assert read(kind, field.name, **{options_of(field).names[0]: typed}) == field.default


def test_lists_are_repeated_or_separated_by_commas() -> None:
    assert values(["a,b", " c ", ""]) == ("a", "b", "c")
    assert values("ACS, WFC3/UVIS") == values(["ACS", "WFC3/UVIS"]) == ("ACS", "WFC3/UVIS")
    assert values(Path("a,b")) == ("a,b",)
    assert numbers(["25-26,28"], "--cycle") == (25, 26, 28)


def test_bytes_that_are_no_text_are_refused_unless_they_are_a_path() -> None:
    with pytest.raises(UsageError, match="not text in the encoding"):
        configure(QueryConfig, text="du\udcffst")
    assert read(IndexConfig, "paths", paths=[Path("a\udcff")]) == (Path("a\udcff"),)


@for_all(st.lists(st.integers(0, 10**9 - 1), max_size=5))
def test_numbers_are_read_as_they_are_written(given: list[int]) -> None:
    assert numbers(given, "--cycle") == numbers(",".join(map(str, given)), "--cycle") == (*given,)


@pytest.mark.parametrize("given", ["x", "5-3", "1-", "1-999999999", "-4", -4, 2.5, True, [None]])
def test_what_is_no_range_is_refused(given: object) -> None:
    with pytest.raises(UsageError, match="--cycle"):
        configure(FetchConfig, cycle=given)


@pytest.mark.parametrize("given", [25, "25", ["25"], np.int64(25), range(25, 26)])
def test_a_cycle(given: object) -> None:
    assert read(QueryConfig, "cycles", cycle=given) == ("25",)


@pytest.mark.parametrize(
    "given", ["hst:15354,12577", ["hst:15354", 12577], ("15354", "hst:12577"), ["hst:15354,12577"]]
)
def test_proposals_may_name_their_mission(given: object) -> None:
    found = configure(FetchConfig, proposal=given)
    assert (found.mission, found.proposals) == ("hst", (15354, 12577))
    asked = configure(QueryConfig, proposal=given)
    assert (asked.missions, asked.proposals) == (("hst",), (15354, 12577))


def test_a_number_is_a_proposal_of_any_mission() -> None:
    assert read(QueryConfig, "proposals", proposal=15354) == (15354,)
    assert read(QueryConfig, "missions", proposal=15354) == ()
    assert read(QueryConfig, "missions", proposal=15354, mission=["hst", "jwst"]) == ("hst", "jwst")


def test_two_missions_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="several missions"):
        configure(FetchConfig, proposal="hst:1,jwst:2")
    with pytest.raises(UsageError, match="names mission hst, --mission jwst"):
        configure(FetchConfig, proposal="hst:1", mission="jwst")
    with pytest.raises(UsageError, match="names hst and --mission jwst"):
        configure(QueryConfig, proposal="hst:1", mission="jwst")


@pytest.mark.parametrize("given", ["10arcmin", 10 * u.arcmin, Angle("0d10m"), 1 / 6 * u.deg])
def test_an_angle(given: object) -> None:
    assert read(QueryConfig, "radius", radius=given) == pytest.approx(1 / 6)


@pytest.mark.parametrize("given", [10, 0.5, True, 10 * u.s, [1, 2] * u.deg, b"1deg"])
def test_an_angle_needs_a_unit(given: object) -> None:
    with pytest.raises(UsageError, match=r"--radius .* is not an angle with a unit"):
        configure(QueryConfig, radius=given)


@pytest.mark.parametrize("given", [0 * u.deg, -1 * u.deg, 181 * u.deg, np.nan * u.deg])
def test_an_angle_has_its_limits(given: object) -> None:
    with pytest.raises(UsageError, match="is not between 0 and 180 degrees"):
        configure(QueryConfig, radius=given)


@pytest.mark.parametrize(
    "given",
    [
        "2015-03-20",
        datetime.date(2015, 3, 20),
        datetime.datetime(2015, 3, 20),
        datetime.datetime(2015, 3, 20, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
        Time("2015-03-20", scale="utc"),
        Time("2015-03-20", scale="utc").tai,
        57101,
        57101.0,
        np.float64(57101),
    ],
)
def test_a_date(given: object) -> None:
    assert read(FetchConfig, "after", after=given) == pytest.approx(57101.0, abs=1e-9)


@for_all(st.datetimes(datetime.datetime(1960, 1, 1), datetime.datetime(2100, 1, 1)))
def test_a_time_is_astropys(when: datetime.datetime) -> None:
    days = Time("1858-11-17", scale="tai") + (when - datetime.datetime(1858, 11, 17))
    assert read(FetchConfig, "before", before=when) == pytest.approx(days.mjd, abs=1e-8)


@pytest.mark.parametrize(
    "given",
    ["yesterday", "", True, float("nan"), [57101.0], Time([57101.0, 57102.0], format="mjd")],
)
def test_no_date(given: object) -> None:
    with pytest.raises(UsageError, match="--after"):
        configure(FetchConfig, after=given)


@pytest.mark.parametrize(
    "given",
    [
        (202.47, 47.195),
        [202.47, 47.195],
        np.array([202.47, 47.195]),
        (202.47 * u.deg, 47.195 * u.deg),
        SkyCoord(202.47, 47.195, unit="deg"),
        SkyCoord(202.47, 47.195, unit="deg").galactic,
    ],
)
def test_a_place(given: object) -> None:
    assert read(QueryConfig, "near", near=given) == pytest.approx((202.47, 47.195))


@pytest.mark.parametrize(
    "given",
    [(0, 91), (361, 0), 5, (1,), (1, 2, 3), ("a", "b"), SkyCoord([1, 2], [3, 4], unit="deg")],
)
def test_no_place(given: object) -> None:
    with pytest.raises(UsageError, match="is not a place on the sky"):
        configure(QueryConfig, near=given)


def test_one_value_may_stand_for_several(tmp_path: Path) -> None:
    assert read(QueryConfig, "texts", text="dust") == ("dust",)
    assert read(QueryConfig, "texts", text=["a, b", "c"]) == ("a, b", "c")
    assert read(QueryConfig, "images", image=str(tmp_path)) == (tmp_path,)
    assert read(QueryConfig, "weights", image="a.png", weight=2) == (2.0,)
    assert read(IndexConfig, "paths", paths=tmp_path) == (tmp_path,)
    assert read(DescribeConfig, "templates", template="a photo of {}") == ("a photo of {}",)


def test_paths_are_texts_or_paths(tmp_path: Path) -> None:
    assert read(BuildDatasetConfig, "out", out=str(tmp_path)) == tmp_path
    assert read(TrainConfig, "init", init=tmp_path) == str(tmp_path)


@pytest.mark.parametrize(("given", "read_as"), [("1", 1), (1, 1), ("SCI", "SCI"), (np.int32(2), 2)])
def test_an_hdu(given: object, read_as: object) -> None:
    assert read(IndexConfig, "hdu", hdu=given) == read_as


@pytest.mark.parametrize("given", ["0/8", (0, 8), [0, 8]])
def test_a_part_of_the_proposals(given: object) -> None:
    assert read(FetchConfig, "shard", shard=given) == (0, 8)


@pytest.mark.parametrize("given", ["8/8", "1", 3, (8, 8), (1, 2, 3), (0, "8")])
def test_no_part_of_the_proposals(given: object) -> None:
    with pytest.raises(UsageError, match="--shard"):
        configure(FetchConfig, shard=given)


@pytest.mark.parametrize(
    ("kind", "name", "given", "what"),
    [
        (FetchConfig, "size", "big", "a whole number"),
        (FetchConfig, "size", 16.5, "a whole number"),
        (FetchConfig, "limit", True, "a whole number"),
        (FetchConfig, "rate", "fast", "a number"),
        (FetchConfig, "force", "no", "True or False"),
        (BuildDatasetConfig, "out", 5, "a path"),
        (BuildDatasetConfig, "name", 5, "a text"),
        (QueryConfig, "instrument", 5, "a text"),
        (QueryConfig, "text", ["a", 5], "a text"),
    ],
)
def test_a_value_of_another_type_is_refused(
    kind: type, name: str, given: object, what: str
) -> None:
    with pytest.raises(UsageError, match=rf"--{name} .* is not {what}"):
        configure(kind, **{name: given})


def test_an_unknown_option_is_named_with_the_nearest() -> None:
    with pytest.raises(TypeError, match="'instruments'; did you mean 'instrument'"):
        configure(FetchConfig, instruments="ACS")
    with pytest.raises(TypeError, match=r"no option 'zzz'$"):
        configure(FetchConfig, zzz=None)


def test_the_models_of_an_evaluation() -> None:
    assert read(EvaluateConfig, "model", model="a,b") == "a"
    assert read(EvaluateConfig, "others", model=["a", "b", "c"]) == ("b", "c")


def test_a_judge_needs_to_be_asked_for() -> None:
    found = read(EvaluateConfig, "judge", judge=True, judge_backend="llama-cpp", llm="m.gguf")
    assert found == SummarizeConfig(backend="llama-cpp", llm="m.gguf")
    assert read(EvaluateConfig, "judge", judge_backend="keywords") is None
    with pytest.raises(UsageError, match="need --judge"):
        configure(EvaluateConfig, llm="m.gguf")


def test_the_servers_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert read(SummarizeConfig, "base_url", backend="openai") == "http://127.0.0.1:1/v1"
    assert read(SummarizeConfig, "base_url", backend="keywords") is None
    assert (
        read(SummarizeConfig, "base_url", backend="openai", base_url="http://a/v1") == "http://a/v1"
    )


def test_what_is_recognised_by_what_it_can_do_needs_no_astropy() -> None:
    place = SimpleNamespace(icrs=SimpleNamespace(ra=1.0, dec=2.0))
    assert read(QueryConfig, "near", near=place) == (1.0, 2.0)
    assert read(FetchConfig, "after", after=SimpleNamespace(mjd=5.0)) == 5.0


def test_a_name_of_the_configurations_is_that_of_its_module() -> None:
    """The imports for type checkers and the names that are imported when they are used."""
    tree = ast.parse(Path(configurations.__file__).read_text("utf-8"))
    imported = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("paperclip_cli.config.")
        for alias in node.names
    }
    assert imported.keys() == set(configurations.__all__)
    for name, module in imported.items():
        assert getattr(configurations, name) is getattr(importlib.import_module(str(module)), name)
    with pytest.raises(AttributeError, match="no attribute 'NoConfig'"):
        _ = configurations.NoConfig
