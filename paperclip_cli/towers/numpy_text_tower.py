"""CLIP's text tower in NumPy, over memory-mapped weights: a query is answered without JAX.

Only the tokens of the prompt itself are computed. That is exact: attention is causal, so nothing
after the end token, where the text is pooled, can reach it. Each layer is read once for all prompts
and works on all their tokens. Of the token embeddings only the rows of the prompts are read.

Shapes: B prompts of equal length, L tokens, H heads, W width, D embedding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers.config import TextConfig
from paperclip_cli.towers.folder import HEADS, ModelFolder
from paperclip_cli.towers.safetensors import TensorFile, Tensors
from paperclip_cli.towers.tokenizer import Tokenizer, cut

_MODEL = "text_model"


def checked_embeddings(model: ModelFolder, texts: Sequence[str]) -> np.ndarray:
    """The unit vectors float32 [N, D] that a model gives texts, which somebody sent.

    Raises:
        PaperclipError: its weights do not belong to its configuration, or are damaged.
    """
    return TextTower.open(model).embed(texts)


class TextTower:
    """A text tower that embeds texts as unit vectors."""

    def __init__(
        self,
        config: TextConfig,
        projection_dim: int,
        weights: Tensors,
        tokenizer: Tokenizer,
        head: _Head | None = None,
    ) -> None:
        """`head` takes the place of the projection, where a model has one."""
        self._config, self._projection_dim = config, projection_dim
        self._weights, self._tokenizer, self._head = weights, tokenizer, head
        self._activation = _ACTIVATIONS[config.hidden_act]

    @classmethod
    def open(cls, folder: ModelFolder) -> TextTower:
        """Maps the weights of a model folder, without reading them yet."""
        config, size, head = folder.config, folder.extras.head_size, None
        if size is not None:
            widths = (config.text.hidden_size, size, config.projection_dim)
            head = _Head.read(TensorFile(folder.path / HEADS), widths)
        tokenizer = Tokenizer.load(folder)
        return cls(config.text, config.projection_dim, folder.tensors(), tokenizer, head)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [N, D], each row of length 1. Texts over the limit are cut as CLIP cuts them.

        Raises:
            PaperclipError: the weights do not fit, or give what is no number.
        """
        return self.embed_tokens(self._tokenizer.encode(texts))

    def embed_tokens(self, texts: Sequence[list[int]]) -> np.ndarray:
        """The same for texts as `Tokenizer.encode` gives them."""
        if not texts:
            return np.empty((0, self._projection_dim), np.float32)
        # NumPy would warn at every step.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            vectors = self._embed(texts)
        if not np.isfinite(vectors).all():
            raise PaperclipError(
                f"{self._weights.path}: its text tower returns embeddings that are not numbers",
                "download its weights again",
            )
        return vectors

    def _embed(self, texts: Sequence[list[int]]) -> np.ndarray:
        limit = self._config.max_position_embeddings
        tokens = [self._until_pooled(cut(ids, limit)) for ids in texts]
        groups = _by_length(tokens)
        # The tokens of all prompts are one array [T, W], so that a layer's products are few and
        # large. Only attention is computed by group.
        blocks = [(len(group), len(tokens[group[0]])) for group in groups]
        hidden = np.concatenate(
            [self._embed_tokens(np.asarray([tokens[i] for i in group])) for group in groups]
        )
        for number in range(self._config.num_hidden_layers):
            hidden = self._layer(f"{_MODEL}.encoder.layers.{number}")(hidden, blocks)

        vectors = np.empty((len(texts), self._projection_dim), np.float32)
        project, norm = self._head or self._projection(), self._norm(f"{_MODEL}.final_layer_norm")
        for group, states in zip(groups, _blocks(hidden, blocks), strict=True):
            vectors[group] = project(norm(states[:, -1]))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _projection(self) -> Callable[[np.ndarray], np.ndarray]:
        shape = (self._projection_dim, self._config.hidden_size)
        projection = self._weights.read("text_projection.weight", shape)
        return lambda pooled: pooled @ projection.T

    def _until_pooled(self, ids: list[int]) -> list[int]:
        """The tokens up to the one where CLIP pools: the first end token, or first highest id."""
        end = max(ids) if self._config.pools_highest_id else self._config.eos_token_id
        return ids[: ids.index(end) + 1]

    def _embed_tokens(self, ids: np.ndarray) -> np.ndarray:
        """The embeddings of tokens and their positions, [B, L] -> [B L, W]."""
        config, place, width = self._config, f"{_MODEL}.embeddings", self._config.hidden_size
        words = self._weights.rows(
            f"{place}.token_embedding.weight", (config.vocab_size, width), ids
        )
        positions = self._weights.rows(
            f"{place}.position_embedding.weight",
            (config.max_position_embeddings, width),
            np.arange(ids.shape[1]),
        )
        return (words + positions).reshape(-1, width)

    def _layer(self, place: str) -> Callable[[np.ndarray, list[tuple[int, int]]], np.ndarray]:
        width, inner = self._config.hidden_size, self._config.intermediate_size
        norm_1, norm_2 = self._norm(f"{place}.layer_norm1"), self._norm(f"{place}.layer_norm2")
        q, k, v, out = (
            self._linear(f"{place}.self_attn.{name}", width, width)
            for name in ("q_proj", "k_proj", "v_proj", "out_proj")
        )
        up = self._linear(f"{place}.mlp.fc1", width, inner)
        down = self._linear(f"{place}.mlp.fc2", inner, width)

        def apply(hidden: np.ndarray, blocks: list[tuple[int, int]]) -> np.ndarray:
            normed, heads = norm_1(hidden), self._config.num_attention_heads
            groups = zip(*(_blocks(linear(normed), blocks) for linear in (q, k, v)), strict=True)
            attended = [_attend(a, b, c, heads).reshape(-1, width) for a, b, c in groups]
            hidden = hidden + out(np.concatenate(attended))
            return hidden + down(self._activation(up(norm_2(hidden))))

        return apply

    def _linear(self, place: str, inputs: int, outputs: int) -> _Linear:
        return _Linear.read(self._weights, place, inputs, outputs)

    def _norm(self, place: str) -> _LayerNorm:
        width = self._config.hidden_size
        scale, bias = (
            self._weights.read(f"{place}.{name}", (width,)) for name in ("weight", "bias")
        )
        return _LayerNorm(scale, bias, self._config.layer_norm_eps)


class _Linear(NamedTuple):
    weight: np.ndarray
    bias: np.ndarray

    @classmethod
    def read(cls, file: Tensors, place: str, inputs: int, outputs: int) -> _Linear:
        weight = file.read(f"{place}.weight", (outputs, inputs))
        return cls(weight, file.read(f"{place}.bias", (outputs,)))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        flat = x.reshape(-1, x.shape[-1]) @ self.weight.T + self.bias
        return flat.reshape(*x.shape[:-1], -1)


class _Head(NamedTuple):
    """The MLP of `clip.head_embeddings`."""

    up: _Linear
    down: _Linear

    @classmethod
    def read(cls, file: TensorFile, widths: tuple[int, int, int]) -> _Head:
        return cls(
            _Linear.read(file, "text_head.fc1", *widths[:2]),
            _Linear.read(file, "text_head.fc2", *widths[1:]),
        )

    def __call__(self, pooled: np.ndarray) -> np.ndarray:
        return self.down(_gelu(self.up(pooled)))


class _LayerNorm(NamedTuple):
    scale: np.ndarray
    bias: np.ndarray
    epsilon: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        return centred / np.sqrt(variance + np.float32(self.epsilon)) * self.scale + self.bias


def _blocks(hidden: np.ndarray, blocks: list[tuple[int, int]]) -> list[np.ndarray]:
    """The groups of prompts of equal length, [T, W] -> [B, L, W] each, with (B, L) in `blocks`."""
    parts = np.split(hidden, np.cumsum([count * length for count, length in blocks])[:-1])
    return [part.reshape(*block, -1) for part, block in zip(parts, blocks, strict=True)]


def _attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, heads: int) -> np.ndarray:
    """Causal attention, [B, L, W] -> [B, L, W]."""
    batch, length, width = q.shape
    q, k, v = (x.reshape(batch, length, heads, -1).transpose(0, 2, 1, 3) for x in (q, k, v))
    scores = q @ k.swapaxes(2, 3) / np.float32(math.sqrt(width // heads))
    scores = np.where(np.tri(length, dtype=bool), scores, np.float32(-np.inf))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return (weights @ v).transpose(0, 2, 1, 3).reshape(batch, length, width)


def _quick_gelu(x: np.ndarray) -> np.ndarray:
    # tanh cannot overflow, as exp can: sigmoid(y) = (1 + tanh(y / 2)) / 2.
    return x * (np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.851) * x))


def _gelu(x: np.ndarray) -> np.ndarray:
    """x Phi(x). NumPy has no erf: it is Abramowitz & Stegun's 7.1.26 (error below 1.5e-7)."""
    y = np.abs(x) / np.float32(math.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * y)
    series = np.float32(0)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(coefficient)) * t
    return np.float32(0.5) * x * (1 + np.sign(x) * (1 - series * np.exp(-y * y)))


_ACTIVATIONS = {"quick_gelu": _quick_gelu, "gelu": _gelu}


def _by_length(tokens: Sequence[Sequence[int]]) -> list[list[int]]:
    """The numbers of the prompts, grouped by length."""
    groups: dict[int, list[int]] = {}
    for number, ids in enumerate(tokens):
        groups.setdefault(len(ids), []).append(number)
    return list(groups.values())
