"""Opens the backend that makes summaries, or judges abstracts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from paperclip_cli.config import SummarizeConfig
from paperclip_cli.config.summaries import KEYWORDS, LLAMA_CPP, OPENAI, OUTLINES
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.http.settings import OPENAI_KEY, key_in
from paperclip_cli.records import MOST_TOKENS
from paperclip_cli.summaries.base import Summarizer
from paperclip_cli.summaries.judge import Judge, KeywordJudge
from paperclip_cli.summaries.keywords.summarizer import KeywordSummarizer
from paperclip_cli.summaries.llm.model_files import gguf_file, language_folder
from paperclip_cli.workspace import Workspace

if TYPE_CHECKING:
    from paperclip_cli.summaries.llm.base import Shape, Writer
    from paperclip_cli.summaries.llm.prompt import Prompt

_EXAMPLES = {
    LLAMA_CPP: "give a GGUF file, or org/name:file.gguf on the Hub",
    OUTLINES: "give a model's folder, or its name on the Hub",
}


def open_summarizer(
    config: SummarizeConfig, workspace: Workspace, tell: Callable[[str], None]
) -> Summarizer:
    """The backend that `config` names. Its model is located, but not loaded.

    `tell` is given the reason whenever a server is waited for.
    """
    if config.backend == KEYWORDS:
        return KeywordSummarizer()

    from paperclip_cli.summaries.llm.prompt import Prompt
    from paperclip_cli.summaries.llm.summarizer import LanguageSummarizer

    prompt = Prompt.read(config.prompt)
    return LanguageSummarizer(
        _open_writer(config, workspace, prompt, tell),
        prompt,
        config.tries,
        config.temperature,
        config.seed,
        config.max_tokens,
    )


def open_judge(config: SummarizeConfig, workspace: Workspace, tell: Callable[[str], None]) -> Judge:
    """The same backend as a judge of abstracts, for `evaluate`."""
    if config.backend == KEYWORDS:
        return KeywordJudge()
    from paperclip_cli.summaries.llm.judge import QUESTION, LanguageJudge, shape

    writer = _open_writer(config, workspace, QUESTION, tell, shape())
    return LanguageJudge(writer, config.max_tokens)


def _open_writer(
    config: SummarizeConfig,
    workspace: Workspace,
    prompt: Prompt,
    tell: Callable[[str], None],
    shape: Shape | None = None,
) -> Writer:
    if config.backend == OPENAI:
        from paperclip_cli.summaries.llm.openai import ServerWriter, is_local

        if config.base_url is None:
            raise UsageError(
                "--backend openai needs --base-url",
                "give the address of a server, for example http://localhost:8080/v1",
            )
        if workspace.offline and not is_local(config.base_url):
            raise PaperclipError(
                f"{config.base_url} is not on this machine, and the network may not be used",
                "run without --offline",
            )
        return ServerWriter(
            config.base_url,
            config.llm or "",
            key_in(OPENAI_KEY),
            prompt,
            config.workers,
            config.context,
            config.timeout,
            tell=tell,
            shape=shape,
            most_tokens=config.max_tokens,
        )
    if config.llm is None:
        raise UsageError(f"--backend {config.backend} needs --llm", _EXAMPLES[config.backend])
    if config.backend == LLAMA_CPP:
        from paperclip_cli.summaries.llm.llama_cpp import GgufWriter

        return GgufWriter(
            gguf_file(config.llm, workspace),
            prompt,
            config.resolved_context,
            config.threads,
            shape,
            config.max_tokens,
        )
    from paperclip_cli.summaries.llm.outlines import TransformerWriter

    folder = language_folder(config.llm, workspace)
    return TransformerWriter(
        folder,
        Path(config.llm).name,
        prompt,
        config.batch_size,
        config.resolved_context,
        most_tokens=config.max_tokens or MOST_TOKENS,
        shape=shape,
    )
