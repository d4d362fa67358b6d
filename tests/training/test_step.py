"""The training step, against PyTorch and on one or four devices; schedule, average and keys."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from paperclip_cli.config import PAPER_PRESET
from paperclip_cli.images.view import View
from paperclip_cli.towers import clip, weights
from paperclip_cli.towers.config import ClipConfig, TextConfig, VisionConfig
from paperclip_cli.towers.folder import CLIP_MEAN, CLIP_STD, ModelFolder
from paperclip_cli.training import encoders
from paperclip_cli.training.encoders import Pixels
from paperclip_cli.training.losses import MAX_LOGIT_SCALE, Objective
from paperclip_cli.training.optimisers import adamw, learning_rate
from paperclip_cli.training.step import (
    Batch,
    Learner,
    TrainState,
    initial_state,
    learn,
    loss_and_gradient,
    train_step,
)
from tests.clip_models import build, random_torch_clip

TEXT = {
    "vocab_size": 90,
    "hidden_size": 24,
    "intermediate_size": 50,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "max_position_embeddings": 11,
    "bos_token_id": 88,
    "eos_token_id": 89,
    "hidden_act": "quick_gelu",
}
VISION = {
    "hidden_size": 30,
    "intermediate_size": 44,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 14,
    "patch_size": 5,
    "hidden_act": "gelu",
}
SMALL = ClipConfig(TextConfig(**TEXT), VisionConfig(**VISION), projection_dim=20)
TWICE = [0, 1, 2, 0, 3, 1, 4, 5]  # eight pairs, of which two proposals have two each
CONSTANT = dataclasses.replace(
    PAPER_PRESET, learning_rate=1e-4, warmup_steps=0, schedule="constant"
)


def pairs(count: int, seed: int = 0, side: int = VISION["image_size"]) -> Batch:
    """Random images, and random texts with start, words, end and padding."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 88, (count, TEXT["max_position_embeddings"]), dtype=np.int32)
    tokens[:, 0] = 88
    ends = rng.integers(3, tokens.shape[1], count)
    tokens[np.arange(tokens.shape[1]) >= ends[:, None]] = 89
    return Batch(rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8), tokens)


def learner(
    recipe: object = CONSTANT, ema_decay: float = 0.0, size: int = VISION["image_size"]
) -> tuple[Learner, TrainState]:
    graph, params = build(SMALL, jax.random.key(0))
    made = Learner(
        encoders.towers(graph, Pixels(size, CLIP_MEAN, CLIP_STD)),
        adamw(recipe),
        ema_decay=ema_decay,
    )
    return made, initial_state(made, params)


def test_twenty_steps_have_the_losses_of_pytorch(tmp_path: Path) -> None:
    """The same weights and batches, through CLIPModel with torch.optim.AdamW and through ours."""
    import torch

    model = random_torch_clip(TEXT, VISION, 20).train()
    model.save_pretrained(tmp_path)
    everything = pairs(24)
    batches = [np.random.default_rng(step).choice(24, 16, replace=False) for step in range(20)]

    graph, params = weights.load(
        ModelFolder(path=tmp_path, name="theirs", config=SMALL, view=View(size=14))
    )
    made = Learner(encoders.towers(graph, Pixels(14, CLIP_MEAN, CLIP_STD)), adamw(CONSTANT))
    state, compiled, ours = initial_state(made, params), jax.jit(partial(learn, made)), []
    for rows in batches:
        state, metrics = compiled(state, Batch(everything.images[rows], everything.texts[rows]))
        ours.append(float(metrics.loss))

    optimiser = torch.optim.AdamW(
        model.parameters(), lr=CONSTANT.learning_rate, weight_decay=CONSTANT.weight_decay
    )
    pixels = torch.tensor(
        (everything.images / 255 - CLIP_MEAN) / CLIP_STD, dtype=torch.float32
    ).permute(0, 3, 1, 2)
    theirs = []
    for rows in batches:
        loss = model(
            input_ids=torch.tensor(everything.texts[rows]),
            pixel_values=pixels[rows],
            return_loss=True,
        ).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        theirs.append(loss.item())

    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    assert np.mean(ours[-3:]) < 0.9 * np.mean(ours[:3]), (
        "the parity of a model that does not learn says little"
    )


ON_DEVICES = """
import json, math, re
from functools import partial
import jax, numpy as np
from paperclip_cli.training.sharding import Devices
from paperclip_cli.training.step import Batch, loss_and_gradient, pair_loss, train_step
from tests.training.test_step import learner, pairs

def measure(count, parts=1):
    devices = Devices(16, count, parts)
    made, state = learner()
    made = made._replace(mesh=devices.mesh, parts=parts)
    state = devices.replicate(state)
    batch = Batch(*map(devices.spread, pairs(16)[:2]))
    program = jax.jit(partial(loss_and_gradient, made)).lower(state.params, batch).compile()
    loss, gradient = program(state.params, batch)
    gradient = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)])

    compiled, losses = jax.jit(partial(train_step, made), donate_argnums=0), []
    for step in range(20):
        batch = Batch(*map(devices.spread, pairs(16, step % 3, side=20)[:2]))
        state, metrics = compiled(state, batch, jax.random.key(5))
        losses.append(float(metrics.loss))
    used = max(len(leaf.sharding.device_set) for leaf in jax.tree.leaves(state.params))
    return {
        "name": str(devices),
        "used": used,
        "loss": float(loss),
        "gradient": gradient.tolist(),
        "losses": losses,
        "reduced": reduced(program.as_text()),
    }

def reduced(program):
    # The numbers that are summed over the devices, inside loops and outside.
    blocks = re.split(r"\\n(?=(?:ENTRY )?%[\\w.-]+ \\()", program)
    named = {re.match(r"(?:ENTRY )?%([\\w.-]+) \\(", block)[1]: block for block in blocks[1:]}
    inside, waiting = set(), re.findall(r"body=%([\\w.-]+)", program)
    while waiting:
        name = waiting.pop()
        if name not in inside:
            inside.add(name)
            waiting += {*re.findall(r"%([\\w.-]+)", named[name])} & {*named}
    sums = [0, 0]
    for name, block in named.items():
        for result in re.findall(r" = (.*?) all-reduce(?:-start)?\\(", block):
            sizes = re.findall(r"\\w+\\[([\\d,]*)\\]", result)
            numbers = [math.prod(map(int, size.split(",") if size else [])) for size in sizes]
            sums[name not in inside] += sum(numbers)
    return sums

print(json.dumps([measure(1), measure(4), measure(4, parts=4)]))
"""


@pytest.fixture(scope="module")
def on_devices() -> list[dict]:
    """What ON_DEVICES measures on one device, on four, and on four with a batch in four parts."""
    flags = {
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4",
        "JAX_PLATFORMS": "cpu",
    }
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", ON_DEVICES],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | flags,
        check=True,
    )
    return json.loads(done.stdout)


def test_one_device_and_four_agree(on_devices: list[dict]) -> None:
    """A batch's loss and gradient to 1e-5, and the losses of twenty random-view steps to 1e-4."""
    one, *others = on_devices
    assert one["name"].startswith("1 x cpu")
    expected = np.asarray(one["gradient"])
    for found in others:
        assert found["name"].startswith("4 x cpu") and found["used"] == 4
        assert found["loss"] == pytest.approx(one["loss"], rel=1e-5)
        distance = np.linalg.norm(found["gradient"] - expected) / np.linalg.norm(expected)
        assert distance < 1e-5
        np.testing.assert_allclose(found["losses"], one["losses"], rtol=1e-4)


def test_devices_add_up_their_gradients_once(on_devices: list[dict]) -> None:
    """However many parts a batch has, each number of the gradient is summed over them once.

    A few numbers of the loss are too.
    """
    one, whole, in_parts = on_devices
    count = len(one["gradient"])
    assert one["reduced"] == [0, 0]
    for found in (whole, in_parts):
        in_loops, outside = found["reduced"]
        assert in_loops == 0 and count <= outside < 1.1 * count


@pytest.fixture(scope="module")
def quick() -> tuple[Callable, TrainState]:
    """A compiled step with a high rate, a strong decay and an average, and its first state."""
    made, state = learner(
        dataclasses.replace(CONSTANT, learning_rate=0.01, weight_decay=0.5), ema_decay=0.75
    )
    return jax.jit(partial(learn, made)), state


def test_steps_depend_on_the_key_and_on_their_number() -> None:
    """At a tiny rate the parameters stay as they are, and only the random view changes the loss."""
    made, state = learner(dataclasses.replace(CONSTANT, learning_rate=1e-12))
    compiled, batch = jax.jit(partial(train_step, made)), pairs(8, side=20)

    def losses(key: int) -> list[float]:
        now, found = state, []
        for _ in range(3):
            now, metrics = compiled(now, batch, jax.random.key(key))
            found.append(float(metrics.loss))
        return found

    assert losses(1) == losses(1)
    assert len({*losses(1), *losses(2)}) == 6


def test_the_average_follows_the_parameters(quick: tuple[Callable, TrainState]) -> None:
    step, state = quick
    after, _ = step(state, pairs(8))
    expected = jax.tree.map(lambda old, new: 0.75 * old + 0.25 * new, state.average, after.params)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-8), after.average, expected)
    assert not np.allclose(
        after.average["text"]["tokens"], after.params["text"]["tokens"], rtol=1e-4
    )


def test_the_scale_is_held_at_its_limit(quick: tuple[Callable, TrainState]) -> None:
    step, state = quick
    after, metrics = step(
        state._replace(params={**state.params, "logit_scale": jnp.float32(MAX_LOGIT_SCALE + 1)}),
        pairs(8),
    )
    assert float(metrics.scale) == pytest.approx(100)
    assert float(after.params["logit_scale"]) <= np.float32(MAX_LOGIT_SCALE)


def test_weight_decay_takes_its_share_of_every_parameter(
    quick: tuple[Callable, TrainState],
) -> None:
    """Where the gradient is zero, as for absent words, AdamW only shrinks by rate x decay."""
    step, state = quick
    batch = pairs(8)
    after, _ = step(
        state, batch._replace(texts=np.where(batch.texts < 88, batch.texts % 40, batch.texts))
    )
    absent = slice(40, 88)
    np.testing.assert_allclose(
        after.params["text"]["tokens"][absent],
        state.params["text"]["tokens"][absent] * (1 - 0.01 * 0.5),
        rtol=1e-5,
    )


def apart(one: clip.Params, other: clip.Params) -> float:
    """The distance of two gradients in units of the first one's norm."""
    return float(optax.tree.norm(jax.tree.map(jnp.subtract, one, other)) / optax.tree.norm(one))


@pytest.mark.parametrize(
    ("loss", "groups"), [("softmax", None), ("softmax", TWICE), ("sigmoid", TWICE)]
)
def test_a_batch_in_parts_has_the_gradient_of_the_whole(
    loss: str, groups: list[int] | None
) -> None:
    """Negatives are those of the whole batch: same loss, and gradient to 1e-5 of the norm.

    The same holds with layers that are computed twice.
    """
    graph, params = build(SMALL, jax.random.key(0))
    params = params | ({"logit_bias": jnp.float32(-3.0)} if loss == "sigmoid" else {})
    batch = pairs(8)._replace(groups=None if groups is None else np.asarray(groups, np.int32))

    def of(parts: int, remat: bool = False) -> tuple[float, clip.Params]:
        towers = encoders.towers(graph, Pixels(14, CLIP_MEAN, CLIP_STD), clip.Compute(remat=remat))
        made = Learner(towers, adamw(CONSTANT), Objective(loss), parts=parts)
        value, gradient = jax.jit(partial(loss_and_gradient, made))(params, batch)
        return float(value), gradient

    whole, gradient = of(1)
    for parts, remat in ((2, True), (4, False)):
        value, summed = of(parts, remat)
        assert value == pytest.approx(whole, rel=1e-6) and apart(gradient, summed) < 1e-5
    assert apart(gradient, jax.tree.map(lambda leaf: leaf * 1.001, gradient)) > 1e-4, (
        "a distance that sees nothing would prove nothing"
    )


def test_bfloat16_computes_and_float32_remembers() -> None:
    graph, params = build(SMALL, jax.random.key(0))
    towers = encoders.towers(graph, Pixels(14, CLIP_MEAN, CLIP_STD), clip.Compute(jnp.bfloat16))
    made = Learner(towers, adamw(CONSTANT), ema_decay=0.9)
    compiled = jax.jit(partial(learn, made))
    assert "bf16" in compiled.lower(initial_state(made, params), pairs(8)).as_text()
    after, metrics = compiled(initial_state(made, params), pairs(8))
    assert {leaf.dtype for leaf in jax.tree.leaves((after.params, after.average, metrics))} == {
        jnp.dtype(jnp.float32)
    }
    assert jax.tree.map(lambda leaf: leaf.dtype, after.optimiser) == jax.tree.map(
        lambda leaf: leaf.dtype, made.optimiser.init(params)
    )
    exact = Learner(encoders.towers(graph, Pixels(14, CLIP_MEAN, CLIP_STD)), adamw(CONSTANT))
    loss, gradient = jax.jit(partial(loss_and_gradient, exact))(params, pairs(8))
    assert float(metrics.loss) == pytest.approx(float(loss), rel=0.02)
    assert float(metrics.gradient) == pytest.approx(float(optax.tree.norm(gradient)), rel=0.1)


def test_the_reference_scale_is_the_parameter_itself_and_has_no_limit() -> None:
    graph, params = build(SMALL, jax.random.key(0))
    made = Learner(
        encoders.towers(graph, Pixels(14, CLIP_MEAN, CLIP_STD)),
        adamw(CONSTANT),
        Objective(raw=True),
    )
    state = initial_state(made, params | {"logit_scale": jnp.float32(7.0)})
    after, metrics = jax.jit(partial(learn, made))(state, pairs(8))
    assert float(metrics.scale) == 7.0 and float(after.params["logit_scale"]) > MAX_LOGIT_SCALE


def test_schedules() -> None:
    recipe = dataclasses.replace(PAPER_PRESET, steps=100, warmup_steps=10, learning_rate=2.0)
    constant, cosine = (
        learning_rate(dataclasses.replace(recipe, schedule=kind)) for kind in ("constant", "cosine")
    )
    steps = jnp.arange(100)
    rising = np.arange(1, 11) / 10 * 2
    np.testing.assert_allclose(jax.vmap(constant)(steps), [*rising, *[2.0] * 90], rtol=1e-6)
    falling = [1 + math.cos(math.pi * (step + 1 - 10) / 90) for step in range(10, 100)]
    np.testing.assert_allclose(jax.vmap(cosine)(steps), [*rising, *falling], atol=1e-6)


def test_batches_that_do_not_divide_use_fewer_devices() -> None:
    from paperclip_cli.errors import UsageError
    from paperclip_cli.training.sharding import Devices

    assert str(Devices(7)).startswith("1 x cpu")
    with pytest.raises(UsageError, match="--devices 9"):
        Devices(7, 9)
