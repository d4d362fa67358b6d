"""Odd environments, each in a real process: an answer, or a line that names what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paperclip_cli.config import IndexConfig
from paperclip_cli.stages import index
from paperclip_cli.workspace import Workspace
from tests.factories import write_fetched
from tests.small_indexes import towers, write_picture


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    workspace = Workspace(tmp_path_factory.mktemp("cache"), offline=True)
    write_fetched(workspace, "hst", proposals=4)
    index.run(IndexConfig(model=str(tiny_model)), workspace, **towers())  # type: ignore[arg-type]
    return workspace.root


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "one.png"
    write_picture(path, seed=1)
    return path


def run(
    cache: Path, environment: dict[str, str], *arguments: str | bytes
) -> subprocess.CompletedProcess[bytes]:
    program = [sys.executable, "-m", "paperclip_cli", "--cache-dir", str(cache), *arguments]
    inherited = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(program, capture_output=True, env=inherited | environment, timeout=120)
    assert b"this is a bug" not in done.stderr and b"Traceback" not in done.stderr, done.stderr
    return done


PROXY = "error: HTTPS_PROXY is not the address of a proxy"
NO_DEVICE = "error: JAX_PLATFORMS is 'cuda', and this machine has no such device that JAX can use"


@pytest.mark.parametrize(
    ("environment", "arguments", "line"),
    [
        ({"HTTPS_PROXY": "host:port"}, ["query", "dust", "--near", "Odd 1"], PROXY),
        ({"HTTPS_PROXY": "host:port"}, ["fetch", "--proposal", "1"], PROXY),
        ({"HTTPS_PROXY": "host:port"}, ["pull", "org/name"], PROXY),
        (
            {"HF_ENDPOINT": "http://[::1"},
            ["pull", "org/name"],
            "error: HF_ENDPOINT is not the URL of a server",
        ),
        (
            {"HF_TOKEN": "naïve"},
            ["pull", "org/name"],
            "error: HF_TOKEN is not a key: it has spaces, several lines or "
            "characters that are not ASCII",
        ),
        ({"JAX_PLATFORMS": "cuda", "CUDA_VISIBLE_DEVICES": ""}, ["query", "--image"], NO_DEVICE),
        (
            {"JAX_NUM_CPU_DEVICES": "many"},
            ["query", "--image"],
            'error: environment: Invalid value "many" for JAX flag jax_num_cpu_devices',
        ),
    ],
)
def test_a_wrong_variable_ends_in_a_line_about_it(
    environment: dict[str, str], arguments: list[str], line: str, cache: Path, picture: Path
) -> None:
    given = [*arguments, *([str(picture)] if arguments[-1] == "--image" else [])]
    done = run(cache, environment, *given)
    first, hint = done.stderr.decode().splitlines()
    assert (done.returncode, first, hint.partition(" ")[0]) == (1, line, "hint:")


def test_doctor_reports_a_device_that_is_not_there_and_goes_on(cache: Path) -> None:
    environment = {"JAX_PLATFORMS": "cuda", "CUDA_VISIBLE_DEVICES": ""}
    done = run(cache, environment, "--offline", "doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 1 and checks["jax"]["state"] == "problem"
    assert "JAX_PLATFORMS is 'cuda'" in checks["jax"]["found"] and "index default" in checks


def test_doctor_reports_settings_that_no_library_can_read(cache: Path) -> None:
    done = run(cache, {"HTTPS_PROXY": "host:port", "HF_TOKEN": "ä"}, "doctor", "--json")
    network = [check for check in json.loads(done.stdout) if check["topic"] == "network"]
    assert [check["name"] for check in network] == ["HTTPS_PROXY", "HF_TOKEN"]
    assert {check["state"] for check in network} == {"problem"} and done.returncode == 1


def test_a_proxy_that_is_not_needed_does_no_harm(cache: Path) -> None:
    assert run(cache, {"HTTPS_PROXY": "host:port"}, "query", "dust").returncode == 0


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_stdout_of_any_encoding_is_written_to(encoding: str, cache: Path) -> None:
    table = run(cache, {"PYTHONIOENCODING": encoding, "COLUMNS": "40"}, "query", "Ω Cen")
    assert table.returncode == 0 and b"?" in table.stdout, "cells are cut with an ellipsis"
    hits = run(cache, {"PYTHONIOENCODING": encoding}, "query", "Ω Cen", "--json")
    assert {hit["query"] for hit in json.loads(hits.stdout)} == {"Ω Cen"}, "nothing is lost"


@pytest.mark.parametrize("option", ["--text", "--target", "--instrument", "--index", "--minus"])
def test_bytes_that_are_no_text_are_wrong_usage(option: str, cache: Path) -> None:
    done = run(cache, {}, b"query", b"dust", option, b"\xff")
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"error: {option} '\\udcff' has bytes that are not text")


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    done = run(tmp_path / "home" / "cache", {}, "fetch", "--simulate", "2")
    assert (done.returncode, done.stderr.decode().splitlines()) == (
        1,
        [
            f"error: {tmp_path}/home: File exists",
            "hint: a file of this name is in the way: give another name",
        ],
    )


@pytest.mark.parametrize("columns", ["0", "-1", "wide"])
def test_a_width_that_is_none_is_the_usual_one(columns: str, cache: Path) -> None:
    usual = run(cache, {"COLUMNS": "80"}, "query", "dust").stdout
    assert run(cache, {"COLUMNS": columns}, "query", "dust").stdout == usual


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_stream_that_is_closed_leads_nowhere(closed: int, cache: Path) -> None:
    """Nor do messages get among the results, or either into the files of the cache."""
    before = {path: path.read_bytes() for path in cache.rglob("*") if path.is_file()}
    program = [sys.executable, "-m", "paperclip_cli", "--cache-dir", str(cache)]
    asked = [*program, "query", "dust", "--target", "nothing", "--json"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}>&-', "sh", *asked], capture_output=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, b"" if closed == 1 else b"[]\n")
    assert done.stderr.startswith(b"" if closed == 2 else b"no image meets --target nothing")
    assert {path: path.read_bytes() for path in cache.rglob("*") if path.is_file()} == before
