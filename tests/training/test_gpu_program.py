"""The step as it is handed to the compiler for an NVIDIA GPU, without one.

JAX lowers for a platform that is not there. Only the version of cuDNN, which it asks for first, is
a stand-in. XLA's own part, fusion and the choice of kernels, is not seen here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.cudnn import fused_attention_stablehlo as cudnn

from paperclip_cli.config import PAPER_PRESET
from paperclip_cli.towers import clip
from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.towers.device import compute_on
from paperclip_cli.towers.folder import CLIP_MEAN, CLIP_STD
from paperclip_cli.training import encoders
from paperclip_cli.training.encoders import Pixels
from paperclip_cli.training.optimisers import adamw
from paperclip_cli.training.step import Batch, Learner, initial_state, pair_loss, train_step

GPU = SimpleNamespace(platform="gpu", compute_capability="9.0")
ROWS, WIDTH, INNER, LAYERS = 10, 48, 96, 6
TEXT_TOKENS, IMAGE_TOKENS = 13, 17  # odd, as CLIP's 77 and 197
TOWER = {
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 3,
}
DEEP = ClipConfig(
    TextConfig(
        vocab_size=60,
        max_position_embeddings=TEXT_TOKENS,
        bos_token_id=58,
        eos_token_id=59,
        **TOWER,
    ),
    VisionConfig(image_size=32, patch_size=8, **TOWER),
    projection_dim=24,
)


def learner(how: clip.Compute) -> tuple[Learner, clip.Params]:
    graph, shapes = clip.abstract(DEEP)
    towers = encoders.towers(graph, Pixels(32, CLIP_MEAN, CLIP_STD), how)
    return Learner(towers, adamw(PAPER_PRESET), ema_decay=0.9), shapes


def batch(side: int) -> Batch:
    return Batch(
        jax.ShapeDtypeStruct((ROWS, side, side, 1), np.uint8),
        jax.ShapeDtypeStruct((ROWS, TEXT_TOKENS), np.int32),
    )


def lowered(how: clip.Compute) -> jax.stages.Lowered:
    """The step for a CUDA device: StableHLO."""
    made, shapes = learner(how)
    state = jax.eval_shape(partial(initial_state, made), shapes)
    key = jax.eval_shape(lambda: jax.random.key(0))
    step = jax.jit(partial(train_step, made), donate_argnums=0)
    return step.trace(state, batch(40), key).lower(lowering_platforms=("cuda",))


@pytest.fixture(scope="module", autouse=True)
def cudnn_is_there() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cudnn, "check_cudnn_version", lambda: 91_000)
        yield


@pytest.fixture(scope="module")
def how() -> clip.Compute:
    return compute_on([GPU], DEEP)


@pytest.fixture(scope="module")
def program(how: clip.Compute) -> str:
    return lowered(how).as_text()


def products(program: str) -> list[tuple[str, str]]:
    """The types of both operands of every matrix product: `10x17x48xbf16`."""
    return re.findall(r"stablehlo\.dot_general .*: \(tensor<(\S+)>, tensor<(\S+)>\)", program)


def test_a_gpu_computes_in_16_bit_with_cudnn_and_layer_by_layer(how: clip.Compute) -> None:
    assert how == clip.Compute(jnp.bfloat16, remat=False, fused=True, unrolled=True)
    assert compute_on([SimpleNamespace(platform="cpu")], DEEP) == clip.Compute()


def test_every_product_of_the_towers_is_in_16_bit(program: str) -> None:
    """Three are in float32: the similarities of the loss and their two gradients."""
    wide = [pair for pair in products(program) if not all(one.endswith("xbf16") for one in pair)]
    assert len(products(program)) > 30
    assert len(wide) == 3 and all(f"{ROWS}x{ROWS}xf32" in pair for pair in wide[1:]), wide


def test_no_sum_is_in_16_bit(program: str) -> None:
    sums = re.findall(r"stablehlo\.reduce\(.*applies stablehlo\.add .*: \(tensor<(\S+)>,", program)
    assert len(sums) > 20
    assert not [one for one in sums if "bf16" in one]


def test_nothing_of_the_size_of_the_activations_is_kept_in_32_bit(how: clip.Compute) -> None:
    """What the backward pass needs of the forward pass is what `jax.vjp` returns.

    The statistics of norms and attention, a number or two a token, are kept in float32.
    """

    def kept(how: clip.Compute) -> list[jax.ShapeDtypeStruct]:
        made, shapes = learner(how)
        back = jax.eval_shape(
            lambda params, batch: jax.vjp(partial(pair_loss, made, batch=batch), params)[1],
            shapes,
            batch(32),
        )
        return jax.tree.leaves(back)

    def large(leaves: list[jax.ShapeDtypeStruct]) -> list[jax.ShapeDtypeStruct]:
        return [leaf for leaf in leaves if leaf.size >= ROWS * (TEXT_TOKENS - 1) * WIDTH]

    assert {leaf.dtype for leaf in large(kept(how))} == {jnp.dtype(jnp.bfloat16)}
    wide = large(kept(how._replace(dtype=None, fused=False)))
    assert {leaf.dtype for leaf in wide} == {jnp.dtype(jnp.float32)}


def test_the_state_is_used_up(how: clip.Compute, program: str) -> None:
    """Each of its buffers is handed on to the result of the same shape."""
    made, shapes = learner(how)
    leaves = jax.tree.leaves(jax.eval_shape(partial(initial_state, made), shapes))
    start = program.index("func.func public @main(")
    arguments = program[start : program.index("\n", start)]
    assert arguments.count("tf.aliasing_output") == len(leaves) > 100


def test_the_host_has_no_part_in_it(program: str) -> None:
    called = set(re.findall(r"stablehlo\.custom_call @([\w$]+)", program))
    assert called <= {"__cudnn$fmhaSoftmax", "__cudnn$fmhaSoftmaxBackward", "cu_threefry2x32_ffi"}
    assert not re.search(r"stablehlo\.(infeed|outfeed|send|recv)\b", program)


def test_layers_are_no_loop(how: clip.Compute, program: str) -> None:
    assert "stablehlo.while" not in program
    assert "stablehlo.while" in lowered(how._replace(unrolled=False)).as_text()


def test_cudnn_takes_queries_keys_and_values_as_they_are_made(
    how: clip.Compute, program: str
) -> None:
    """There is no array of all three, of which parts would be copied; lengths are even."""
    calls = re.findall(r"@__cudnn\$fmhaSoftmax\(.*: \(tensor<(\S+?)>, tensor<", program)
    assert set(calls) == {f"{ROWS}x18x3x16xbf16", f"{ROWS}x14x3x16xbf16"}
    for tokens in (IMAGE_TOKENS, IMAGE_TOKENS + 1, TEXT_TOKENS, TEXT_TOKENS + 1):
        assert f"<{ROWS}x{tokens}x{3 * WIDTH}x" not in program
        assert f"<{ROWS}x{tokens}x3x3x16x" not in program
    plain = lowered(how._replace(fused=False)).as_text()
    assert f"<{ROWS}x{IMAGE_TOKENS}x{3 * WIDTH}xbf16>" in plain


def test_an_image_is_embedded_in_16_bit_too(how: clip.Compute) -> None:
    graph, shapes = clip.abstract(DEEP)
    pixels = jax.ShapeDtypeStruct((ROWS, 32, 32, 3), np.float32)
    embed = jax.jit(partial(clip.image_embeddings, graph, how=how._replace(unrolled=False)))
    program = embed.trace(shapes, pixels).lower(lowering_platforms=("cuda",)).as_text()
    assert {one.rpartition("x")[2] for pair in products(program) for one in pair} == {"bf16"}
    assert "@__cudnn$fmhaSoftmax(" in program
