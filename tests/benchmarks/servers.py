"""`summarize` and the servers of many products, by stand-ins: requests, changes and records.

    python tests/benchmarks/servers.py [--abstracts 12]

The first table has one row a product: the requests until all abstracts have a summary, what its
refusals changed, and whether each record says what the server saw. The second has one row a server
that cannot answer: the requests until the run ends, and its last words.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import _checkout  # noqa: F401

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.errors import PaperclipError
from paperclip_cli.http import retry
from paperclip_cli.records import Proposal
from paperclip_cli.stages.summarize import run
from paperclip_cli.summaries.files import read_failures, read_summaries
from paperclip_cli.summaries.llm import openai
from paperclip_cli.workspace import Workspace
from tests.factories import write_archive
from tests.standin.llm import LlmStandIn, llm_standin
from tests.standin.llm_products import PRODUCTS

HOPELESS = "html none shape error200 busy200 402 403 405 quota 400 500 429 hangup length".split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--abstracts", type=int, default=12)
    abstracts = parser.parse_args().abstracts
    openai.Patience = lambda tries: retry.Patience(tries=tries, first_wait=0.01, longest_wait=0.01)

    print("| product | requests | summaries | changed | records that say what was sent |")
    print("|---|---|---|---|---|")
    for name in PRODUCTS:
        print(f"| {name} | {' | '.join(map(str, answered(name, abstracts)))} |")
    print("\n| a server that always sends | requests | summaries | the run ends with |")
    print("|---|---|---|---|")
    for fault in HOPELESS:
        print(f"| {fault} | {' | '.join(map(str, hopeless(fault, abstracts)))} |")


def answered(name: str, abstracts: int) -> tuple[int, int, str, str]:
    """Requests, summaries, what was changed, and the number of records that say what was sent."""
    with tempfile.TemporaryDirectory() as folder, llm_standin() as server:
        server.product = PRODUCTS[name]
        workspace = cache(Path(folder), abstracts)
        summarize(server, workspace)
        made = [one.made for one in read_summaries(workspace, "openai").values() if one.made]
        told = [(one.temperature, one.seed, one.max_tokens) for one in made]
        saw = [
            (
                asked.get("temperature"),
                asked.get("seed"),
                asked.get("max_tokens", asked.get("max_completion_tokens")),
            )
            for asked in server.accepted
        ]
        changed = ", ".join(made[0].varied) or "nothing"
        right = sum(one == other for one, other in zip(told, saw, strict=True))
        return len(server.asked), len(made), changed, f"{right} of {len(saw)}"


def hopeless(fault: str, abstracts: int) -> tuple[int, int, str]:
    """Requests, summaries and the message for a server that always fails in one way."""
    with tempfile.TemporaryDirectory() as folder, llm_standin() as server:
        server.faults = [fault] * 10_000
        workspace = cache(Path(folder), abstracts)
        try:
            summarize(server, workspace)
            said = f"{len(read_failures(workspace, 'openai'))} failures"
        except PaperclipError as error:
            said = error.message.replace(server.url, "URL")
        made = len(read_summaries(workspace, "openai"))
        return len(server.asked), made, " ".join(said.replace("|", "/").split())


def summarize(server: LlmStandIn, workspace: Workspace) -> None:
    config = SummarizeConfig(backend="openai", base_url=server.url, llm="stand-in")
    run(config, workspace)


def cache(folder: Path, abstracts: int) -> Workspace:
    """A cache with proposals about black holes."""
    workspace = Workspace(folder, offline=True)
    proposals = [
        Proposal(mission="local", proposal_id=number, abstract=f"Black holes {number}.")
        for number in range(1, abstracts + 1)
    ]
    write_archive(workspace, "local", proposals, [])
    return workspace


if __name__ == "__main__":
    main()
