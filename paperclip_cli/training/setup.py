"""Preparation of a training from a recipe and a dataset: everything before the first step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import jax
import numpy as np

from paperclip_cli.config import Recipe, TrainConfig
from paperclip_cli.dataset.batches import Batches, Inputs, Pictures, Texts, exchanged
from paperclip_cli.dataset.captions import any_run, longest_run
from paperclip_cli.dataset.captions import prepare as prepare_captions
from paperclip_cli.dataset.decoded import Centres, Decoded
from paperclip_cli.dataset.pairs import available_splits
from paperclip_cli.dataset.split import TRAIN, VALIDATION
from paperclip_cli.dataset.texts import PairTexts, read_texts
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.evaluation.held_out import Tokenized, held_out
from paperclip_cli.images.view import View
from paperclip_cli.progress import Progress
from paperclip_cli.threads import in_a_thread
from paperclip_cli.towers import capability, clip, scratch
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.tokenizer import ENDS
from paperclip_cli.training import distributed, encoders
from paperclip_cli.training.encoders import Pixels
from paperclip_cli.training.features import FrozenTowers, Rows
from paperclip_cli.training.loop import Training, compiled
from paperclip_cli.training.losses import Objective
from paperclip_cli.training.optimisers import optimiser
from paperclip_cli.training.sharding import Devices, compute
from paperclip_cli.training.start import Start, start
from paperclip_cli.training.step import Batch, Learner, initial_state
from paperclip_cli.training.validation import PERCENT, Validation
from paperclip_cli.wording import counted
from paperclip_cli.workspace import Workspace

_WORDS = 77  # the length of a caption in the reference code


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """The settings that the parts of a training share."""

    recipe: Recipe
    config: TrainConfig
    dataset: Path
    decoded: Decoded
    begin: Start
    view: View
    length: int
    size: int
    devices: Devices
    how: clip.Compute
    progress: Progress

    @cached_property
    def params(self) -> clip.Params:
        return self.begin.params()

    @property
    def pixels(self) -> Pixels:
        return Pixels(self.view.size, self.begin.folder.mean, self.begin.folder.std)

    @cached_property
    def towers(self) -> FrozenTowers:
        begin, devices = self.begin, self.devices
        return FrozenTowers(begin.graph, self.params, self.pixels, self.how, devices, self.size)


def prepare(
    recipe: Recipe,
    config: TrainConfig,
    dataset: Path,
    base: ModelFolder | None,
    inputs: dict[str, str],
    workspace: Workspace,
    progress: Progress,
) -> Training:
    """Reads the dataset, makes or loads the model, and notes the devices that will train it.

    `inputs` are the fingerprints of both. Images are decoded in the workspace, if they are not
    there yet.
    """
    pairs = read_texts(dataset, TRAIN)
    initial_key, key = jax.random.split(jax.random.key(config.seed))
    model = base or scratch.new_model(config.init, (pairs.captions[own] for own in pairs.caption))
    begin = start(model, recipe, config.seed, initial_key)
    setting = _setting(recipe, config, dataset, begin, pairs, workspace, inputs, progress)
    learner = _learner(setting)
    held = _held_out(setting)

    # XLA compiles the step in a thread while images are decoded and captions tokenized.
    shapes, batch = _divided(begin.shapes, recipe)[1], _batch_shapes(setting)
    step = in_a_thread(lambda: compiled(learner, setting.devices, shapes, batch, key))

    frozen, trained = _divided(setting.params, recipe)
    given = _inputs(setting, pairs, inputs, key)
    validation = held and _validation(setting, learner, held)
    setting.decoded.check()
    if distributed.leads():
        setting.decoded.forget_older()
    if frozen:
        frozen = jax.device_get(frozen)  # the towers have done their work
    batches = Batches(
        inputs=given,
        groups=pairs.proposal,
        size=setting.size,
        seed=config.seed,
        unique=recipe.unique_proposals,
        part=setting.devices.part,
    )

    # Compiled, it is one program instead of one for each shape of a parameter.
    state = jax.jit(partial(initial_state, learner))(trained)
    initial, augmenting = setting.devices.replicate((state, key))
    folder = replace(begin.folder, view=setting.view)
    return Training(
        recipe=recipe,
        folder=folder,
        tokenizer=begin.tokenizer,
        learner=learner,
        step=step.result(),
        initial=initial,
        frozen=frozen,
        devices=setting.devices,
        batches=batches,
        validation=validation,
        key=augmenting,
        log_every=config.log_every,
        learns_summaries=pairs.are_summaries,
    )


def _setting(
    recipe: Recipe,
    config: TrainConfig,
    dataset: Path,
    begin: Start,
    pairs: PairTexts,
    workspace: Workspace,
    inputs: dict[str, str],
    progress: Progress,
) -> _Setting:
    view = replace(begin.folder.view, kind=recipe.view, crop=recipe.crop)
    size = _batch_size(recipe, pairs, config.accumulate)
    devices = Devices(size, config.devices, config.accumulate)
    how = compute(config.dtype, devices, begin.folder.config, config.remat)
    if recipe.train == "head" and jax.process_count() > 1:
        raise UsageError(
            "--train head runs in one process: heads are small", "start it without srun"
        )

    smaller = f"; batch size reduced to {size}, the number of proposals"
    progress.note(
        f"training on {devices}"
        + (" in bfloat16" if how.dtype else "")
        + (f" in {old}" if not how.dtype and (old := capability.lacks(devices.used)) else "")
        + (smaller if size < recipe.batch_size else "")
    )
    length = _caption_length(recipe, begin.folder)
    decoded = Decoded(
        workspace=workspace,
        dataset=dataset,
        fingerprint=inputs["dataset"],
        view=view,
        progress=progress,
    )
    return _Setting(
        recipe=recipe,
        config=config,
        dataset=dataset,
        decoded=decoded,
        begin=begin,
        view=view,
        length=length,
        size=size,
        devices=devices,
        how=how,
        progress=progress,
    )


def _divided(params: clip.Params, recipe: Recipe) -> tuple[clip.Params, clip.Params]:
    """The frozen and the trained parameters.

    Frozen towers are not in the state at all: with a mask they would go through every step.
    """
    if recipe.train == "full":
        return {}, params
    trained = {name: part for name, part in params.items() if name in (*clip.EXTRAS, "logit_scale")}
    return {name: part for name, part in params.items() if name not in trained}, trained


def _learner(setting: _Setting) -> Learner:
    recipe = setting.recipe
    whole = encoders.towers(setting.begin.graph, setting.pixels, setting.how)
    return Learner(
        encoders.heads() if recipe.train == "head" else whole,
        optimiser(recipe),
        Objective(recipe.loss, recipe.logit_scale == "reference"),
        recipe.ema_decay,
        setting.config.accumulate,
        setting.devices.mesh,
    )


def _batch_shapes(setting: _Setting) -> Batch:
    """The shapes of the batches to come: stored images and tokens, or, for heads, features."""
    shape, rows, recipe = setting.devices.batch_shape, setting.size, setting.recipe
    groups = shape((rows,), np.int32) if recipe.multi_positive else None

    if recipe.train == "head":
        towers = setting.begin.folder.config
        images = shape((rows, towers.vision.hidden_size), np.float32)
        texts = shape((rows, towers.text.hidden_size), np.float32)
        return Batch(images, texts, groups)

    if setting.config.cache_images == "none":
        distributed.leader_first(lambda: setting.decoded.places(TRAIN))
    side = setting.view.store_side
    images = shape((rows, side, side, setting.decoded.channels(TRAIN)), np.uint8)
    return Batch(images, shape((rows, setting.length), np.int32), groups)


def _inputs(setting: _Setting, pairs: PairTexts, inputs: dict[str, str], key: jax.Array) -> Inputs:
    """The source of batches: images and captions or, for heads, the frozen towers' features."""
    recipe, seed, words = setting.recipe, setting.config.seed, setting.begin.tokenizer
    own = exchanged(pairs.caption, pairs.proposal, seed) if recipe.shuffle_pairs else pairs.caption
    in_words = recipe.caption_runs == "words"
    cut = Texts(
        captions=prepare_captions(pairs.captions, words.encode, pairs.are_summaries, in_words),
        own=own,
        draw=any_run if recipe.caption_runs == "any" else longest_run,
        room=_WORDS if in_words else setting.length - ENDS,
        seed=seed,
        padded=partial(words.padded, length=setting.length),
    )
    pictures = Pictures(_images(setting), cut)
    if recipe.train == "full":
        return pictures

    folder = setting.decoded.folder / f"features-{_features_digest(setting, inputs)}"
    return setting.towers.store(folder, pictures, recipe.head_views, key, setting.progress)


def _features_digest(setting: _Setting, inputs: dict[str, str]) -> str:
    """A digest of everything that the stored features depend on."""
    options = ("caption_tokens", "caption_runs", "shuffle_pairs")
    seen = {name: getattr(setting.recipe, name) for name in options}
    dtype = str(setting.how.dtype)
    about = [inputs, asdict(setting.view), seen, setting.config.seed, dtype]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def _images(setting: _Setting) -> Callable[[np.ndarray], np.ndarray]:
    """A function from rows to their stored images.

    They are decoded each time, read from a file, or on the device, as `--cache` says.
    """
    cache, devices, decoded = setting.config.cache_images, setting.devices, setting.decoded
    if cache == "none":
        return distributed.leader_first(lambda: decoded.decoder(TRAIN))

    store = distributed.leader_first(lambda: decoded.store(TRAIN))
    may_choose = cache == "auto" and setting.recipe.train == "full"
    if cache == "device" or (may_choose and devices.have_room(store.nbytes)):
        return devices.keep(store)  # type: ignore[return-value]
    return store


def _held_out(setting: _Setting) -> Tokenized | None:
    """The texts of the validation split; None where the dataset has none."""
    if VALIDATION not in available_splits(setting.dataset):
        return None
    pairs = read_texts(setting.dataset, VALIDATION)
    held = held_out(pairs, setting.begin.tokenizer.encode, setting.length - ENDS)

    needs_accuracy = setting.recipe.keep == "best" and setting.recipe.best_by == "accuracy"
    if needs_accuracy and len(held.tokens) * PERCENT < 100:
        raise PaperclipError(
            f"{counted(len(held.tokens), 'validation captions are')} too few "
            f"for top-{PERCENT} % accuracy",
            "choose --best-by loss, or a dataset with more proposals in validation",
        )
    return held


def _validation(setting: _Setting, learner: Learner, held: Tokenized) -> Validation:
    views, tokens = _seen(setting, held)
    return Validation(learner, setting.devices, setting.size, views, tokens, held.split)


def _seen(setting: _Setting, held: Tokenized) -> tuple[Rows, np.ndarray]:
    """The central views and the tokens of a split; for heads, their features."""
    store = distributed.leader_first(lambda: setting.decoded.store(VALIDATION))
    views = Centres(store, setting.view.size)
    tokens = setting.begin.tokenizer.padded(held.tokens, setting.length)
    if setting.recipe.train == "full":
        return views, tokens
    return setting.towers.images(views), setting.towers.texts(tokens)


def _caption_length(recipe: Recipe, folder: ModelFolder) -> int:
    limit = folder.config.text.max_position_embeddings
    if recipe.caption_tokens is not None and recipe.caption_tokens > limit:
        raise UsageError(
            f"--caption-tokens {recipe.caption_tokens} is more than the text encoder "
            f"of {folder.name} takes",
            f"give at most {limit}",
        )
    return recipe.caption_tokens or limit


def _batch_size(recipe: Recipe, pairs: PairTexts, parts: int) -> int:
    proposals = len(pairs.proposals)
    if proposals < 2:
        raise PaperclipError(
            "one proposal is too few to train on: there is no other to tell it from",
            "add more proposals to the dataset",
        )
    size = min(recipe.batch_size, proposals)
    if size % parts:
        raise UsageError(
            f"--accumulate {parts} does not divide a batch of {size}",
            "give a divisor of it, or another --batch-size",
        )
    return size
