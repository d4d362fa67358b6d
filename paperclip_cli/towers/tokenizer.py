"""CLIP's tokenizer: byte-level BPE in lower case, with single spaces, start and end token.

The end of a word is marked `</w>`. The work is done by the `tokenizers` library; the rules are
those of OpenAI's `simple_tokenizer.py`, as in transformers' CLIPTokenizer. A vocabulary holds the
256 bytes, the 256 bytes that end a word, one token for each merge, then start and end. So the end
token has the highest id, as both of CLIP's pooling rules require, and id 2 is a plain byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import replace_file
from paperclip_cli.towers.folder import MERGES, TOKENIZER, VOCABULARY, ModelFolder

ENDS = 2  # tokens around every text: its start and its end
START, END, WORD_END = "<|startoftext|>", "<|endoftext|>", "</w>"
_WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)
_HINT = "download the tokenizer's files again"


class Tokenizer:
    """A tokenizer of texts as token ids. The ids `start` and `end` enclose every text."""

    def __init__(self, backend: Backend) -> None:
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self.size = backend.get_vocab_size()
        enclosing = backend.encode("").ids
        if len(enclosing) != ENDS:
            raise PaperclipError(
                "the tokenizer does not put texts between a start and an end token",
                "only CLIP's tokenizers can be used",
            )
        self.start, self.end = enclosing

    @classmethod
    def load(cls, folder: ModelFolder) -> Tokenizer:
        """The tokenizer of a model folder, checked against the model's vocabulary and end token."""
        tokenizer = cls.read(folder.path)
        text = folder.config.text
        if tokenizer.size > text.vocab_size:
            raise PaperclipError(
                f"{folder.path}: the tokenizer has {tokenizer.size} tokens "
                f"and the model {text.vocab_size}",
                _HINT,
            )
        if not text.pools_highest_id and tokenizer.end != text.eos_token_id:
            raise PaperclipError(
                f"{folder.path}: the tokenizer ends texts with {tokenizer.end}, "
                f"the model with {text.eos_token_id}",
                _HINT,
            )
        return tokenizer

    @classmethod
    def read(cls, path: Path) -> Tokenizer:
        """The tokenizer in `tokenizer.json`, else in `vocab.json` and `merges.txt`."""
        try:
            if (path / TOKENIZER).is_file():
                return cls(Backend.from_file(str(path / TOKENIZER)))
            vocabulary = json.loads((path / VOCABULARY).read_text(encoding="utf-8"))
            lines = (path / MERGES).read_text(encoding="utf-8").split("\n")
            merges = [_pair(line) for line in lines if line and not line.startswith("#version")]
            return cls(_backend(vocabulary, merges))
        except PaperclipError as error:
            raise PaperclipError(f"{path}: {error.message}", error.hint) from error
        except Exception as error:  # what the library raises for a file that it cannot parse
            message = f"{path}: the tokenizer cannot be read ({error})"
            raise PaperclipError(message, _HINT) from error

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with its start and end token, uncut."""
        return [encoding.ids for encoding in self._backend.encode_batch(list(texts))]

    def count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens in each text, start and end token not counted."""
        return [len(ids) - ENDS for ids in self.encode(texts)]

    def batch(self, texts: Sequence[str], length: int) -> np.ndarray:
        """Token ids of texts at one length, as CLIP makes them: int32 [B, length].

        Longer texts lose what lies before their end token; shorter ones are padded with it.
        """
        return self.padded(self.encode(texts), length)

    def padded(self, texts: Sequence[list[int]], length: int) -> np.ndarray:
        """The same for texts as `encode` gives them."""
        ids = np.full((len(texts), length), self.end, np.int32)
        for row, tokens in zip(ids, texts, strict=True):
            kept = cut(tokens, length)
            row[: len(kept)] = kept
        return ids

    def save(self, path: Path, length: int) -> None:
        """Writes files from which transformers' CLIPTokenizer and `read` restore this tokenizer.

        `length` is the model's limit in tokens.
        """
        state = json.loads(self._backend.to_str())
        replace_file(path / TOKENIZER, json.dumps(state, ensure_ascii=False, indent=1) + "\n")
        replace_file(path / VOCABULARY, json.dumps(self._vocabulary(), ensure_ascii=False) + "\n")
        merges = map(_pair, state["model"]["merges"])
        lines = "".join(f"{left} {right}\n" for left, right in merges)
        replace_file(path / MERGES, "#version: 0.2\n" + lines)

        names = {
            "bos_token": self._token(self.start),
            "eos_token": self._token(self.end),
            "pad_token": self._token(self.end),
            "unk_token": self._token(self.end),
        }
        replace_file(path / "special_tokens_map.json", json.dumps(names, indent=2) + "\n")
        settings = {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": length,
            "do_lower_case": True,
            "errors": "replace",
        }
        replace_file(path / "tokenizer_config.json", json.dumps(settings | names, indent=2) + "\n")

    def _vocabulary(self) -> dict[str, int]:
        return dict(sorted(self._backend.get_vocab().items(), key=lambda item: item[1]))

    def _token(self, number: int) -> str:
        return str(self._backend.id_to_token(number))


def train(corpus: Iterable[str], vocab_size: int) -> Tokenizer:
    """A CLIP-like tokenizer with at most `vocab_size` tokens, the same for the same corpus.

    It has fewer tokens where no pair is left that occurs twice.
    """
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = symbols + [symbol + WORD_END for symbol in symbols]
    # The trainer breaks ties by id, and numbers what it meets in the order of a hash table. Only
    # its special tokens have their ids beforehand.
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 2,
        min_frequency=2,
        special_tokens=plain,
        end_of_word_suffix=WORD_END,
        show_progress=False,
    )
    learner = _backend({}, [])
    learner.train_from_iterator(corpus, trainer)

    merges = [_pair(merge) for merge in json.loads(learner.to_str())["model"]["merges"]]
    tokens = [*plain, *dict.fromkeys(left + right for left, right in merges), START, END]
    return Tokenizer(_backend({token: number for number, token in enumerate(tokens)}, merges))


def cut(tokens: list[int], length: int) -> list[int]:
    """At most `length` tokens of a text, ending with its end token."""
    return tokens if len(tokens) <= length else [*tokens[: length - 1], tokens[-1]]


def _backend(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Backend:
    """CLIP's rules around a vocabulary; an empty one, for the trainer, has no special tokens."""
    unknown = END if END in vocabulary else None
    backend = Backend(
        models.BPE(vocabulary, merges, end_of_word_suffix=WORD_END, unk_token=unknown)
    )
    backend.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    if vocabulary:
        backend.add_special_tokens([START, END])
        ends = ((END, vocabulary[END]), (START, vocabulary[START]))
        backend.post_processor = processors.RobertaProcessing(
            *ends, trim_offsets=False, add_prefix_space=False
        )
    return backend


def _pair(merge: str | Sequence[str]) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right
