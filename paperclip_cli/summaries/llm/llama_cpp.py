"""The backend `llama-cpp`: a GGUF file, run on this machine by llama.cpp through llama-cpp-python.

Three things differ from the library, because they take much of its time there. The fixed part of
the prompt stays in the model's memory: only the difference from the previous prompt is evaluated.
The certain beginning of the JSON object is part of the prompt. And the grammar is applied to the
likeliest tokens first: to the whole vocabulary (262,144 tokens in Gemma's) only if it allows none
of those.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from paperclip_cli.errors import PaperclipError
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
from paperclip_cli.threads import processors

if TYPE_CHECKING:
    from llama_cpp import Llama

TOP = 40  # the likeliest tokens, among which one is drawn at a temperature
# The memory layout of llama_token_data.
_TOKEN = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)], align=True)


class GgufWriter:
    """A writer of one answer at a time.

    `evaluated` counts the tokens that went through the model, of prompts and answers.
    """

    backend = "llama-cpp"
    batch = workers = 1

    def __init__(
        self,
        path: Path,
        prompt: Prompt,
        context: int,
        threads: int | None = None,
        shape: Shape | None = None,
        most_tokens: int | None = None,
    ) -> None:
        self.model = f"{path.name}@{fingerprint(path)}"
        self.evaluated = 0
        self._path, self._prompt, self._context, self._threads = path, prompt, context, threads
        self._shape, self._limit = shape or schema.shape(), most_tokens

    def prepare(self) -> None:
        require_room(self, self._llm.n_ctx())

    def stop(self) -> None:
        return None

    @property
    def _most_tokens(self) -> int:
        return self._limit or MOST_TOKENS

    @property
    def room(self) -> int:
        head, tail = self._frame
        return self._llm.n_ctx() - len(head) - len(tail) - self._most_tokens

    def count(self, text: str) -> int:
        return len(self._tokens(text))

    def write(self, abstracts: Sequence[str], sampling: Sampling) -> list[Answer]:
        return [self._write(abstract, sampling) for abstract in abstracts]

    def _write(self, abstract: str, sampling: Sampling) -> Answer:
        head, tail = self._frame
        prompt = [*head, *self._tokens(abstract), *tail]
        opening, end = self._shape.opening, self._shape.end
        grammar, draw = self._new_grammar(), np.random.default_rng(sampling.seed)

        written: list[int] = []
        text = ""
        try:
            self._read(prompt)
            while not text.endswith(end) and len(written) < self._most_tokens:
                if written:
                    self._evaluate(written[-1:])
                written.append(self._choose(grammar, sampling.temperature, draw))
                self._library.llama_sampler_accept(grammar, written[-1])
                decoded = self._llm.detokenize(written, prev_tokens=prompt)
                text = decoded.decode("utf-8", errors="replace")
        finally:
            self._library.llama_sampler_free(grammar)
        sent = Sent(sampling.temperature, sampling.seed, self._most_tokens)
        return Answer(opening + text, text.endswith(end), len(prompt), len(written), sent=sent)

    def _read(self, prompt: list[int]) -> None:
        """Evaluate the part of a prompt that the model does not remember from the last one."""
        llm, library = self._llm, self._library
        # The last token is always evaluated: its logits are needed.
        remembered = _common(llm.input_ids[: llm.n_tokens], prompt[:-1])
        if not library.llama_memory_seq_rm(library.llama_get_memory(llm.ctx), -1, remembered, -1):
            llm.reset()  # a recurrent model cannot forget the end alone
            remembered = 0
        llm.n_tokens = remembered
        self._evaluate(prompt[remembered:])

    def _evaluate(self, tokens: list[int]) -> None:
        self.evaluated += len(tokens)
        self._llm.eval(tokens)

    def _choose(self, grammar: Any, temperature: float, draw: np.random.Generator) -> int:
        """The likeliest token that the grammar allows, or at a temperature one of the `TOP`."""
        pointer = self._library.llama_get_logits_ith(self._llm.ctx, -1)
        logits = np.ctypeslib.as_array(pointer, shape=(self._llm.n_vocab(),))
        for width in (TOP if temperature else 1, TOP, len(logits)):
            tokens = _likeliest(logits, width)
            tokens = tokens[self._allowed(grammar, tokens, logits[tokens])]
            if len(tokens):
                break
        else:
            raise RuntimeError("the grammar allows no token")

        tokens = tokens[_likeliest(logits[tokens], TOP if temperature else 1)]
        if not temperature:
            return int(tokens[0])
        weights = np.exp((logits[tokens].astype(np.float64) - logits[tokens].max()) / temperature)
        return int(draw.choice(tokens, p=weights / weights.sum()))

    def _allowed(self, grammar: Any, tokens: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Whether the grammar allows each of the tokens next: bool [tokens]."""
        table = np.empty(len(tokens), _TOKEN)
        table["id"], table["logit"], table["p"] = tokens, logits, 0
        library = self._library
        array = library.llama_token_data_array(
            data=table.ctypes.data_as(library.llama_token_data_p),
            size=len(table),
            selected=-1,
            sorted=False,
        )
        library.llama_sampler_apply(grammar, ctypes.byref(array))
        return np.isfinite(table["logit"])

    def _new_grammar(self) -> Any:
        library = self._library
        return library.llama_sampler_init_grammar(
            library.llama_model_get_vocab(self._llm.model), self._shape.grammar.encode(), b"root"
        )

    def _tokens(self, text: str) -> list[int]:
        """The tokens of an abstract; a control token's name in it is plain text."""
        return self._llm.tokenize(text.encode(), add_bos=False, special=False)

    @cached_property
    def _frame(self) -> tuple[list[int], list[int]]:
        """The tokens before the abstract, and those after it up to the beginning of the answer.

        They follow the model's chat template if it has one.
        """
        llm, text = self._llm, self._prompt.filled(PLACE)
        template = llm.metadata.get("tokenizer.chat_template")
        if template:
            start = llm.detokenize([llm.token_bos()], special=True).decode()
            end = llm.detokenize([llm.token_eos()], special=True).decode()
            text = _as_chat(text, template, start, end)

        head, tail = text.split(PLACE)
        tail += self._shape.opening
        return (
            llm.tokenize(head.encode(), add_bos=True, special=True),
            llm.tokenize(tail.encode(), add_bos=False, special=True),
        )

    @cached_property
    def _library(self) -> ModuleType:
        try:
            import llama_cpp
        except ImportError as error:
            raise not_installed(self.backend, "llama", error) from error
        llama_cpp.llama_log_set(_silence(llama_cpp), ctypes.c_void_p(0))
        return llama_cpp

    @cached_property
    def _llm(self) -> Llama:
        threads = self._threads or processors()
        try:
            return self._library.Llama(
                str(self._path),
                n_ctx=self._context,
                n_gpu_layers=-1,
                n_threads=threads,
                n_threads_batch=threads,
                verbose=False,
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise PaperclipError(
                f"{self._path} cannot be loaded by llama.cpp ({error})",
                "give --llm a language model in a GGUF file",
            ) from error


def _as_chat(text: str, template: str, start: str, end: str) -> str:
    """The user's message in a model's own chat template, which runs in a sandbox.

    `start` is left out at the beginning, because the tokenizer adds it.
    """
    from jinja2 import TemplateError
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    try:
        formatter = Jinja2ChatFormatter(template=template, eos_token=end, bos_token=start)
        written = formatter(messages=[{"role": "user", "content": text}])
    except (TemplateError, ValueError, TypeError) as error:
        raise PaperclipError(
            f"the model's chat template cannot be used ({error})", "choose another model"
        ) from error
    return written.prompt.removeprefix(start)


def _common(one: Sequence[int] | np.ndarray, other: Sequence[int]) -> int:
    """The length of the common beginning of two sequences."""
    length = min(len(one), len(other))
    differ = np.flatnonzero(np.asarray(one[:length]) != np.asarray(other[:length]))
    return int(differ[0]) if len(differ) else length


def _likeliest(logits: np.ndarray, count: int) -> np.ndarray:
    """The positions of the `count` largest, in any order.

    Of several equal ones, a `count` of 1 gives the first.
    """
    if count == 1:
        return np.array([logits.argmax()])
    if count >= len(logits):
        return np.arange(len(logits))
    return np.argpartition(logits, -count)[-count:]


_callbacks: list[Any] = []  # callbacks that C code holds must not be garbage-collected


def _silence(library: ModuleType) -> Any:
    """A log callback that prints nothing: errors are raised."""
    if not _callbacks:
        _callbacks.append(library.llama_log_callback(lambda level, text, data: None))
    return _callbacks[0]
