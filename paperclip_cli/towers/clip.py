"""CLIP's two towers in Flax NNX, for any configuration of transformers' CLIPModel.

The model is that of Radford et al. 2021 (arXiv:2103.00020).

A model is made as a module and split at once into a graph (static, hashable) and its parameters (a
nested dict of arrays), so that everything downstream is a pure function of the parameters. Some
models have parameters beside the graph's (`EXTRAS`). The layers of a tower are stacked along a
leading axis and scanned. So one layer is traced, whatever the depth, and compiled once, except in
the shallowest towers.

Shapes: B batch, S image side, L tokens, H heads, W width of a tower, D embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx

from paperclip_cli.towers.attention import (
    attend,
    attend_at,
    attend_with_cudnn,
    padded_for_cudnn,
    token_at,
)
from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.towers.narrow import layer_norm, of_its_input, plus

Params: TypeAlias = dict[str, Any]
Graph: TypeAlias = nnx.GraphDef
EXTRAS = ("image_head", "text_head", "logit_bias")  # parameters of some models beside the towers
# So few layers compile fast without a loop, and a loop more than doubles the time of a small
# tower's gradient on a CPU.
_FEW_LAYERS = 4


class Compute(NamedTuple):
    """Settings for the towers' computations.

    They compute in `dtype` (None: that of the parameters, float32). With `remat`, each layer is
    computed again in the backward pass instead of keeping what it needs. With `fused`, attention is
    cuDNN's, for 16 bit on an NVIDIA GPU only. With `unrolled`, layers are compiled one by one
    instead of as a loop, which would copy what each keeps for the backward pass in and out of
    arrays for all of them.
    """

    dtype: Any = None
    remat: bool = False
    fused: bool = False
    unrolled: bool = False


def abstract(config: ClipConfig) -> tuple[Graph, Params]:
    """The graph of a model, and the shapes of its parameters. Nothing is computed."""
    graph, shapes = nnx.split(nnx.eval_shape(lambda: Clip(config, nnx.Rngs(0))))
    return graph, nnx.to_pure_dict(shapes)


def image_embeddings(
    graph: Graph, params: Params, pixels: jax.Array, how: Compute = Compute()
) -> jax.Array:
    """Images [B, S, S, 3] -> unit vectors [B, D] in float32.

    Images are normalised with the model's mean and deviation. Where towers compute in 16 bit,
    parameters are cast on the way in; normalisations and softmax stay float32.
    """
    pooled = image_features(graph, params, pixels, how)
    if "image_head" in params:
        return head_embeddings(params["image_head"], pooled)
    return _unit(_model(graph, params, how).image_projection(pooled))


def text_embeddings(
    graph: Graph, params: Params, ids: jax.Array, how: Compute = Compute()
) -> jax.Array:
    """Token ids int32 [B, L] -> unit vectors [B, D] in float32.

    Each row has its start and end token, then padding. No mask is needed: attention is causal, and
    the text is pooled at its end token, which sees no padding.
    """
    pooled = text_features(graph, params, ids, how)
    if "text_head" in params:
        return head_embeddings(params["text_head"], pooled)
    return _unit(_model(graph, params, how).text_projection(pooled))


def image_features(
    graph: Graph, params: Params, pixels: jax.Array, how: Compute = Compute()
) -> jax.Array:
    """Images as above -> the features that the vision tower pools, [B, W]."""
    pixels = pixels if how.dtype is None else pixels.astype(how.dtype)
    return _model(graph, params, how).vision(pixels, how)


def text_features(
    graph: Graph, params: Params, ids: jax.Array, how: Compute = Compute()
) -> jax.Array:
    """Token ids as above -> the features that the text tower pools, [B, W]."""
    return _model(graph, params, how).text(ids, how)


def head_embeddings(head: Params, pooled: jax.Array) -> jax.Array:
    """Features of a tower, [B, W] -> unit vectors [B, D].

    It is down(gelu(up(x))), the paper's MLP in place of the projection.
    """
    widened = pooled.astype(jnp.float32) @ head["up"]["kernel"] + head["up"]["bias"][None]
    inner = jax.nn.gelu(widened, approximate=False)
    return _unit(inner @ head["down"]["kernel"] + head["down"]["bias"][None])


def _model(graph: Graph, params: Params, how: Compute) -> Clip:
    own = {name: part for name, part in params.items() if name not in EXTRAS}
    if how.dtype is not None:
        # Vectors and the table of tokens stay as they are. Their gradients are sums of thousands
        # of terms, which 16 bit would round at each step. The rows of a batch are cast when they
        # are taken from the table.
        own = jax.tree.map_with_path(
            lambda path, leaf: leaf.astype(how.dtype) if path[-1].key == "kernel" else leaf, own
        )
    return nnx.merge(graph, own)


def _unit(vectors: jax.Array) -> jax.Array:
    vectors = vectors.astype(jnp.float32)
    return vectors / jnp.linalg.norm(vectors, axis=-1, keepdims=True)


class Clip(nnx.Module):
    """Both towers, their projections and the logit scale.

    It is made for its graph and shapes; weights come from elsewhere.
    """

    def __init__(self, config: ClipConfig, rngs: nnx.Rngs) -> None:
        self.vision = VisionTower(config.vision, rngs)
        self.text = TextTower(config.text, rngs)
        projection = partial(
            nnx.Linear, out_features=config.projection_dim, use_bias=False, rngs=rngs
        )
        self.image_projection = projection(config.vision.hidden_size)
        self.text_projection = projection(config.text.hidden_size)
        self.logit_scale = nnx.Param(jnp.zeros(()))


class VisionTower(nnx.Module):
    """A vision transformer that pools at its class token."""

    def __init__(self, config: VisionConfig, rngs: nnx.Rngs) -> None:
        width, patch = config.hidden_size, config.patch_size
        self.patch_size = patch
        self.patches = nnx.Linear(
            patch * patch * config.num_channels, width, use_bias=False, rngs=rngs
        )
        self.class_token = nnx.Param(jnp.zeros((width,)))
        self.positions = nnx.Param(jnp.zeros((config.num_patches + 1, width)))
        self.norm_in = _layer_norm(config, rngs)
        self.layers = Layers(config, causal=False, rngs=rngs)
        self.norm_out = _layer_norm(config, rngs)

    def __call__(self, pixels: jax.Array, how: Compute) -> jax.Array:
        """Images [B, S, S, 3] -> pooled [B, W]."""
        patches = self.patches(_cut(pixels, self.patch_size))
        start = jnp.broadcast_to(self.class_token[...], (patches.shape[0], 1, patches.shape[2]))
        tokens = jnp.concatenate([start.astype(patches.dtype), patches], axis=1)
        tokens = plus(tokens, self.positions[...])

        first = jnp.zeros(len(tokens), jnp.int32)
        return self.norm_out(self.layers(self.norm_in(tokens), first, how))


class TextTower(nnx.Module):
    """A causal transformer that pools at the end token."""

    def __init__(self, config: TextConfig, rngs: nnx.Rngs) -> None:
        width = config.hidden_size
        self.end = None if config.pools_highest_id else config.eos_token_id
        self.tokens = nnx.Param(jnp.zeros((config.vocab_size, width)))
        self.positions = nnx.Param(jnp.zeros((config.max_position_embeddings, width)))
        self.layers = Layers(config, causal=True, rngs=rngs)
        self.norm_out = _layer_norm(config, rngs)

    def __call__(self, ids: jax.Array, how: Compute) -> jax.Array:
        """Token ids [B, L] -> pooled [B, W]."""
        tokens = self.tokens[...][ids]
        tokens = tokens if how.dtype is None else tokens.astype(how.dtype)
        tokens = plus(tokens, self.positions[: ids.shape[1]])
        end = jnp.argmax(ids if self.end is None else ids == self.end, axis=1)
        return self.norm_out(self.layers(tokens, end, how))


class Layers(nnx.Module):
    """The residual attention blocks of a tower, with parameters stacked along a leading axis.

    Only one token of each row is needed from the last block, so only that one is computed there.
    """

    def __init__(self, config: TextConfig | VisionConfig, causal: bool, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=config.num_hidden_layers)
        @nnx.vmap
        def stack(rngs: nnx.Rngs) -> Block:
            return Block(config, causal, rngs)

        self.blocks = stack(rngs)
        self.few = config.num_hidden_layers <= _FEW_LAYERS

    def __call__(self, tokens: jax.Array, place: jax.Array, how: Compute) -> jax.Array:
        """Tokens [B, L, W] and the place int [B] of the pooled one -> its final state, [B, W]."""
        graph, stacked = nnx.split(self.blocks)
        early = jax.tree.map(lambda leaf: leaf[:-1], stacked)
        last = jax.tree.map(lambda leaf: leaf[-1], stacked)
        length = tokens.shape[1]

        def apply(hidden: jax.Array, layer: nnx.State) -> tuple[jax.Array, None]:
            block = nnx.merge(graph, layer)
            return (block.fused(hidden, length) if how.fused else block(hidden)), None

        layer = jax.checkpoint(apply) if how.remat else apply
        tokens = padded_for_cudnn(tokens) if how.fused else tokens
        hidden = jax.lax.scan(layer, tokens, early, unroll=self.few or how.unrolled)[0]
        return nnx.merge(graph, last).at(hidden[:, :length], place)


class Block(nnx.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: TextConfig | VisionConfig, causal: bool, rngs: nnx.Rngs) -> None:
        width, inner = config.hidden_size, config.intermediate_size
        self.heads, self.causal = config.num_attention_heads, causal
        self.activation = config.hidden_act
        self.norm_1 = _layer_norm(config, rngs)
        self.qkv = Linear(width, 3 * width, rngs=rngs)
        self.out = Linear(width, width, rngs=rngs)
        self.norm_2 = _layer_norm(config, rngs)
        self.up = Linear(width, inner, rngs=rngs)
        self.down = Linear(inner, width, rngs=rngs)

    def __call__(self, hidden: jax.Array) -> jax.Array:
        """[B, L, W] -> [B, L, W]."""
        attended = attend(self.qkv(self.norm_1(hidden)), self.heads, self.causal)
        hidden = hidden + self.out(attended)
        return hidden + self._mlp(hidden)

    def fused(self, hidden: jax.Array, length: int) -> jax.Array:
        """The same by cuDNN, of tokens that are padded: only the first `length` are seen."""
        normed, (kernel, bias) = self.norm_1(hidden), self._projection()
        attended = attend_with_cudnn(normed, kernel, bias, self.heads, self.causal, length)
        hidden = hidden + self.out(attended)
        return hidden + self._mlp(hidden)

    def at(self, hidden: jax.Array, place: jax.Array) -> jax.Array:
        """Tokens [B, L, W] and places int [B] -> the results of `__call__` there, [B, W]."""
        normed, (kernel, bias) = self.norm_1(hidden), self._projection()
        attended = attend_at(normed, place, kernel, bias, self.heads, self.causal)
        one = token_at(hidden, place) + self.out(attended)
        return one + self._mlp(one)

    def _projection(self) -> tuple[jax.Array, jax.Array]:
        """Kernel [W, 3W] and bias [3W] of queries, keys and values."""
        return self.qkv.kernel[...], self.qkv.bias[...]  # type: ignore[index]  # it has one

    def _mlp(self, hidden: jax.Array) -> jax.Array:
        activations = _ACTIVATIONS if hidden.dtype == jnp.float32 else _NARROW_ACTIVATIONS
        return self.down(activations[self.activation](self.up(self.norm_2(hidden))))


def quick_gelu(x: jax.Array) -> jax.Array:
    """OpenAI's approximation of GELU, x sigmoid(1.702 x)."""
    return x * jax.nn.sigmoid(1.702 * x)


_ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "quick_gelu": quick_gelu,
    "gelu": partial(jax.nn.gelu, approximate=False),
}
_NARROW_ACTIVATIONS = {name: of_its_input(function) for name, function in _ACTIVATIONS.items()}


def _cut(pixels: jax.Array, patch: int) -> jax.Array:
    """The patches of images, row by row: [B, S, S, C] -> [B, (S // patch)^2, patch * patch * C].

    They make a strided convolution one matrix product.
    """
    batch, side, _, channels = pixels.shape
    count = side // patch
    whole = pixels[:, : count * patch, : count * patch]
    grid = whole.reshape(batch, count, patch, count, patch, channels)
    return grid.transpose(0, 1, 3, 2, 4, 5).reshape(batch, count * count, patch * patch * channels)


class Linear(nnx.Linear):
    """Flax's product with a matrix, and in 16 bit one whose bias is float32."""

    def __call__(self, x: jax.Array) -> jax.Array:  # type: ignore[override]  # no other arguments
        if x.dtype == jnp.float32:
            return super().__call__(x)
        return plus(x @ self.kernel[...], self.bias[...])  # type: ignore[index]  # it has both


class LayerNorm(nnx.LayerNorm):
    """Flax's layer norm, and in 16 bit one that keeps less."""

    def __call__(self, x: jax.Array) -> jax.Array:  # type: ignore[override]  # no other arguments
        if x.dtype == jnp.float32:
            return super().__call__(x)
        scale, bias = self.scale[...], self.bias[...]  # type: ignore[index]  # it has both
        return layer_norm(x, scale, bias, self.epsilon)


def _layer_norm(config: TextConfig | VisionConfig, rngs: nnx.Rngs) -> LayerNorm:
    return LayerNorm(
        config.hidden_size, epsilon=config.layer_norm_eps, use_fast_variance=False, rngs=rngs
    )
