"""CLIP's tokenizer against transformers', and tokenizers made from a corpus."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers import tokenizer
from paperclip_cli.towers.config import ClipConfig, TextConfig
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.tokenizer import Tokenizer
from tests.clip_models import CORPUS, write_model, write_openai_tokenizer

AWKWARD = [
    "",
    " ",
    "\n\t  \r",
    "Galaxy  mergers\n in the\tVIRGO cluster",
    "don't we'll I'VE they're",
    "Hα λ 5007 Å, [O III] ~10^4 M☉",
    "NGC3664",
    "&amp;lt;b&gt;",
    "naïve café e\u0301",
    "星系 合併 🌌",
    "a" * 300,
    "<|endoftext|> after",
    "x<|startoftext|>y",
    "!!!???...",
    "\x00\x07",
    "１２３ ①",
    "ΣΑΣ",
    "İstanbul",
]


@pytest.fixture(scope="module")
def openai(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openai")
    write_openai_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def real_texts(real_sample: Path) -> list[str]:
    """Every line and every record of the real Hubble abstracts."""
    catalogue = [
        line
        for file in sorted((real_sample / "hst").glob("*.cat"))
        for line in file.read_text(errors="replace").split("\n")
    ]
    records = (
        (real_sample / "hst" / "abstracts_without_id.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    return catalogue + [str(value) for record in records for value in json.loads(record).values()]


def theirs(folder: Path, texts: list[str]) -> list[list[int]]:
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder)(texts)["input_ids"]


def test_openai_ids_are_those_of_transformers_and_of_the_original(openai: Path) -> None:
    import instant_clip_tokenizer

    ours = Tokenizer.read(openai)
    assert (ours.size, ours.start, ours.end) == (49_408, 49_406, 49_407)
    assert ours.encode(AWKWARD) == theirs(openai, AWKWARD)
    original = instant_clip_tokenizer.Tokenizer()
    plain = [
        text
        for text in AWKWARD
        if text.isascii() and "<|" not in text and "&" not in text and "\x00" not in text
    ]
    assert ours.encode(plain) == [[49_406, *original.encode(text), 49_407] for text in plain]


def test_openai_ids_of_real_abstracts(openai: Path, real_texts: list[str]) -> None:
    assert len(real_texts) > 180
    assert Tokenizer.read(openai).encode(real_texts) == theirs(openai, real_texts)


@given(st.lists(st.text(max_size=60), max_size=4))
def test_openai_ids_of_any_text(openai_pair: tuple[Tokenizer, object], texts: list[str]) -> None:
    ours, reference = openai_pair
    assert ours.encode(texts) == [reference(text)["input_ids"] for text in texts]  # type: ignore[operator]


@pytest.fixture(scope="module")
def openai_pair(openai: Path) -> tuple[Tokenizer, object]:
    from transformers import CLIPTokenizer

    return Tokenizer.read(openai), CLIPTokenizer.from_pretrained(openai)


@pytest.mark.parametrize(
    "missing", [(), ("tokenizer.json",), ("vocab.json", "merges.txt")], ids=["all", "vocab", "json"]
)
def test_a_trained_tokenizer_is_read_back_from_any_of_its_files(
    tmp_path: Path, missing: tuple[str, ...]
) -> None:
    made = tokenizer.train(CORPUS, 700)
    made.save(tmp_path, 64)
    for name in missing:
        (tmp_path / name).unlink()
    again = Tokenizer.read(tmp_path)
    assert again.encode([*CORPUS, *AWKWARD]) == made.encode([*CORPUS, *AWKWARD])
    assert theirs(tmp_path, [*CORPUS, *AWKWARD]) == made.encode([*CORPUS, *AWKWARD])


def test_transformers_takes_ends_padding_and_length_from_the_files(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    made = tokenizer.train(CORPUS, 700)
    made.save(tmp_path, 16)
    reference = AutoTokenizer.from_pretrained(tmp_path)
    assert (reference.bos_token_id, reference.eos_token_id, reference.model_max_length) == (
        made.start,
        made.end,
        16,
    )
    padded = reference(list(CORPUS), padding="max_length", truncation=True, return_tensors="np")[
        "input_ids"
    ]
    np.testing.assert_array_equal(made.batch(CORPUS, 16), padded)


def test_a_trained_vocabulary_has_clip_layout(tmp_path: Path) -> None:
    made = tokenizer.train(CORPUS * 3, 600)
    made.save(tmp_path, 64)
    vocabulary = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert made.size == len(vocabulary) <= 600
    assert sorted(vocabulary.values()) == list(range(made.size))
    assert (made.start, made.end) == (made.size - 2, made.size - 1)
    assert vocabulary["#"] == 2, (
        "id 2 means something else to CLIP's pooling and must be a plain byte"
    )


@given(st.text(max_size=80))
def test_every_text_has_ids_and_none_is_unknown(text: str) -> None:
    ids = tokenizer.train(CORPUS, 560).encode([text.replace("<|", "")])[0]
    assert ids[0] == ids[-1] - 1 and ids[-1] not in ids[1:-1]


def test_training_is_the_same_in_every_process() -> None:
    script = (
        "from paperclip_cli.towers import tokenizer\n"
        f"print(tokenizer.train({CORPUS!r}, 900)._backend.to_str())"
    )
    runs = {
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
        for _ in range(3)
    }
    assert len(runs) == 1


def test_a_batch_is_cut_before_the_end_token_and_padded_with_it() -> None:
    made = tokenizer.train(CORPUS, 700)
    ids = made.batch([CORPUS[0], "spiral"], 6)
    assert ids.dtype == np.int32 and ids.shape == (2, 6)
    assert ids[0].tolist() == [*made.encode([CORPUS[0]])[0][:5], made.end]
    short = made.encode(["spiral"])[0]
    assert ids[1].tolist() == short + [made.end] * (6 - len(short))


def folder_with(path: Path, text: TextConfig) -> ModelFolder:
    found = write_model(path)
    return dataclasses.replace(found, config=ClipConfig(text, found.config.vision))


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    size = write_model(tmp_path).config.text.vocab_size
    with pytest.raises(PaperclipError, match=f"the tokenizer has {size} tokens and the model 100"):
        Tokenizer.load(folder_with(tmp_path, TextConfig(vocab_size=100, eos_token_id=99)))
    with pytest.raises(PaperclipError, match=f"ends texts with {size - 1}, the model with 7"):
        Tokenizer.load(folder_with(tmp_path, TextConfig(eos_token_id=7)))
    assert Tokenizer.load(folder_with(tmp_path, TextConfig(eos_token_id=2))).end == size - 1


@pytest.mark.parametrize("content", ["", "{}", "[]", "\x00\x01", '{"model": {"type": "BPE"}}'])
def test_a_damaged_tokenizer_is_told_in_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(PaperclipError, match="the tokenizer cannot be read"):
        Tokenizer.read(tmp_path)


def test_a_tokenizer_without_end_tokens_is_refused(tmp_path: Path) -> None:
    tokenizer.train(CORPUS, 600).save(tmp_path, 16)
    state = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(state | {"post_processor": None}))
    with pytest.raises(PaperclipError, match="between a start and an end token"):
        Tokenizer.read(tmp_path)
