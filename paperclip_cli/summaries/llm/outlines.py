"""The backend `outlines`: a model in the Hugging Face layout, run by transformers on this machine.

Outlines constrains its answers to the form.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from paperclip_cli.errors import PaperclipError
from paperclip_cli.services.hub import import_client
from paperclip_cli.summaries.llm import schema
from paperclip_cli.summaries.llm.base import (
    MOST_TOKENS,
    Answer,
    Sampling,
    Sent,
    Shape,
    fingerprint,
    not_installed,
    require_room,
)
from paperclip_cli.summaries.llm.prompt import PLACE, Prompt


class TransformerWriter:
    """A writer of a batch of answers at a time, on the GPU if PyTorch finds one.

    `folder` holds safetensors; no code in it is run. `longest` bounds the items, in characters, for
    models that do not end them: each further character makes the automaton larger.
    """

    backend = "outlines"
    workers = 1

    def __init__(
        self,
        folder: Path,
        name: str,
        prompt: Prompt,
        batch: int,
        context: int,
        longest: int | None = None,
        most_tokens: int = MOST_TOKENS,
        shape: Shape | None = None,
    ) -> None:
        weights = sorted(folder.glob("*.safetensors"))
        identity = fingerprint(weights[0] if weights else folder / "config.json")
        self.batch, self.model = batch, f"{name}@{identity}"
        self._folder, self._prompt, self._context = folder, prompt, context
        self._longest, self._most_tokens = longest, most_tokens
        self._shape = shape or schema.shape()

    def prepare(self) -> None:
        assert self._processor is not None
        require_room(self, self._window)

    def stop(self) -> None:
        return None

    @property
    def room(self) -> int:
        return self._window - sum(map(self.count, self._frame)) - self._most_tokens

    def count(self, text: str) -> int:
        return len(self._tokenizer(text)["input_ids"])

    def write(self, abstracts: Sequence[str], sampling: Sampling) -> list[Answer]:
        import torch

        head, tail = self._frame
        tokens = self._tokenizer(
            [head + self._harmless(abstract) + tail for abstract in abstracts],
            padding=True,
            return_tensors="pt",
            add_special_tokens=not self._is_chat,
        ).to(self._model.device)
        drawn: dict[str, Any] = {"do_sample": False}
        if sampling.temperature:
            drawn = {"do_sample": True, "temperature": sampling.temperature}

        self._processor.reset()
        # Outlines would compile its small kernels, which takes longer than many answers.
        with (
            _quietly(),
            torch.random.fork_rng(_graphics(self._model.device)),
            torch.inference_mode(),
            torch.compiler.set_stance("force_eager"),
        ):
            torch.manual_seed(sampling.seed)
            made = self._model.generate(
                **tokens,
                max_new_tokens=self._most_tokens,
                logits_processor=[self._processor],
                pad_token_id=self._tokenizer.pad_token_id,
                eos_token_id=self._tokenizer.eos_token_id,
                **drawn,
            )

        written = made[:, tokens["input_ids"].shape[1] :].tolist()
        read = tokens["attention_mask"].sum(dim=1).tolist()
        sent = Sent(sampling.temperature, sampling.seed, self._most_tokens)
        return [self._answer(row, length, sent) for row, length in zip(written, read, strict=True)]

    def _answer(self, written: list[int], read: int, sent: Sent) -> Answer:
        end = self._tokenizer.eos_token_id
        is_whole = end in written
        if is_whole:
            written = written[: written.index(end)]
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        return Answer(text, is_whole, read, len(written) + is_whole, sent=sent)

    def _harmless(self, abstract: str) -> str:
        """An abstract without the tokenizer's control tokens, so that it cannot end a turn."""
        for token in self._tokenizer.all_special_tokens:
            abstract = abstract.replace(token, " ")
        return abstract

    @property
    def _is_chat(self) -> bool:
        return bool(self._tokenizer.chat_template)

    @cached_property
    def _frame(self) -> tuple[str, str]:
        """The text before and after the abstract, in the model's chat template if it has one."""
        text = self._prompt.filled(PLACE)
        if self._is_chat:
            message = [{"role": "user", "content": text}]
            text = self._tokenizer.apply_chat_template(
                message, tokenize=False, add_generation_prompt=True
            )
        head, tail = text.split(PLACE)
        return head, tail

    @property
    def _window(self) -> int:
        """The length of the model's context in tokens."""
        limit = getattr(self._model.config, "max_position_embeddings", None)
        return min(self._context, limit or self._context)

    @cached_property
    def _tokenizer(self) -> Any:
        import_client()
        from transformers import AutoTokenizer

        tokenizer = self._loaded(AutoTokenizer)
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        import_client()
        import torch
        from transformers import AutoModelForCausalLM

        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = self._loaded(AutoModelForCausalLM, dtype="auto", use_safetensors=True)
        return model.to(device).eval()

    def _loaded(self, kind: Any, **options: Any) -> Any:
        try:
            with _quietly():
                return kind.from_pretrained(
                    self._folder, local_files_only=True, trust_remote_code=False, **options
                )
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise PaperclipError(
                f"{self._folder} cannot be loaded by transformers ({reason})",
                "give --llm a causal language model in the Hugging Face layout, with safetensors",
            ) from error

    @cached_property
    def _processor(self) -> Any:
        """Outlines' automaton over this vocabulary, compiled once."""
        import_client()
        try:
            import outlines
            import torch  # noqa: F401
            from outlines.backends import get_regex_logits_processor
        except ImportError as error:
            raise not_installed(self.backend, "outlines", error) from error
        model: Any = outlines.from_transformers(self._model, self._tokenizer)
        model.tokenizer.convert_token_to_string = _spelling(self._tokenizer)
        return get_regex_logits_processor(None, model, self._shape.expression(self._longest))


@contextmanager
def _quietly() -> Iterator[None]:
    """Silences the bars and the advice of transformers, and leaves both as they were.

    Its switch for bars is also that of the Hub's library.
    """
    from huggingface_hub import utils as hub
    from transformers.utils import logging

    level, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub_has_none = hub.are_progress_bars_disabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if has_bars:
            with warnings.catch_warnings():  # HF_HUB_DISABLE_PROGRESS_BARS may be set
                warnings.simplefilter("ignore")
                logging.enable_progress_bar()
        if hub_has_none:
            hub.disable_progress_bars()


def _graphics(device: Any) -> list[int]:
    """The devices other than the CPU whose random numbers an answer uses up."""
    return [device.index or 0] if device.type == "cuda" else []


def _spelling(tokenizer: Any) -> Callable[[str], str]:
    """The text that a token adds.

    Outlines' own function adds an extra space for tokenizers like Gemma's, so that no token stands
    for a single one.
    """
    anchor = tokenizer.tokenize("a")[-1]
    length = len(tokenizer.convert_tokens_to_string([anchor]))
    return lambda token: tokenizer.convert_tokens_to_string([anchor, token])[length:]
