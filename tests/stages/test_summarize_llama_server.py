"""`summarize` with llama-cpp-python's own server and a real language model."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import ExitCode
from paperclip_cli.stages.summarize import run
from paperclip_cli.summaries.files import read_failures, read_summaries
from paperclip_cli.workspace import Workspace
from tests.factories import write_holes

CONTEXT = 1280  # tokens; the prompt alone has about 650
LONG = " ".join(f"We observe {n} black holes in nearby galaxies." for n in range(100, 180))


@pytest.fixture(scope="module")
def server(gemma: Path) -> Iterator[str]:
    """The address of a server with a context that is too small for LONG."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "llama_cpp.server", "--model", str(gemma)]
    place = ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", str(CONTEXT)]
    process = subprocess.Popen(
        [*program, *place], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/v1"
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline and process.poll() is None:
            try:
                session.get(f"{url}/models", timeout=5).raise_for_status()
                return
            except requests.RequestException:
                time.sleep(0.2)
    raise AssertionError(f"the server does not answer (exit status {process.poll()})")


@pytest.mark.nightly
def test_an_abstract_that_is_too_long_fails_alone_and_the_records_say_what_was_sent(
    workspace: Workspace, server: str
) -> None:
    write_holes(workspace, 3, p2=LONG)
    config = SummarizeConfig(backend="openai", base_url=server, llm="any name")
    report = run(config, workspace)
    assert report.exit_code == ExitCode.PARTIAL and report.counts["summaries"] == 2
    (failure,) = read_failures(workspace, "openai").values()
    assert f"maximum context length is {CONTEXT} tokens" in failure.reason
    made = [summary.made for summary in read_summaries(workspace, "openai").values()]
    assert {making.varied for making in made if making} == {("json_object with a schema",)}

    shorter = SummarizeConfig(
        backend="openai",
        base_url=server,
        llm="any name",
        set_name="shorter",
        context=CONTEXT,
        max_tokens=128,
    )
    report = run(shorter, workspace)
    assert report.exit_code == ExitCode.OK and report.counts["summaries"] == 3
